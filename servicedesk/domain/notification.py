"""Who is told what, and when again: pure decisions. The words of the messages stand in `domain.messages`.

A notice is something that happened to a ticket; `decide` answers whom it reaches by which channel, or why nobody.
Channels are of two kinds: personal ones need somebody's address (mail), broadcast ones take one post a notice.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from servicedesk.domain.audit import canonical
from servicedesk.domain.policy import Policy
from servicedesk.errors import BadInput

NOBODY = "none"  # the channel of a row that says why nobody was told
LINK_LIFE = timedelta(days=30)  # longer than the reminder ladder and the reopening window together
ACT_LIFE = timedelta(days=3)  # who is told of a ticket may take it by the link for so long
CONFIRM, ACKNOWLEDGE, SIGNIN = "confirm", "acknowledge", "signin"  # purposes of links
INVITATION_LIFE, RESET_LIFE = timedelta(days=7), timedelta(hours=1)
RESET_AGAIN = timedelta(minutes=5)  # so long one mail is enough, however often somebody asks
MAX_TRIES = 50  # with the back-off below: about a day
_FIRST_PAUSE, _LONGEST_PAUSE = 15.0, 1800.0  # seconds
REMIND_BEFORE = timedelta(days=1)
REMIND_EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened. event: a key of EVENTS; subject_key: which happening of its kind (one notice for each).

    extra, by event: text (somebody's words), from (user id of who acts: is not told of the own act), to (user ids
    to tell), due (ISO time), alert (name), version. Unknown keys are kept and not shown.
    """

    event: str
    incident_id: int
    subject_key: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    name: str
    email: str = ""
    language: str = ""
    active: bool = True

    @property
    def reachable(self) -> bool:
        return self.active and bool(self.email)


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a message says about a ticket, and whom it belongs to."""

    id: int
    type: str
    title: str
    status: str
    cycle: int
    priority: int | None
    where: str
    since: datetime
    created_at: datetime
    team: str = ""
    team_email: str = ""
    handover: str = ""  # "channel:place" where the team's new tickets are announced
    owner: Person | None = None
    requester: Person | None = None
    leads: tuple[Person, ...] = ()
    cancel_reason: str = ""
    team_id: int | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """The channels that the configuration has filled in. updating: broadcast ones that can change what they sent."""

    personal: tuple[str, ...] = ()
    broadcast: tuple[str, ...] = ()
    updating: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """One row of the outbox. address: a mail address, or the name of the broadcast channel; why: this one (proof)."""

    channel: str
    address: str
    name: str = ""
    language: str = ""
    person_id: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whom to tell. Without targets `reason` says why; `silent`: by rule, so that there is nothing to mend;
    `skipped`: the rule is the policy's, so that whoever asks "why was nobody told" finds it on the ticket.
    left: who is left out because somebody stands in."""

    event: str
    targets: tuple[Target, ...] = ()
    reason: str = ""
    silent: bool = False
    skipped: bool = False
    left: tuple[Target, ...] = ()


People = Mapping[int, Person]
Audience = Callable[[Ticket, Notice, People], tuple[Target, ...]]


@dataclass(frozen=True, slots=True)
class Event:
    """A kind of notice. audience: whose addresses; staff: also to the broadcast channels, and with the staff's link.

    link: purpose of the signed single-purpose link that the message carries ("" for none); act: of one more, for who is
    told by name.
    """

    name: str
    audience: Audience
    staff: bool = True
    link: str = ""
    page: bool = False  # counts for its team's page budget
    act: str = ""


def _target(person: Person) -> Target:
    return Target("", person.email, person.name, person.language, person.id)


def _leads(t: Ticket, _n: Notice, _p: People) -> tuple[Target, ...]:
    found = tuple(_target(p) for p in t.leads if p.reachable)
    return found or _team(t)


def _team(t: Ticket) -> tuple[Target, ...]:
    return (Target("", t.team_email, t.team),) if t.team_email else ()


def _responsible(t: Ticket, n: Notice, p: People) -> tuple[Target, ...]:
    """The owner, else the team's address, else the leads."""
    if t.owner is not None and t.owner.reachable:
        return (_target(t.owner),)
    return _team(t) or _leads(t, n, p)


def _requester(t: Ticket, _n: Notice, _p: People) -> tuple[Target, ...]:
    return (_target(t.requester),) if t.requester is not None and t.requester.reachable else ()


