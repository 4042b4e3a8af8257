"""The shapes that the API speaks: what it takes (…In) and what it answers (…Out). Times: RFC 3339 UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

Time = Annotated[datetime, Meta(tz=True)]
Level = Annotated[int, Meta(ge=1, le=3)]
Kind = Literal["incident", "request", "question"]
State = Literal["new", "in_progress", "pending", "resolved", "review", "closed", "cancelled"]
Limit = Annotated[int, Meta(ge=1, le=500)]
Refusals = dict[str, "list[RefusalOut] | None"]


class Paged(msgspec.Struct, frozen=True):
    """Any list: where to go on, and how many at most."""

    cursor: str = ""
    limit: Limit = 50


class RefusalOut(msgspec.Struct, frozen=True):
    rule: str
    guard: str
    message: str
    where: str


class AlertOut(msgspec.Struct, frozen=True):
    """A member alert of a ticket."""

    id: int
    name: str
    status: str
    clears: bool
    source: str
    severity: str
    summary: str
    labels: dict[str, str]
    annotations: dict[str, str]
    generator_url: str
    fingerprint: str
    starts_at: datetime
    ends_at: datetime | None
    first_seen: datetime
    last_seen: datetime
    count: int
    flapping_since: datetime | None


class HoldOut(msgspec.Struct, frozen=True):
    reason: str
    until: datetime | None
    next_look: datetime | None


class ResolutionOut(msgspec.Struct, frozen=True):
    code: str
    cause_class: str
    notes: str
    explanation: str
    by: str
    at: datetime


class VerificationOut(msgspec.Struct, frozen=True):
    id: int
    cycle: int
    verdict: str
    kind: str
    tested: str
    evidence: str
    no_new_problem: bool
    actor: str
    at: datetime


class ConfirmationOut(msgspec.Struct, frozen=True):
    id: int
    cycle: int
    accepted: bool
    kind: str
    comment: str
    actor: str
    at: datetime


class ReviewSummary(msgspec.Struct, frozen=True):
    version: int
    cycle: int
    status: str
    depth: str
    author: str
    reviewer: str
    due_at: datetime | None
    self_reviewed: bool


class StepOut(msgspec.Struct, frozen=True):
    step: str
    title: str
    text: str
    mandatory: bool
    outcome: str
    note: str
    actor: str
    at: datetime | None
    branch: str
    left_out: bool


class CheckOut(msgspec.Struct, frozen=True):
    """One asking of a check.

    check_run: the execution that answers it, shared by all who asked exactly this at that time; purpose: diagnosis,
    baseline, verify, person or preview; state: waiting, queued, running, done or cancelled; verdict: pass, fail,
    inconclusive, or "" while it is under way; asked: exactly what, line by line; output: bytes of its details.
    """

    id: int
    run_id: int | None
    step: str
    purpose: str
    state: str
    verdict: str
    summary: str
    type: str
    target: str
    asked: tuple[str, ...]
    found: dict[str, Any]
    check_run: int | None
    tries: int
    output: int
    output_cut: bool
    seconds: float | None
    asked_by: str
    asked_at: datetime
    ended_at: datetime | None


class RunOut(msgspec.Struct, frozen=True):
    """helped: what a person said on resolving, null: nobody said; helped_step: which step most."""

    id: int
    playbook: str
    title: str
    hash: str
    attached_at: datetime
    steps: list[StepOut]
    helped: bool | None
    helped_step: str


class GuardOut(msgspec.Struct, frozen=True):
    """One gate on the way to `closed`: missing is null when it holds."""

    guard: str
    title: str
    missing: str | None
    where: str


class IncidentRow(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket in a list. owner, requester: sign-in names; null: nobody."""

    id: int
    number: str
    type: str
    status: str
    waiting_on: str
    title: str
    priority: int | None
    major: bool
    service: str
    team: str
    owner: str | None
    requester: str | None
    alerts: int
    firing: int
    flapping: int
    occurrences: int
    cycle: int
    version: int
    created_at: datetime
    updated_at: datetime
    last_seen: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    recurrence_of: str | None


