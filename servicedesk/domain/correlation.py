"""Which incident an alert belongs to, decided with a reason. Pure; `services.apply` carries the decision out.

Siblings (one source, the same join labels) belong together when they began within one window. Nothing may depend on
the order in which messages arrive, so the canonical partition is by event time: an incident begins with the earliest
start, takes every sibling that starts within the window after it, and the next one begins the next incident. An
incident that nobody has touched yet follows that partition; one that people work on stays as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from servicedesk.domain.alert_state import FIRING, SUSPECT
from servicedesk.domain.incident import CANCELLED, CLOSED, RESOLVED, REVIEW, number
from servicedesk.domain.policy import AlertPolicy

Kind = Literal["open", "attach", "reopen", "recur", "recover", "suspect", "ignore"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a change. rule: its name, for the record; reason: a sentence; incident_id: of the old one."""

    kind: Kind
    rule: str
    reason: str
    incident_id: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """An alert whose state changed. status: as alert_state says.

    fresh: it fires in an episode that no incident carries yet. fired: it was ever seen firing.
    over_at: end of the fresh episode, None while it is open. unticketed: why its receiver wants no ticket, or "".
    """

    name: str
    severity: str
    status: str
    fired: bool
    fresh: bool
    over_at: datetime | None = None
    unticketed: str = ""