def _named(t: Ticket, n: Notice, p: People) -> tuple[Target, ...]:
    """The people of extra["to"], else who is responsible."""
    found = tuple(_target(p[i]) for i in n.extra.get("to") or () if i in p and p[i].reachable)
    return found or _responsible(t, n, p)


def _named_and_leads(t: Ticket, n: Notice, p: People) -> tuple[Target, ...]:
    return (*_named(t, n, p), *_leads(t, n, p))


def _named_or_leads(t: Ticket, n: Notice, p: People) -> tuple[Target, ...]:
    return _named(t, n, p) if n.extra.get("to") else _leads(t, n, p)


def _nobody(_t: Ticket, _n: Notice, _p: People) -> tuple[Target, ...]:
    return ()


EVENTS: dict[str, Event] = {
    e.name: e
    for e in (
        Event("opened", _responsible, page=True, act=ACKNOWLEDGE),
        Event("assigned", _responsible),
        Event("refired", _responsible, page=True, act=ACKNOWLEDGE),
        Event("flaps", _responsible, page=True, act=ACKNOWLEDGE),
        Event("calms", _responsible),
        Event("reopened", _responsible, act=ACKNOWLEDGE),
        Event("reply", _responsible),
        Event("unassigned", _leads, page=True, act=ACKNOWLEDGE),
        Event("review_due", _named),
        Event("review_soon", _named),
        Event("review_overdue", _named_and_leads),
        Event("review_submitted", _named_or_leads),
        Event("review_changes", _named),
        Event("review_named", _named),
        Event("second_person", _named_or_leads),
        Event("received", _requester, staff=False),
        Event("message", _requester, staff=False),
        Event("confirm", _requester, staff=False, link="confirm"),
        Event("phone_confirmed", _requester, staff=False, link="confirm"),
        Event("closed", _requester, staff=False),
        Event("cancelled", _requester, staff=False),
        Event("remind", _requester, staff=False, link="confirm"),
        Event("silence_confirmed", _requester, staff=False, link="confirm"),
        Event("question_reminder", _requester, staff=False),
        Event("reply_resolved", _responsible),
        Event("silent", _leads),
        Event("lead_decides", _leads),
        Event("no_answer", _named_and_leads),
        Event("stale", _responsible),
        Event("stale_lead", _named_and_leads),
        Event("look", _responsible),
        Event("resumed", _responsible),
        Event("page", _named, act=ACKNOWLEDGE),
        Event("digest", _named),
        Event("storm", _responsible),
        Event("state", _nobody),
        Event("invitation", _nobody, staff=False),
        Event("password_reset", _nobody, staff=False),
        Event("to_check", _leads),
        Event("test", _named),
    )
}


STAFF = frozenset(e.name for e in EVENTS.values() if e.staff and e.name not in ("state", "test"))
"""Events that somebody of the desk is to be told of."""


def decide(notice: Notice, ticket: Ticket, policy: Policy, reach: Reach, people: People) -> Decision:
    """Whom this notice reaches. people: those of extra["to"], by id. Raises BadInput for an event that is unknown."""
    event = _event(notice, ticket)
    own = _handover(event, ticket, reach)
    if own is not None and _silence(event, notice, ticket, policy):
        return Decision(event.name, (own,))
    if reason := _silence(event, notice, ticket, policy):
        return Decision(event.name, reason=reason, silent=True, skipped=event.name == "opened")
    wanted = _distinct(event.audience(ticket, notice, people), notice.extra.get("from"))
    if wanted is None:
        return Decision(event.name, reason="It is the own act of the only person to tell.", silent=True)
    rows = [Target(c, t.address, t.name, t.language, t.person_id) for c in reach.personal for t in wanted]
    if event.staff:
        rows += [Target(name, name) for name in reach.broadcast if own is None or name != own.channel]
        rows += [own] if own is not None else []
    if rows:
        return Decision(event.name, tuple(rows))
    return Decision(event.name, reason=_why_nobody(event, ticket, reach, bool(wanted)))


def _handover(event: Event, ticket: Ticket, reach: Reach) -> Target | None:
    """The place where the ticket's team wants its new tickets announced."""
    channel, _, place = ticket.handover.partition(":")
    return Target(channel, place, ticket.team) if event.name == "opened" and channel in reach.broadcast else None


