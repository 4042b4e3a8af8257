"""Playbooks: what they are, and which of them belong to a ticket. Pure; files.playbooks reads them from YAML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256

from servicedesk.domain.checks import CheckSpec
from servicedesk.domain.matchers import Matcher, match_all
from servicedesk.domain.parameters import Parameter

ALERTNAME = "alertname"
VERIFY = "verify:"  # before the id of a check of the verify section, where checks are named
MAX_NAMES = 4096  # alert names whose candidates are remembered
RULE = "rule"  # the label by which alerts from syslog name the rule that made them


@dataclass(frozen=True, slots=True)
class Link:
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Branch:
    """One answer to a decision. when: the verdict of the decision's `by` step that takes it by itself; "": a person.

    steps: what is done on this way; a step that only other branches name is then left out.
    """

    id: str
    title: str
    when: str = ""
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """A fork: which of the branches holds here. by: the check step whose verdict decides, where one does."""

    branches: tuple[Branch, ...]
    by: str = ""

    def branch(self, id_: str) -> Branch | None:
        return next((b for b in self.branches if b.id == id_), None)

    def taken_on(self, verdict: str) -> Branch | None:
        return next((b for b in self.branches if b.when == verdict), None)

    def left_out(self, taken: str) -> tuple[str, ...]:
        """The steps that are not done once this branch is taken."""
        chosen = self.branch(taken)
        kept = set(chosen.steps) if chosen else set()
        every = dict.fromkeys(step for b in self.branches for step in b.steps)
        return tuple(step for step in every if step not in kept)


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction (Markdown), check or decision.

    A mandatory one must be done, or skipped with a reason, before resolving (G4). auto: its check runs when the ticket
    opens. means: what to think of each verdict, in Markdown.
    """

    id: str
    title: str
    instruction: str
    mandatory: bool = False
    check: CheckSpec | None = None
    auto: bool = False
    means: Mapping[str, str] = field(default_factory=dict)
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Baseline:
    """How the value must compare with the one from when the ticket opened. better: lower | higher; by: percent."""

    better: str
    by: float = 0.0


@dataclass(frozen=True, slots=True)
class VerifyCheck:
    """A check that proves the fix, now and through the soak window."""

    id: str
    title: str
    check: CheckSpec
    baseline: Baseline | None = None


@dataclass(frozen=True, slots=True)
class Verify:
    """How the fix proves itself. soak: how long it is watched, None: the quiet window of the ticket's priority.

    after: when the first look is taken.
    """

    checks: tuple[VerifyCheck, ...]
    soak: timedelta | None = None
    after: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of `match`: everything that it names must hold (AND).

    Matchers look at one alert; on a ticket without alerts they never hold, whatever they deny.
    """

    matchers: tuple[Matcher, ...] = ()
    types: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, str], type_: str, category: str, service: str) -> bool:
        return (
            (not self.types or type_ in self.types)
            and (not self.categories or category in self.categories)
            and (not self.services or service in self.services)
            and (not self.matchers or (bool(labels) and match_all(self.matchers, labels)))
            and (not self.rules or labels.get(RULE, "") in self.rules)
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
    schema: int = 1
    parameters: tuple[Parameter, ...] = ()
    verify: Verify | None = None

    def matches(self, labels: Mapping[str, str], type_: str, category: str, service: str) -> bool:
        """Whether any condition holds (OR). A playbook without conditions is attached by hand only."""
        return any(c.holds(labels, type_, category, service) for c in self.match)

    def step(self, id_: str) -> Step | None:
        return next((s for s in self.steps if s.id == id_), None)

    def check(self, id_: str) -> CheckSpec | None:
        """The check of a step, or of the verify section: `verify:` and its id."""
        if id_.startswith(VERIFY) and self.verify is not None:
            return next((c.check for c in self.verify.checks if VERIFY + c.id == id_), None)
        step = self.step(id_)
        return step.check if step else None

    @property
    def checks(self) -> tuple[tuple[str, CheckSpec], ...]:
        """Every check by its id, those of the verify section last."""
        found = [(s.id, s.check) for s in self.steps if s.check is not None]
        return (*found, *[(VERIFY + c.id, c.check) for c in (self.verify.checks if self.verify else ())])

    @property
    def auto_steps(self) -> tuple[Step, ...]:
        return tuple(s for s in self.steps if s.auto)


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
        self._candidates: dict[str, tuple[tuple[Playbook, Condition], ...]] = {}
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
        found = {
            playbook.id: playbook
            for playbook, condition in self._of_name(labels.get(ALERTNAME, ""))
            if condition.holds(labels, type_, category, service)
        }
        return tuple(found[id_] for id_ in sorted(found))

    def _of_name(self, name: str) -> tuple[tuple[Playbook, Condition], ...]:
        """What may hold for alerts of this name. Remembered: alerts are many, their names few."""
        found = self._candidates.get(name)
        if found is None:
            if len(self._candidates) >= MAX_NAMES:
                self._candidates.clear()
            alone = {ALERTNAME: name}
            general = (
                pair for pair in self._general if all(m.matches(alone) for m in pair[1].matchers if m.name == ALERTNAME)
            )
            found = self._candidates[name] = (*self._named.get(name, ()), *general)
        return found


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
