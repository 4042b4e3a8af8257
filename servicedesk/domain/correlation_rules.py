"""Rules that say what becomes of an alert: a ticket, a record, a place in another's ticket, or nothing for now. Pure.

The first rule that an alert fits decides, and the last one, `default`, fits every alert. A rule with a threshold makes
no ticket until enough has come; one that attaches never makes any.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Literal

from servicedesk.domain.matchers import Matcher, match_all
from servicedesk.domain.policy import AlertPolicy

Answer = Literal["ticket", "record", "attach", "suppress"]
Mark = Literal["", "misuse", "malfunction", "noise", "known"]
Place = tuple[str | int, ...]

DEFAULT, IGNORED, STORM = "default", "ignored", "storm"
MARKS = ("misuse", "malfunction", "noise", "known")
HOST_LABELS = ("instance", "node", "host", "hostname", "pod")


@dataclass(frozen=True, slots=True)
class Threshold:
    """So many episodes, on so many hosts, that began within this time. host: the first of these labels names it."""

    episodes: int
    hosts: int
    within: timedelta
    host: tuple[str, ...] = HOST_LABELS

    def __str__(self) -> str:
        parts = [f"{self.episodes} episodes"] if self.episodes > 1 else []
        parts += [f"{self.hosts} hosts"] if self.hosts > 1 else []
        return f"{' on '.join(parts)} within {span(self.within)}"


@dataclass(frozen=True, slots=True)
class Example:
    """An alert that shows what a rule is for: does it decide about it?"""

    labels: Mapping[str, str]
    source: str
    fits: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. No matchers, no sources: it fits every alert. sources: names with * and ?.

    group: rules with one group share tickets; group_by: labels on which siblings agree; join: how long after its first
    start a ticket takes siblings. max_age: what began longer ago than this when it came makes no ticket. to: which
    tickets it attaches to. mark: how records of this rule are marked, so that nobody must check them.
    """

    id: str
    answer: Answer = "ticket"
    matchers: tuple[Matcher, ...] = ()
    sources: tuple[str, ...] = ()
    group: str = ""
    group_by: tuple[str, ...] = ()
    join: timedelta = timedelta(0)
    threshold: Threshold | None = None
    max_age: timedelta | None = None
    to: tuple[Matcher, ...] = ()
    mark: Mark = ""
    reason: str = ""
    alone: bool = False  # every alert has a ticket of its own
    tests: tuple[Example, ...] = ()
    file: str = ""

    @property
    def waits(self) -> bool:
        """Does an alert of this rule wait for others before it has a ticket?"""
        return self.answer == "attach" or (self.answer == "ticket" and self.threshold is not None)

    def fits(self, source: str, labels: Mapping[str, str]) -> bool:
        if self.sources and not any(fnmatchcase(source, pattern) for pattern in self.sources):
            return False
        return match_all(self.matchers, labels)


class Ruleset:
    """Rules in the order in which they are asked, the policy's own among them. Immutable, thread-safe."""

    def __init__(self, own: Iterable[Rule], shipped: Iterable[Rule], policy: AlertPolicy) -> None:
        self._ignored = _ignoring(policy)
        self.default = Rule(
            DEFAULT, group_by=policy.join_labels, join=policy.join_window, alone=policy.one_incident_per_alert
        )
        self.own, self.shipped = tuple(own), tuple(shipped)
        self.rules = (*self.own, *self.shipped, self.default)
        self._named = {rule.id: rule for rule in (*self.rules, self._ignored)}
        self._names, self._severities = frozenset(policy.ignored_alertnames), frozenset(policy.ignored_severities)
        self.attaching = tuple(rule for rule in self.rules if rule.answer == "attach")

    def judge(self, source: str, labels: Mapping[str, str]) -> Rule:
        """The rule that decides about an alert with these labels."""
        for rule in self.own:
            if rule.fits(source, labels):
                return rule
        if labels.get("alertname", "") in self._names or labels.get("severity", "").strip().lower() in self._severities:
            return self._ignored
        return next((rule for rule in self.shipped if rule.fits(source, labels)), self.default)

    def named(self, rule_id: str) -> Rule:
        """The rule with this id; the default for one that is gone."""
        return self._named.get(rule_id, self.default)

    def reach(self, source: str, labels: Mapping[str, str]) -> list[tuple[bytes, str]]:
        """For a ticket with these labels: (digest, rule) of the alerts that may be attached to it."""
        return [
            (attach_digest(rule, source, labels), rule.id)
            for rule in self.attaching
            if match_all(rule.to, labels) and _agreeing(rule, labels)
        ]


