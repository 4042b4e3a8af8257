"""The policy: every number, word and name that an organisation may choose, as typed values.

No value stands here. The defaults are in `files/defaults/policy.yaml`, read by `files.policies.load`; what is here is
the shape, and `problems`, the rules that tie keys together. The seven states, the guards and the moves are not policy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from servicedesk.domain.incident import CANCEL_REASONS, HOLD_REASONS, RESOLUTION_CODES, STATES, TYPES

Level = Annotated[int, msgspec.Meta(ge=1, le=3)]
"""Impact or urgency: 1 high, 2 medium, 3 low."""
Priority = Annotated[int, msgspec.Meta(ge=1, le=5)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Depth = Literal["micro", "lite", "full"]
Kind = Literal["incident", "request", "question"]

PRIORITIES = (1, 2, 3, 4, 5)


class Duration(timedelta):
    """A length of time, written `10m`, `1h30m`, `7d`: weeks, days, hours, minutes, seconds."""

    def __str__(self) -> str:
        rest, out = int(self.total_seconds()), ""
        for unit, seconds in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
            count, rest = divmod(rest, seconds)
            out += f"{count}{unit}" if count else ""
        return out or "0s"


class Days:
    """A number of days, written `3 days` (calendar) or `5 business days` (by the policy's calendar)."""

    # no dataclass: msgspec would want a mapping where a person writes `3 days`
    __slots__ = ("business", "count")

    def __init__(self, count: int, business: bool) -> None:
        self.count, self.business = count, business

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Days) and (self.count, self.business) == (other.count, other.business)

    def __hash__(self) -> int:
        return hash((self.count, self.business))

    def __repr__(self) -> str:
        return f"Days({self.count}, business={self.business})"

    def __str__(self) -> str:
        return f"{self.count} {'business ' if self.business else ''}day{'' if self.count == 1 else 's'}"


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Label(_Section, frozen=True):
    """A name in the shipped languages."""

    en: Annotated[str, msgspec.Meta(min_length=1)]
    fr: Annotated[str, msgspec.Meta(min_length=1)]

    def text(self, language: str) -> str:
        """The name in this language (`fr-CA` counts as French); English for any other."""
        return self.fr if language.lower().split("-")[0].split("_")[0] == "fr" else self.en


class Word(_Section, frozen=True):
    """A name with a sentence that explains it where it is shown."""

    name: Label
    explain: Label


class StateName(_Section, frozen=True):
    name: Label
    explain: Label
    requester: Label | None = None  # what a requester sees, where that differs


class HoldReason(_Section, frozen=True):
    name: Label
    explain: Label
    next_look: Days  # proposed when the ticket is put on hold: every pending has a next-look date
    needs: Literal["question", "date", "nothing"]  # a public question to the requester, a date, or nothing more


class CancellationReason(_Section, frozen=True):
    name: Label
    explain: Label
    role: Literal["agent", "lead"]
    review: bool  # a micro review is due, and counts as review debt until approved
    target: bool  # needs another ticket that takes the alerts
    requester_only: bool  # only for tickets with a requester and no alert


class Impacts(_Section, frozen=True):
    criticality: dict[str, Level]  # of the service
    unknown_service: Level


class PriorityPolicy(_Section, frozen=True):
    matrix: tuple[
        tuple[Priority, Priority, Priority],
        tuple[Priority, Priority, Priority],
        tuple[Priority, Priority, Priority],
    ]  # matrix[impact - 1][urgency - 1]
    severities: dict[str, Level]  # severity word (lower case) → urgency
    default_severity: str  # for an unknown or absent word; the ticket is then marked
    impact: Impacts
    names: dict[Priority, Word]


class Storm(_Section, frozen=True):
    incidents: Count
    window: Duration


class Recurrence(_Section, frozen=True):
    count: Count
    window: Duration


class AutoResolve(_Section, frozen=True):
    enabled: bool
    priorities: tuple[Priority, ...]
    after: Duration


class AlertPolicy(_Section, frozen=True):
    ignored_alertnames: tuple[str, ...]
    ignored_severities: tuple[str, ...]
    category: str  # given to alert-born tickets at creation
    join_labels: tuple[str, ...]
    join_window: Duration
    one_incident_per_alert: bool
    suspect_confirm: Duration
    suspect_confirm_by_source: dict[str, Duration]
    storm: Storm
    quiet_window: dict[Priority, Duration]
    auto_resolve: AutoResolve
    false_positives: Recurrence  # so many in the window ask to tune the alert
    recurrence: Recurrence  # so many of one alert or service in the window suggest a problem record

    def suspect_confirm_for(self, source: str) -> timedelta:
        return self.suspect_confirm_by_source.get(source, self.suspect_confirm)


