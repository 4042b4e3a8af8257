"""Playbooks: what they are, and which of them belong to a ticket. Pure; files.playbooks reads them from YAML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from servicedesk.domain.matchers import Matcher, match_all

ALERTNAME = "alertname"


@dataclass(frozen=True, slots=True)
class Link:
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction (Markdown). A mandatory one must be done, or skipped with a reason, before resolving (G4)."""

    id: str
    title: str
    instruction: str
    mandatory: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of `match`: everything that it names must hold (AND).

    Matchers look at one alert; on a ticket without alerts they never hold, whatever they deny.
    """

    matchers: tuple[Matcher, ...] = ()
    types: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, str], type_: str, category: str, service: str) -> bool:
        return (
            (not self.types or type_ in self.types)
            and (not self.categories or category in self.categories)
            and (not self.services or service in self.services)
            and (not self.matchers or (bool(labels) and match_all(self.matchers, labels)))
        )


@dataclass(frozen=True, slots=True)
class Playbook:
    """A guide for one kind of ticket. version: SHA-256 (hex) of the source text; the text is kept with each use."""

    id: str
    title: str
    steps: tuple[Step, ...]
    source: str = field(repr=False)
    version: str
    match: tuple[Condition, ...] = ()
    summary: str = ""
    links: tuple[Link, ...] = ()
    owner: str = ""
    estimated_minutes: int | None = None
    file: str = field(default="", compare=False)

    def matches(self, labels: Mapping[str, str], type_: str, category: str, service: str) -> bool:
        """Whether any condition holds (OR). A playbook without conditions is attached by hand only."""
        return any(c.holds(labels, type_, category, service) for c in self.match)

    def step(self, id_: str) -> Step | None:
        return next((s for s in self.steps if s.id == id_), None)


def version_of(source: str) -> str:
    """The content hash that names a version: SHA-256 of the UTF-8 text, in hex."""
    return sha256(source.encode()).hexdigest()


class Catalogue:
    """Playbooks, ready to be matched many times a second: looked up by alert name first, where they say one."""

    def __init__(self, playbooks: Iterable[Playbook]) -> None:
        self.all: tuple[Playbook, ...] = tuple(sorted(playbooks, key=lambda p: p.id))
        self._by_id = {p.id: p for p in self.all}
        self._named: dict[str, list[tuple[Playbook, Condition]]] = {}
        self._general: list[tuple[Playbook, Condition]] = []
        for playbook in self.all:
            for condition in playbook.match:
                self._index(playbook, condition)

    def _index(self, playbook: Playbook, condition: Condition) -> None:
        names = alert_names(condition)
        if names is None:
            self._general.append((playbook, condition))
        for name in names or ():
            self._named.setdefault(name, []).append((playbook, condition))

    def get(self, id_: str) -> Playbook | None:
        return self._by_id.get(id_)

    def match(
        self, labels: Mapping[str, str], type_: str = "incident", category: str = "", service: str = ""
    ) -> tuple[Playbook, ...]:
        """The playbooks whose conditions hold, in the order of their ids."""
        named = self._named.get(labels.get(ALERTNAME, ""), ())
        found = {
            playbook.id: playbook
            for candidates in (named, self._general)
            for playbook, condition in candidates
            if condition.holds(labels, type_, category, service)
        }
        return tuple(found[id_] for id_ in sorted(found))


_PLAIN_NAMES = re.compile(r"[A-Za-z0-9_\-/: ]+(?:\|[A-Za-z0-9_\-/: ]+)*")


def alert_names(condition: Condition) -> frozenset[str] | None:
    """The only alert names that this condition can hold for; None: it may hold for others, too."""
    for m in condition.matchers:
        if m.name == ALERTNAME and m.op == "=" and m.value:
            return frozenset({m.value})
        if m.name == ALERTNAME and m.op == "=~" and _PLAIN_NAMES.fullmatch(m.value):
            return frozenset(m.value.split("|"))
    return None


OUTCOMES = ("done", "skipped", "failed")
