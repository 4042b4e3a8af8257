"""Waiting for a requester, rung by rung: pure. What is done on a rung is `services.waiting`.

Two ladders: `silence` of a resolved ticket (reminders, the lead is told, silence confirms or the lead decides), and
`question` of a ticket on hold for its requester (reminders by urgency, then owner and lead are told). The clock of
ageing is another one: it asks how long no person acted, and no reminder resets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from servicedesk.domain.business_time import add_days
from servicedesk.domain.incident import Facts
from servicedesk.domain.messages import language_of, when
from servicedesk.domain.policy import Ageing, Calendar, Days, Silence, WaitingReminders

REMIND, TELL_LEAD, END = "remind", "tell_lead", "end"
ON_TIME = timedelta(hours=1)  # a rung that is done later than this shifts those after it


@dataclass(frozen=True, slots=True)
class Rung:
    """after: since the requester was asked."""

    act: str
    after: Days


@dataclass(frozen=True, slots=True)
class Attempt:
    """A message that really went out to the requester."""

    event: str
    channel: str
    at: datetime


def silence(policy: Silence) -> tuple[Rung, ...]:
    """Resolved, and no word: reminders, the lead is told, the end."""
    reminders = tuple(Rung(REMIND, after) for after in policy.reminders)
    return (*reminders, Rung(TELL_LEAD, policy.tell_lead), Rung(END, policy.confirm))


def question(policy: WaitingReminders, urgency: int | None) -> tuple[Rung, ...]:
    """On hold for the requester: reminders by urgency (1 high to 3 low; none: medium), then owner and lead are told."""
    by_urgency = {1: policy.high, 3: policy.low}.get(urgency or 2, policy.medium)
    return (*(Rung(REMIND, after) for after in by_urgency), Rung(TELL_LEAD, policy.tell_lead))


def first_due(calendar: Calendar, ladder: Sequence[Rung], start: datetime) -> datetime:
    return add_days(calendar, start, ladder[0].after)


def next_due(calendar: Calendar, ladder: Sequence[Rung], done: int, start: datetime, now: datetime) -> datetime | None:
    """When the rung after number `done` is due, which was carried out at `now`; None after the last.

    Nobody is taken by surprise: a rung that was late (the desk stood still) keeps its distance to the one after it.
    """
    if done + 1 >= len(ladder):
        return None
    was_due, following = add_days(calendar, start, ladder[done].after), ladder[done + 1].after
    if now - was_due <= ON_TIME:
        return add_days(calendar, start, following)
    return add_days(calendar, now, Days(following.count - ladder[done].after.count, following.business))


def bars_silence(policy: Silence, f: Facts, attempts: Sequence[Attempt]) -> str:
    """Why the requester's silence is no confirmation here; "" where it is one. By the highest priority ever."""
    never = policy.never_for
    if not policy.confirms:
        return "Silence never confirms here (policy: ageing.silence.confirms)."
    if hit := next((p for p in (f.priority, f.top_priority) if p in never.priorities), None):
        return f"Silence does not confirm a P{hit} (policy: ageing.silence.never_for)."
    for name, value, barred in (
        ("type", f.type, never.types),
        ("category", f.category, never.categories),
        ("service", f.service, never.services),
    ):
        if value in barred:
            return f"Silence does not confirm tickets of {name} {value} (policy: ageing.silence.never_for)."
    return "" if attempts else "No message has reached the requester."


def stale_after(ageing: Ageing, step: int) -> timedelta:
    """From the last act of a person (step 0: the owner is told), or from the last alarm, to the next one."""
    return (ageing.stale, ageing.stale_lead)[step] if step < 2 else ageing.stale


_TEXTS = {
    "en": {
        "asked": "We asked whether this is solved: $list. There was no answer.",
        "taken": "So we take it as solved. If it is not, tell us: answer, or reopen the ticket within $days days.",
        "question": "We asked for your answer: $list. There was none, so we end this here. You can reopen the ticket.",
    },
    "fr": {
        "asked": "Nous avons demandé si c’est résolu : $list. Il n’y a pas eu de réponse.",
        "taken": "Nous le tenons donc pour résolu. Sinon, répondez-nous ou rouvrez le ticket sous $days jours.",
        "question": "Nous avons attendu votre réponse : $list. Il n’y en a pas eu, nous arrêtons donc ici. "
        "Vous pouvez rouvrir le ticket.",
    },
}


def listed(attempts: Sequence[Attempt], zone: str) -> str:
    """2026-11-02 10:03 CET (email), …"""
    return ", ".join(f"{when(a.at, ZoneInfo(zone))} ({a.channel})" for a in attempts)


def explained(key: str, attempts: Sequence[Attempt], zone: str, language: str, window: timedelta) -> str:
    """The contact attempts as the requester reads them. key: asked, taken or question."""
    text = _TEXTS[language_of(language)][key]
    return text.replace("$list", listed(attempts, zone)).replace("$days", str(window.days))
