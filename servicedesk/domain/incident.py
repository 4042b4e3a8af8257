"""The words of a ticket: states, types, roles, and the facts that guards judge. See docs for the sentences shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

NEW, IN_PROGRESS, PENDING = "new", "in_progress", "pending"
RESOLVED, REVIEW, CLOSED, CANCELLED = "resolved", "review", "closed", "cancelled"
STATES = (NEW, IN_PROGRESS, PENDING, RESOLVED, REVIEW, CLOSED, CANCELLED)
WORKING = (NEW, IN_PROGRESS, PENDING)
UNCLOSED = (NEW, IN_PROGRESS, PENDING, RESOLVED, REVIEW)

TYPES = ("incident", "request", "question")
HOLD_REASONS = ("requester", "vendor", "change", "problem", "observation", "postponed")
CANCEL_REASONS = ("duplicate", "merged", "false_positive", "not_an_incident", "spam", "withdrawn", "declined")
TAKEN_BY_ANOTHER = ("duplicate", "merged")  # these name the ticket that takes the alerts
RESOLUTION_CODES = (
    "fixed",
    "workaround",
    "no_fault_found",
    "user_guidance",
    "restart",
    "external",
    "self_recovered",
    "no_response",
)

REQUESTER, AGENT, LEAD, REVIEWER, ADMIN = "requester", "agent", "lead", "reviewer", "admin"
ROLES = (REQUESTER, AGENT, LEAD, REVIEWER, ADMIN)
_HOLDS = {ADMIN: {ADMIN, LEAD, REVIEWER, AGENT}, LEAD: {LEAD, AGENT}}
SCOPES = ("ingest", "read", "work", "review", "admin")
_SCOPE_OF_ROLE = {REQUESTER: "work", AGENT: "work", LEAD: "work", REVIEWER: "review", ADMIN: "admin"}


def held_roles(roles: frozenset[str]) -> frozenset[str]:
    """admin holds lead, reviewer and agent; lead holds agent; everybody may be a requester."""
    held = {REQUESTER} | set(roles)
    for role in roles:
        held |= _HOLDS.get(role, set())
    return frozenset(held)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. roles: as stored; scopes: of the token, or None for a person's own session (all its roles)."""

    id: int | None
    name: str
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] | None = None
    system: bool = False
    token_id: str = ""
    source: str = ""  # of an ingest token

    def has(self, role: str, scope: str = "") -> bool:
        """Does the actor hold the role, and does the token's scope let it be used (`scope`: another than its own)?"""
        if self.system or role not in held_roles(self.roles):
            return False
        return self.scopes is None or (scope or _SCOPE_OF_ROLE[role]) in self.scopes

    def may(self, scope: str) -> bool:
        """For entrances: is this kind of call open to the actor at all?"""
        if self.scopes is not None:
            return scope in self.scopes
        return not self.system

    @property
    def role(self) -> str:
        """The strongest role, as the timeline records it."""
        if self.system:
            return self.name
        return next((r for r in (ADMIN, LEAD, REVIEWER, AGENT) if r in self.roles), REQUESTER)


SYSTEM = Actor(None, "system", system=True)
AUTOMATION = Actor(None, "automation", system=True)  # what a sender's own machinery did, as it told us


@dataclass(frozen=True, slots=True)
class AlertFact:
    """A member alert as G5 sees it. status: firing | suspect | recovered | unconfirmed."""

    id: int
    name: str
    status: str
    clears: bool
    declared_ended: bool = False


@dataclass(frozen=True, slots=True)
class VerificationFact:
    """Of the current cycle. kind: person | quiet_window | playbook; verdict: pass | fail | inconclusive."""

    verdict: str
    kind: str
    actor_id: int | None
    at: datetime
    no_new_problem: bool