def _event(notice: Notice, ticket: Ticket) -> Event:
    name = notice.event
    if name == "message" and ticket.requester is not None and notice.extra.get("from") == ticket.requester.id:
        name = "reply"  # the requester's own words go the other way
    if name not in EVENTS:
        raise BadInput({"event": f"There is no notice {name!r}; known: {', '.join(EVENTS)}."})
    return EVENTS[name]


def _silence(event: Event, notice: Notice, ticket: Ticket, policy: Policy) -> str:
    """Why a rule says that nobody needs to be told; "" when somebody does."""
    if event.name == "opened" and ticket.priority not in policy.notifications.new_ticket:
        return "New tickets of this priority are not announced (policy: notifications.new_ticket)."
    if not event.staff and ticket.requester is None:
        return "The ticket has no requester."
    if event.name == "cancelled" and ticket.cancel_reason == "spam":
        return "Nobody answers spam."
    return ""


def _distinct(wanted: Iterable[Target], actor_id: int | None) -> tuple[Target, ...] | None:
    """One target an address; None when the only ones are who acted."""
    found: dict[str, Target] = {}
    for target in wanted:
        found.setdefault(target.address.casefold(), target)
    others = [t for t in found.values() if actor_id is None or t.person_id != actor_id]
    return None if found and not others else tuple(others)


def _why_nobody(event: Event, ticket: Ticket, reach: Reach, somebody: bool) -> str:
    if not reach.personal and not reach.broadcast:
        return "Nobody was told: no channel is configured. Set mail.host or webhook.url."
    if not reach.personal and (somebody or not event.staff):
        return "Nobody was told: no mail server is configured. Set mail.host."
    if not event.staff:
        return "Nobody was told: the requester has no mail address, or is disabled."
    return f"Nobody was told: no owner with an address, no address of team {ticket.team!r}, no lead with an address."


def dedup(notice: Notice, target: Target) -> str:
    """The idempotency key: one notice per ticket, event, happening, channel and address, settled by the database."""
    parts = [notice.incident_id, notice.event, notice.subject_key, target.channel, target.address.casefold()]
    key = msgspec.json.encode(parts).decode()
    return key if len(key) <= 300 else hashlib.sha256(key.encode()).hexdigest()


def message_id(key: str, created_at: datetime) -> str:
    """The same for every try of one outbox row, so that receivers can drop a double; unlike any other row's."""
    return hashlib.sha256(f"{created_at.isoformat()} {key}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Link:
    """A mail link: what it is for, and until when. Its secret follows from the desk's key and is stored nowhere."""

    purpose: str
    event: str
    incident_id: int
    cycle: int
    user_id: int
    expires_at: datetime

    def secret(self, key: bytes) -> str:
        """43 characters that only this desk can make (HMAC-SHA256, base64url)."""
        own = hmac.digest(key, b"servicedesk mail link 1", "sha256")
        parts = [self.purpose, self.event, self.incident_id, self.cycle, self.user_id, self.expires_at.isoformat()]
        return base64.urlsafe_b64encode(hmac.digest(own, canonical(parts), "sha256")).decode().rstrip("=")


def link_hash(secret: str) -> bytes:
    """What the table `link` stores of a secret: SHA-256."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def unassigned_due(policy: Policy, priority: int | None, created_at: datetime) -> datetime:
    """When the leads are told that a ticket has no owner yet; without a priority the longest time applies."""
    limits = policy.ageing.unassigned
    return created_at + (limits[priority] if priority in limits else max(limits.values()))


def review_reminder(due_at: datetime, reminded_at: datetime | None, now: datetime) -> str | None:
    """Which reminder of an undecided review is due: one a day before, then daily from the due time on."""
    if now >= due_at:
        waited = reminded_at is None or reminded_at < due_at or now >= reminded_at + REMIND_EVERY
        return "review_overdue" if waited else None
    if now >= due_at - REMIND_BEFORE and reminded_at is None:
        return "review_soon"
    return None


def pause(tries: int, chance: float, retry_after: float | None = None) -> timedelta:
    """How long to wait after so many failed tries: doubling from 15 s to 30 min, spread by `chance` (0 to 1) ± 20 %.

    retry_after: seconds that the receiver asked for; honoured up to an hour.
    """
    seconds = min(_FIRST_PAUSE * 2 ** min(tries - 1, 10), _LONGEST_PAUSE) * (0.8 + 0.4 * chance)
    return timedelta(seconds=max(seconds, min(retry_after or 0.0, 3600.0)))