class WaitingReminders(_Section, frozen=True):
    """`pending(requester)`: reminders after these times by urgency; then owner and lead are told."""

    high: tuple[Days, ...]
    medium: tuple[Days, ...]
    low: tuple[Days, ...]
    tell_lead: Days


class SilenceExceptions(_Section, frozen=True):
    types: tuple[Kind, ...]
    priorities: tuple[Priority, ...]
    categories: tuple[str, ...]
    services: tuple[str, ...]


class Silence(_Section, frozen=True):
    """Resolved and no word from the requester: the reminder ladder up to the implicit confirmation."""

    confirms: bool
    never_for: SilenceExceptions
    reminders: tuple[Days, ...]
    tell_lead: Days
    confirm: Days


class Ageing(_Section, frozen=True):
    unassigned: dict[Priority, Duration]
    stale: Duration
    stale_lead: Duration
    waiting_reminders: WaitingReminders
    silence: Silence


class Closing(_Section, frozen=True):
    requester_reopens_within: Duration
    no_reopening_counts_after: Duration  # "resolved at first contact" needs this long without a reopening
    satisfaction_asked_after: Duration


class ReviewDepths(_Section, frozen=True):
    by_priority: dict[Priority, Depth]
    self_recovered: dict[Priority, Depth]
    by_type: dict[Literal["request", "question"], Depth]
    false_positive: Depth
    major: Depth
    data_loss: Depth
    asked: Depth
    found_by_person: Depth  # on a monitored service
    sla_breach: Depth
    breach_priorities: tuple[Priority, ...]  # SLA breach and "found by a person" count for these priorities


class ReviewPolicy(_Section, frozen=True):
    depth: ReviewDepths
    due: dict[Depth, dict[Priority, Days]]
    second_approver: tuple[Priority, ...]
    waivable: tuple[Priority, ...]

    def due_in(self, depth: Depth, priority: int) -> Days:
        return self.due[depth][priority]


class Cancellation(_Section, frozen=True):
    second_person: tuple[Priority, ...]


class Notifications(_Section, frozen=True):
    new_ticket: tuple[Priority, ...]


class WatchPolicy(_Section, frozen=True):
    """When the desk opens a ticket about itself."""

    refused: Count  # refusals of a sender that is known by its token
    refused_strangers: Count
    quiet: Duration  # without a refusal: they are over
    dead_letters: Duration  # without a new dead letter: they are over
    lag: Duration
    outbox: Duration
    backup_overdue: Duration
    disk_free: Annotated[int, msgspec.Meta(ge=2, le=90)]  # percent


class Calendar(_Section, frozen=True):
    """What a business day is."""

    timezone: str
    workdays: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...]
    opens: str
    closes: str
    holidays: tuple[str, ...]  # ISO dates


class Policy(_Section, frozen=True):
    schema: Literal[1]
    solo_mode: bool
    priority: PriorityPolicy
    alerts: AlertPolicy
    ageing: Ageing
    closing: Closing
    review: ReviewPolicy
    cancellation: Cancellation
    notifications: Notifications
    watch: WatchPolicy
    calendar: Calendar
    types: dict[Kind, Word]
    categories: dict[str, Label]
    states: dict[str, StateName]
    resolution_codes: dict[str, Word]
    cause_classes: dict[str, Word]
    hold_reasons: dict[str, HoldReason]
    cancellation_reasons: dict[str, CancellationReason]