class IncidentOut(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket with everything that stands on it. actions: null when it may be tried, else why not."""

    id: int
    number: str
    type: str
    status: str
    waiting_on: str
    title: str
    description: str
    priority: int | None
    impact: int | None
    urgency: int | None
    major: bool
    category: str
    tags: list[str]
    service: str
    team: str
    owner: str | None
    requester: str | None
    channel: str
    source: str
    labels: dict[str, str]
    alerts: list[AlertOut]
    alerts_total: int
    occurrences: int
    first_seen: datetime | None
    last_seen: datetime | None
    created_at: datetime
    updated_at: datetime
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    recovered_at: datetime | None
    auto_recovered: bool
    flapping_since: datetime | None
    quiet_from: datetime | None
    quiet_until: datetime | None
    sla: Any
    hold: HoldOut | None
    resolution: ResolutionOut | None
    playbooks: list[RunOut]
    verification: VerificationOut | None
    confirmation: ConfirmationOut | None
    review: ReviewSummary | None
    cycle: int
    version: int
    recurrence_of: str | None
    merged_into: str | None
    parent: str | None
    cancel_reason: str
    self_reviewed: bool
    creation: dict[str, Any]
    checklist: list[GuardOut]
    actions: Refusals
    url: str


class IncidentIn(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket raised by a person. impact, urgency: 1 high, 2 medium, 3 low; requester: sign-in name."""

    title: str
    type: Kind = "incident"
    description: str = ""
    category: str = ""
    impact: Level | None = None
    urgency: Level | None = None
    service: str = ""
    team: str = ""
    requester: str = ""
    channel: str = "api"


class IncidentPatch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Descriptive fields only: a status is reached by doing something, never by being written."""

    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    category: str | UnsetType = UNSET
    impact: Level | UnsetType = UNSET
    urgency: Level | UnsetType = UNSET
    service: str | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    major: bool | UnsetType = UNSET


class IncidentQuery(Paged, frozen=True, kw_only=True):
    """label: name=value, repeatable; owner, requester: a sign-in name, "me" or "none"; q: a number or words."""

    type: tuple[Kind, ...] = ()
    status: tuple[State, ...] = ()
    priority: tuple[Annotated[int, Meta(ge=1, le=5)], ...] = ()
    owner: str = ""
    requester: str = ""
    team: str = ""
    service: str = ""
    category: str = ""
    tag: str = ""
    label: tuple[str, ...] = ()
    source: str = ""
    opened_after: Time | None = None
    opened_before: Time | None = None
    major: bool | None = None
    q: str = ""
    sort: Literal["queue", "newest", "oldest"] = "queue"


class Nothing(msgspec.Struct, frozen=True):
    """No fields."""


class AssignmentIn(msgspec.Struct, frozen=True):
    """owner: sign-in name, "" for nobody; team: its name. What is absent stays."""

    owner: str | None = None
    team: str | None = None


class HoldIn(msgspec.Struct, frozen=True):
    """reason: requester, vendor, change, problem, observation, postponed; question: public, for `requester`."""

    reason: str
    until: Time | None = None
    question: str = ""
    note: str = ""


class CancellationIn(msgspec.Struct, frozen=True):
    """code: a cancellation reason; target: number of the open ticket that takes the alerts (duplicate, merged)."""

    code: str
    reason: str = ""
    target: str | int | None = None


class ReasonIn(msgspec.Struct, frozen=True):
    reason: str = ""


class TextIn(msgspec.Struct, frozen=True):
    text: str


class CommentText(msgspec.Struct, frozen=True):
    comment: str = ""


class ResolutionIn(msgspec.Struct, frozen=True):
    """code: a resolution code; cause_class: of the policy; explanation: public, for the requester.

    review: a micro review filled in the same step (requests and questions).
    """

    code: str = ""
    cause_class: str = ""
    notes: str = ""
    explanation: str = ""
    review: dict[str, Any] | None = None


class VerificationIn(msgspec.Struct, frozen=True):
    verdict: Literal["pass", "fail", "inconclusive"]
    tested: str = ""
    evidence: str = ""
    no_new_problem: bool = False


class ConfirmationIn(msgspec.Struct, frozen=True):
    """silent: a lead decides after every reminder, because the requester does not answer."""

    accepted: bool
    comment: str = ""
    silent: bool = False


class SecondPersonIn(msgspec.Struct, frozen=True):
    """kind: override_unconfirmed (an alert that never cleared, G5) or cancellation (of a P1 or P2, M9).

    A cancellation names its code, and for duplicate and merged the target: the ticket that takes the alerts.
    """

    kind: Literal["override_unconfirmed", "cancellation"]
    reason: str
    code: str = ""
    target: int | str | None = None