@dataclass(frozen=True, slots=True)
class ConfirmationFact:
    """Of the current cycle. kind: requester | link | phone | implicit | lead | quiet_window."""

    accepted: bool
    kind: str
    actor_id: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class ReviewFact:
    """The newest review version. authors: ids of all who wrote in it; approvals: of who approved it."""

    version: int
    cycle: int
    status: str
    depth: str
    authors: tuple[int, ...] = ()
    approvals: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionFact:
    """An action item as G9 sees it."""

    id: int
    title: str
    complete: bool  # has owner, due date and type
    blocking: bool
    status: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a guard may read, loaded in one go after the incident's row is locked. Times: aware UTC."""

    id: int
    now: datetime
    type: str
    status: str
    cycle: int
    version: int
    category: str = ""
    impact: int | None = None
    urgency: int | None = None
    priority: int | None = None
    top_priority: int | None = None
    service: str = ""  # name, or "unknown"
    team_id: int | None = None
    owner_id: int | None = None
    owner_active: bool = False
    owner_in_team: bool = False
    requester_id: int | None = None
    resolver_id: int | None = None
    resolved_at: datetime | None = None
    resolution_code: str = ""
    cause_class: str = ""
    resolution_notes: str = ""
    explanation: str = ""
    closed_at: datetime | None = None
    major: bool = False
    alerts: tuple[AlertFact, ...] = ()
    open_steps: tuple[str, ...] = ()  # mandatory playbook steps without an outcome
    open_tasks: tuple[str, ...] = ()  # mandatory sub-tasks
    open_children: tuple[int, ...] = ()
    override_unconfirmed: bool = False  # a second person approved it in this cycle (G5)
    cancellations_approved: tuple[tuple[str, int | None], ...] = ()  # (code, target) agreed to in this cycle (M9)
    cancelled_by_two: tuple[int, ...] = (1, 2)  # priorities whose cancellation takes two people
    waivable: tuple[int, ...] = (2, 3, 4, 5)  # priorities whose review may be waived
    quiet_from: datetime | None = None
    quiet_window: timedelta = timedelta(0)
    verifications: tuple[VerificationFact, ...] = ()  # this cycle, oldest first
    verify_open: tuple[str, ...] = ()  # playbooks whose verify section has not passed in this cycle: a sentence each
    confirmations: tuple[ConfirmationFact, ...] = ()  # this cycle, oldest first
    review: ReviewFact | None = None
    review_depth: str = "lite"  # the depth that is due now
    actions: tuple[ActionFact, ...] = ()
    solo_mode: bool = False
    reopen_window: timedelta = timedelta(days=7)
    auto_resolve: bool = False
    template_notes: frozenset[str] = field(default_factory=frozenset)  # texts that count as empty

    @property
    def alert_born(self) -> bool:
        return bool(self.alerts)

    @property
    def quiet(self) -> bool:
        """Has the whole quiet window passed, with no alert firing or suspect?"""
        if any(a.clears and a.status in ("firing", "suspect") for a in self.alerts):
            return False
        return self.quiet_from is not None and self.now >= self.quiet_from + self.quiet_window

    @property
    def severe(self) -> bool:
        """P1 or P2, now or ever: nobody gets rid of the second person by lowering the priority first."""
        return self.ever(1, 2)

    def ever(self, *priorities: int) -> bool:
        """Has, or had, one of these priorities."""
        return self.priority in priorities or self.top_priority in priorities


@dataclass(frozen=True, slots=True)
class Action:
    """What somebody asks for. name: a key of lifecycle.MOVES or ACTS. version: the row version seen (G11), if told."""

    name: str
    version: int | None = None
    reason: str = ""
    code: str = ""  # cancel reason, hold reason
    target: int | None = None  # duplicate of, merged into
    until: datetime | None = None
    public_question: bool = False
    trigger: str = ""  # why the system reopens: "alert" | "verification" | "requester"


def number(incident_id: int) -> str:
    """42 → "INC-42"."""
    return f"INC-{incident_id}"


def parse_number(text: str) -> int | None:
    """ "INC-42", "inc-42" or "42" → 42; None when it is no number of a ticket."""
    digits = text.strip().upper().removeprefix("INC-")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 18 else None