def _ignoring(policy: AlertPolicy) -> Rule:
    reason = "Alerts of this name or severity are recorded without a ticket (policy: alerts.ignored_…)."
    return Rule(IGNORED, answer="record", mark="known", reason=reason)


def digest(rule: Rule, source: str, key: bytes, labels: Mapping[str, str]) -> bytes:
    """SHA-256 that siblings share: source, group, and the labels that they agree on; 32 bytes.

    An alert that has none of these labels has no siblings, nor has one without a name under the default rule.
    """
    if rule.answer == "attach":
        return attach_digest(rule, source, labels)
    named = labels.get("alertname") if not rule.group else _agreeing(rule, labels)
    if rule.alone or not named:
        return hashlib.sha256(f"alert:{len(source)}:{source}".encode("utf-8", "surrogatepass") + key).digest()
    prefix = f"join:{len(source)}:{source}" + (f"{len(rule.group)}:{rule.group}|" if rule.group else "")
    return _sha(prefix, rule.group_by, labels)


def attach_digest(rule: Rule, source: str, labels: Mapping[str, str]) -> bytes:
    """What an alert that attaches shares with the tickets that it may be attached to."""
    return _sha(f"attach:{len(source)}:{source}{len(rule.id)}:{rule.id}|", rule.group_by, labels)


def _sha(prefix: str, names: Iterable[str], labels: Mapping[str, str]) -> bytes:
    parts = [prefix]
    for name in names:
        value = agreed(name, labels)
        parts.append(f"{len(name)}:{name}{len(value)}:{value}")
    return hashlib.sha256("".join(parts).encode("utf-8", "surrogatepass")).digest()


def agreed(name: str, labels: Mapping[str, str]) -> str:
    """A label's value for comparing; `service` falls back to `job`."""
    return labels.get(name) or (labels.get("job", "") if name == "service" else "")


def _agreeing(rule: Rule, labels: Mapping[str, str]) -> bool:
    return not rule.group_by or any(agreed(name, labels) for name in rule.group_by)


def host_of(rule: Rule, labels: Mapping[str, str]) -> str:
    """The host that an alert is about, for a threshold on hosts; its port left out."""
    names = rule.threshold.host if rule.threshold else HOST_LABELS
    value = next((labels[name] for name in names if labels.get(name)), "")
    host, colon, port = value.rpartition(":")
    return host if colon and port.isdigit() and ":" not in host.strip("[]") else value


# --- thresholds ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Point:
    """An episode that counts for a threshold. key: of its alert."""

    start: datetime
    key: bytes
    host: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """Enough has come: the alerts that share a ticket, from this start on."""

    start: datetime
    keys: frozenset[bytes]
    reason: str


def gather(points: Iterable[Point], need: Threshold, join: timedelta) -> list[Cell]:
    """The tickets that these episodes make: a function of the set alone.

    A ticket begins with the earliest start after which enough follows in time, and takes every alert that begins within
    `join` after it, and what more these alerts do. What is left waits.
    """
    rest = sorted(points, key=lambda p: (p.start, p.key))
    cells: list[Cell] = []
    while (found := _first(rest, need)) is not None:
        at, reason = found
        start = rest[at].start
        taken = frozenset(p.key for p in rest[at:] if p.start <= start + max(join, need.within))
        cells.append(Cell(start, taken, reason))
        rest = [p for p in rest[at:] if p.key not in taken]
    return cells


