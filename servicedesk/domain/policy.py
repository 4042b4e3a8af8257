"""The policy: every number, word and name that an organisation may choose, as typed values.

No value stands here. The defaults are in `files/defaults/policy.yaml`, read by `files.policies.load`; what is here is
the shape; rules that tie keys together are in `policy_problems`. The seven states, the guards and the moves are not
policy.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

import msgspec

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
    """More new tickets of one (source, alertname) share one; a team's pages beyond its budget come as one digest."""

    incidents: Count
    window: Duration
    pages: Count
    pages_window: Duration
    digest_after: Duration


class Flapping(_Section, frozen=True):
    """So many changes (firing, over) within the window make an alert flap, until none came for `calm`."""

    changes: Annotated[int, msgspec.Meta(ge=3, le=1000)]
    window: Duration
    calm: Duration


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
    flapping: Flapping
    to_check_after: Duration
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


class PageBudget(_Section, frozen=True):
    """More pages than this for one person in the window come as one digest."""

    pages: Count
    window: Duration


class Assignment(_Section, frozen=True):
    cap_per_day: Count  # automatic assignments to one person


class Notifications(_Section, frozen=True):
    new_ticket: tuple[Priority, ...]
    page_budget: PageBudget


class WatchPolicy(_Section, frozen=True):
    """When the desk opens a ticket about itself."""

    refused: Count  # refusals of a sender that is known by its token
    refused_strangers: Count
    quiet: Duration  # without a refusal: they are over
    dead_letters: Duration  # without a new dead letter: they are over
    lag: Duration
    outbox: Duration
    fallback: Duration  # told to nobody for so long: the fallback channel is used
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
    assignment: Assignment
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