_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:(\d{1,6})w)?(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?")
_DAYS = re.compile(r"(\d{1,4}) (business )?days?")


def parse_duration(text: Any) -> Duration:
    """`1h30m` as a Duration. Raises ValueError with a sentence."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) and text else None
    if found is None:
        raise ValueError(f"{text!r} is not a duration: write one like 10m, 1h30m or 7d")
    return Duration(seconds=sum(int(n) * u for n, u in zip(found.groups(), _UNITS.values(), strict=True) if n))


def parse_days(text: Any) -> Days:
    """`5 business days` as Days. Raises ValueError with a sentence."""
    found = _DAYS.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{text!r} is not a number of days: write one like 3 days or 5 business days")
    return Days(int(found[1]), bool(found[2]))


def decode(kind: type, value: Any) -> Any:
    """msgspec's dec_hook for the policy's own types."""
    if kind is Duration:
        return parse_duration(value)
    if kind is Days:
        return parse_days(value)
    raise NotImplementedError(kind)


def problems(policy: Policy) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What the types alone do not say: (keys of the value, sentence that says what to do)."""
    yield from _needed(policy)
    yield from _matrix(policy.priority.matrix)
    yield from _words(policy)
    yield from _ladder(policy.ageing.silence)
    yield from _calendar(policy.calendar)


def _needed(policy: Policy) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Entries that the rules speak of by name, or look up for every priority, must be there."""
    by_priority: tuple[tuple[tuple[str | int, ...], Mapping[Any, Any]], ...] = (
        (("priority", "names"), policy.priority.names),
        (("alerts", "quiet_window"), policy.alerts.quiet_window),
        (("ageing", "unassigned"), policy.ageing.unassigned),
        (("review", "depth", "by_priority"), policy.review.depth.by_priority),
        (("review", "depth", "self_recovered"), policy.review.depth.self_recovered),
        *((("review", "due", depth), due) for depth, due in policy.review.due.items()),
    )
    for keys, mapping in by_priority:
        yield from _missing(keys, mapping, PRIORITIES)
    yield from _missing(("review", "due"), policy.review.due, ("micro", "lite", "full"))
    yield from _missing(("review", "depth", "by_type"), policy.review.depth.by_type, ("request", "question"))
    yield from _missing(("types",), policy.types, TYPES)
    yield from _missing(("states",), policy.states, (*STATES, "answered", "postponed"))
    yield from _missing(("resolution_codes",), policy.resolution_codes, RESOLUTION_CODES)
    yield from _missing(("hold_reasons",), policy.hold_reasons, HOLD_REASONS)
    yield from _missing(("cancellation_reasons",), policy.cancellation_reasons, CANCEL_REASONS)
    for name in ("categories", "cause_classes"):
        if not getattr(policy, name):
            yield (name,), "is empty: keep at least one entry"


def _missing(
    keys: tuple[str | int, ...], mapping: Mapping[Any, Any], needed: tuple[Any, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if absent := [str(key) for key in needed if key not in mapping]:
        yield keys, f"{', '.join(absent)} must be here, because rules speak of it: add it (or do not take it away)"


def _matrix(matrix: tuple[tuple[int, int, int], ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for i in range(3):
        for j in range(3):
            if (i and matrix[i][j] < matrix[i - 1][j]) or (j and matrix[i][j] < matrix[i][j - 1]):
                yield (
                    ("priority", "matrix", i, j),
                    "less impact or urgency gives a higher priority here: rows are impact, columns urgency, 1 is high",
                )


def _words(policy: Policy) -> Iterator[tuple[tuple[str | int, ...], str]]:
    table = policy.priority.severities
    for word in table:
        if word != word.strip().lower():
            yield ("priority", "severities", word), "severity words are compared in lower case: write it so"
    if policy.priority.default_severity not in table:
        yield ("priority", "default_severity"), f"is not in the table of severities: use one of {', '.join(table)}"
    if policy.alerts.category not in policy.categories:
        yield ("alerts", "category"), f"is not a category: use one of {', '.join(policy.categories)}"


def _ladder(silence: Silence) -> Iterator[tuple[tuple[str | int, ...], str]]:
    rungs = [*silence.reminders, silence.tell_lead, silence.confirm]
    if [r.count for r in rungs] != sorted(r.count for r in rungs) or len({r.business for r in rungs}) > 1:
        yield (
            ("ageing", "silence"),
            "reminders, tell_lead and confirm must follow each other in time and count the same kind of days",
        )


_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00")


def _calendar(calendar: Calendar) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if not _is_zone(calendar.timezone):
        yield ("calendar", "timezone"), f"{calendar.timezone!r} is not a time zone: write one like Europe/Paris"
    for name, text in (("opens", calendar.opens), ("closes", calendar.closes)):
        if not _TIME.fullmatch(text):
            yield ("calendar", name), f"{text!r} is not a time of day: write one like 09:00"
    if calendar.closes <= calendar.opens:
        yield ("calendar", "closes"), "must be later than opens"
    if not calendar.workdays:
        yield ("calendar", "workdays"), "is empty: business days would never come; name at least one"
    for i, day in enumerate(calendar.holidays):
        if not _is_date(day):
            yield ("calendar", "holidays", i), f"{day!r} is not a date: write one like 2026-12-25"


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_zone(name: str) -> bool:
    try:
        return bool(ZoneInfo(name).key)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a name that is a folder, such as "Europe"
        return False