def _first(points: Sequence[Point], need: Threshold) -> tuple[int, str] | None:
    """The first point after which enough follows in time, and what that is: a window slides over the points."""
    hosts: Counter[str] = Counter()
    end = 0
    for at, first in enumerate(points):
        while end < len(points) and points[end].start <= first.start + need.within:
            hosts[points[end].host] += 1
            end += 1
        told = max(len(hosts) - ("" in hosts), 1)  # where nobody says which, it is one
        if end - at >= need.episodes and told >= need.hosts:
            count = f"{end - at} episodes on {told} {'hosts' if told > 1 else 'host'}"
            return at, f"{count} began within {span(need.within)}; the rule waits for {need}."
        hosts[first.host] -= 1
        if not hosts[first.host]:
            del hosts[first.host]
    return None


# --- attaching -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Host:
    """A ticket that an alert may be attached to. digest: of its siblings, so that ties do not depend on numbers."""

    incident_id: int
    began_at: datetime
    digest: bytes


def home(start: datetime, over_at: datetime | None, hosts: Iterable[Host], join: timedelta) -> int | None:
    """The ticket that takes an alert which attaches: the newest that began before it, else the next within `join`.

    An alert that was over before a ticket began has nothing to do with it.
    """
    hosts = [h for h in hosts if over_at is None or over_at >= h.began_at]
    before = [h for h in hosts if h.began_at <= start]
    if before:
        return max(before, key=lambda h: (h.began_at, h.digest)).incident_id
    after = [h for h in hosts if h.began_at <= start + join]
    return min(after, key=lambda h: (h.began_at, h.digest)).incident_id if after else None


# --- what is wrong with rules --------------------------------------------------------------------------------------


def problems(rule: Rule) -> Iterator[tuple[Place, str]]:
    """What the types alone do not say of one rule: (keys of the value, sentence that says what to do)."""
    if rule.id in (DEFAULT, IGNORED, STORM):
        yield ("id",), f"{rule.id!r} is the desk's own: give it another id"
    for name in _IDLE[rule.answer]:
        if getattr(rule, name):
            yield (name,), f"says nothing beside the answer {rule.answer}: leave it out"
    if rule.answer == "attach" and not rule.group_by:
        yield ("group_by",), "is needed to attach: the labels on which the alert and the ticket agree"
    if rule.answer == "ticket" and rule.threshold is not None:
        yield from _threshold(rule.threshold)


_IDLE: dict[Answer, tuple[str, ...]] = {
    "ticket": ("to", "mark"),
    "attach": ("group", "threshold"),
    "record": ("group", "group_by", "threshold", "join", "max_age", "to"),
    "suppress": ("group", "group_by", "threshold", "join", "max_age", "to", "mark"),
}


def _threshold(need: Threshold) -> Iterator[tuple[Place, str]]:
    if need.episodes < 2 and need.hosts < 2:
        yield ("threshold",), "needs at least 2 episodes or 2 hosts: one makes a ticket without it"
    if not timedelta(0) < need.within <= timedelta(days=1):
        yield ("threshold", "within"), "must be longer than nothing and at most 1d"


def unlike(rules: Sequence[Rule]) -> Iterator[tuple[Rule, str]]:
    """Rules of one group must agree on what makes siblings: (the rule that differs, sentence)."""
    first: dict[str, Rule] = {}
    for rule in rules:
        if not rule.group:
            continue
        other = first.setdefault(rule.group, rule)
        if (rule.group_by, rule.join, rule.threshold) != (other.group_by, other.join, other.threshold):
            yield rule, f"shares the group {rule.group!r} with {other.id!r}, but not its group_by, join and threshold"


def span(length: timedelta) -> str:
    """A length of time as rule files write it: 10m, 1h, 90s."""
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