@dataclass(frozen=True, slots=True)
class Own:
    """The newest incident that the alert belongs to. over_at: when it was closed or cancelled."""

    incident_id: int
    status: str
    over_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An incident that siblings may join. settled: somebody works on it, so its members stay."""

    incident_id: int
    began_at: datetime
    settled: bool


@dataclass(frozen=True, slots=True)
class Unit:
    """One alert in the partition: the start of its first episode in an open incident, and that incident if any."""

    start: datetime
    key: bytes
    incident_id: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """The incident that takes a start (None: a new one). shifts: it begins earlier by that, so its like are moved."""

    incident_id: int | None
    shifts: bool = False


def correlation_digest(source: str, key: bytes, labels: Mapping[str, str], policy: AlertPolicy) -> bytes:
    """SHA-256 that siblings share: source and join labels (`service` falls back to `job`); 32 bytes.

    An alert without a name has no siblings, nor has any under the policy `one_incident_per_alert`.
    """
    if policy.one_incident_per_alert or not labels.get("alertname"):
        return hashlib.sha256(f"alert:{len(source)}:{source}".encode("utf-8", "surrogatepass") + key).digest()
    parts = [f"join:{len(source)}:{source}"]
    for name in policy.join_labels:
        value = labels.get(name) or (labels.get("job", "") if name == "service" else "")
        parts.append(f"{len(name)}:{name}{len(value)}:{value}")
    return hashlib.sha256("".join(parts).encode("utf-8", "surrogatepass")).digest()


def ignored(name: str, severity: str, policy: AlertPolicy) -> str:
    """Why alerts of this name or severity are recorded without an incident; empty when they are not ignored."""
    if name in policy.ignored_alertnames:
        return f"{name} is recorded without a ticket (alerts.ignored_alertnames)."
    if severity.strip().lower() in policy.ignored_severities:
        return f"Severity {severity} is recorded without a ticket (alerts.ignored_severities)."
    return ""


def correlate(change: Change, own: Own | None, policy: AlertPolicy) -> Decision:
    """What a change of one alert means for incidents. `open` and `recur` still ask `place` for siblings to join."""
    why = ignored(change.name, change.severity, policy)
    if why:
        return Decision("ignore", "ignored", why)
    if not change.fired:
        return Decision("ignore", "never_seen_firing", "It had ended before it was ever seen firing: recorded.")
    if own is None and change.unticketed:
        return Decision("ignore", "record", change.unticketed)
    if own is None:
        return Decision("open", "default", "It fires and belongs to no incident yet.")
    name = number(own.incident_id)
    if own.status in (CLOSED, CANCELLED):
        return _after_the_end(change, own, name)
    if change.status == SUSPECT:
        return Decision(
            "suspect", "suspect", f"A firing came after the end that covers it; {name} waits.", own.incident_id
        )
    if change.status != FIRING:
        return Decision("recover", "recovered", f"It recovered; {name} carries it.", own.incident_id)
    if own.status in (RESOLVED, REVIEW):
        return Decision("reopen", "M7", f"It fires again: {name} is not solved.", own.incident_id)
    return Decision("attach", "own_incident", f"It fires and {name} is still open.", own.incident_id)


def _after_the_end(change: Change, own: Own, name: str) -> Decision:
    if change.status == FIRING and change.fresh:
        return Decision("recur", "recurrence", f"It fires again after {name} was {own.status}.", own.incident_id)
    missed = change.fresh and change.status != SUSPECT and change.over_at is not None
    if missed and (own.over_at is None or change.over_at > own.over_at):  # type: ignore[operator]
        return Decision("recur", "recurrence", f"It fired and ended after {name} was {own.status}.", own.incident_id)
    return Decision("ignore", "over", f"{name} is {own.status}: recorded, the ticket stays as it is.")


def place(start: datetime, candidates: Iterable[Candidate], window: timedelta) -> Place:
    """The open sibling incident that an episode with this start joins.

    candidates: open incidents of one correlation digest. A start shortly before an incident joins it too: one that
    people work on keeps its members; an untouched one begins earlier now, and is partitioned anew.
    """
    before: Candidate | None = None
    after: Candidate | None = None
    for candidate in candidates:
        if candidate.began_at <= start <= candidate.began_at + window:
            before = max(before or candidate, candidate, key=_order)
        elif start < candidate.began_at <= start + window:
            after = min(after or candidate, candidate, key=_order)
    if before is not None:
        return Place(before.incident_id)
    if after is not None:
        return Place(after.incident_id, shifts=not after.settled)
    return Place(None)


@dataclass(frozen=True, slots=True)
class Shift:
    """Untouched incidents begin earlier now: at `start` at the earliest, and did at `began` at the latest."""

    start: datetime
    began: datetime

    def __or__(self, other: Shift | None) -> Shift:
        return self if other is None else Shift(min(self.start, other.start), max(self.began, other.began))


@dataclass(frozen=True, slots=True)
class Seating:
    """Where units go. seats: unit → incident, negative for new ones."""

    seats: Mapping[Unit, int]
    shifted: Shift | None


def seat(units: Iterable[Unit], candidates: Iterable[Candidate], window: timedelta) -> Seating:
    """Place several units of one correlation digest, each in sight of those before it."""
    open_ones = {c.incident_id: c for c in candidates}
    seats: dict[Unit, int] = {}
    shifted: Shift | None = None
    for unit in sorted(units, key=_by_start):
        found = place(unit.start, open_ones.values(), window)
        number = min([0, *open_ones]) - 1 if found.incident_id is None else found.incident_id
        if found.shifts:
            shifted = Shift(unit.start, open_ones[number].began_at) | shifted
        if found.shifts or found.incident_id is None:
            open_ones[number] = Candidate(number, unit.start, settled=False)
        seats[unit] = number
    return Seating(seats, shifted)


def _by_start(unit: Unit) -> tuple[datetime, bytes]:
    return unit.start, unit.key


def _order(candidate: Candidate) -> tuple[datetime, int]:
    return candidate.began_at, candidate.incident_id


def partition(units: Iterable[Unit], window: timedelta) -> list[list[Unit]]:
    """The canonical groups: in the order of (start, key), each as long as its window from its first start."""
    groups: list[list[Unit]] = []
    for unit in sorted(units, key=_by_start):
        if groups and unit.start <= groups[-1][0].start + window:
            groups[-1].append(unit)
        else:
            groups.append([unit])
    return groups


def assign(groups: Sequence[Sequence[Unit]]) -> list[int | None]:
    """For each group the incident that keeps it: the oldest of its units' incidents that is free; None: a new one."""
    taken: set[int] = set()
    answer: list[int | None] = []
    for group in groups:
        free = min({u.incident_id for u in group if u.incident_id is not None} - taken, default=None)
        if free is not None:
            taken.add(free)
        answer.append(free)
    return answer


def chain(shift: Shift, candidates: Iterable[Candidate], window: timedelta) -> list[Candidate]:
    """The untouched incidents that a shift may reach: neighbours less than two windows apart."""
    reach = shift.began
    found: list[Candidate] = []
    for candidate in sorted(
        (c for c in candidates if not c.settled and c.began_at + window >= shift.start), key=_order
    ):
        if candidate.began_at > reach + 2 * window:
            break
        found.append(candidate)
        reach = max(reach, candidate.began_at)
    return found
