"""Working on a ticket: open, take, assign, hold, edit, comment, cancel, reopen. One function = one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain import incident as words
from servicedesk.domain.guards import blank
from servicedesk.domain.incident import Action, Actor, Facts
from servicedesk.domain.notification import unassigned_due
from servicedesk.errors import BadInput, NotAllowed
from servicedesk.services.shared import (
    drafts,
    lookup,
    merging,
    notify,
    owning,
    paging,
    playbooks,
    talking,
    timeline,
    transition,
    waiting,
)
from servicedesk.services.shared import facts as loader
from servicedesk.services.shared.judge import judge
from servicedesk.services.shared.notify import Notice
from servicedesk.services.shared.timeline import Line
from servicedesk.store import tickets
from servicedesk.store.db import Tx

LIMITS = {"title": 300, "description": 20_000, "text": 20_000, "reason": 2_000}
CHANNELS = ("portal", "phone", "api", "cli", "mail", "chat")


@dataclass(frozen=True, slots=True)
class NewTicket:
    """What a person tells when raising a ticket. impact and urgency 1–3; names as typed; requester: sign-in name."""

    title: str
    type: str = "incident"
    description: str = ""
    category: str = ""
    impact: int | None = None
    urgency: int | None = None
    service: str = ""
    team: str = ""
    requester: str = ""
    channel: str = "api"


def open_ticket(desk: Desk, actor: Actor, form: NewTicket) -> int:
    """M1 by a person; answers the number. Raises BadInput with every wrong field, NotAllowed."""
    if not (actor.has(words.REQUESTER) and actor.id is not None):
        raise NotAllowed("Only people with an account raise tickets here.")
    _check_new(desk, form)
    return desk.write(lambda tx: _open(tx, desk, actor, form))


def _open(tx: Tx, desk: Desk, actor: Actor, form: NewTicket) -> int:
    service = lookup.service_named(tx, form.service)
    team_id = lookup.team_named(tx, form.team).id if form.team else None
    team_id = team_id or (service.team_id if service else lookup.default_team(tx))
    impact, urgency = form.impact or 2, form.urgency or 2
    priority = desk.policy.priority.matrix[impact - 1][urgency - 1]
    row = {
        "type": form.type,
        "status": words.NEW,
        "title": form.title.strip(),
        "description": form.description,
        "category": form.category,
        "impact": impact,
        "urgency": urgency,
        "priority": priority,
        "top_priority": priority,
        "service_id": service.id if service else None,
        "service_label": service.name if service else lookup.UNKNOWN,
        "team_id": team_id,
        "requester_id": _requester(tx, actor, form),
        "channel": form.channel,
        "creation": {"rule": "M1", "answer": "ticket", "reason": "raised by a person"},
        "waiting_on": "agent",
        "created_at": tx.now,
        "updated_at": tx.now,
        "started_at": tx.now,
        "unassigned_due_at": unassigned_due(desk.policy, priority, tx.now),
    }
    number = tickets.add(tx, row)
    said = {k: row[k] for k in ("type", "title", "description", "category", "impact", "urgency", "priority", "channel")}
    timeline.append(tx, desk, Line(number, "created", said | {"creation": row["creation"]}, actor, "M1"))
    playbooks.attach(tx, desk, playbooks.Ticket(number, {}, form.type, form.category, str(row["service_label"])))
    notify.enqueue(tx, desk, [Notice("opened", number, extra={"from": actor.id}), Notice("received", number)])
    tx.after_commit.append(lambda: desk.wake.notify("changes"))
    return number


def _open_again(tx: Tx, desk: Desk, actor: Actor, f: Facts, text: str) -> int:
    """A reply to what was closed too long ago for M8 is a new ticket, linked `recurrence_of`."""
    title = str(tickets.get(tx, f.id).title)
    number = _open(tx, desk, actor, NewTicket(title, f.type, text, f.category, channel="portal"))
    tickets.change(tx, number, {"recurrence_of": f.id})
    said = {"text": f"Answered after the reopening window: {words.number(number)} was opened.", "ticket": number}
    timeline.append(tx, desk, Line(f.id, "note", said | {"public": False}))
    return number


def _requester(tx: Tx, actor: Actor, form: NewTicket) -> int | None:
    """An agent raises for somebody else, or for nobody; everybody else for themselves."""
    if not form.requester or form.requester == actor.name:
        return None if actor.has(words.AGENT) and not form.requester else actor.id
    if not actor.has(words.AGENT):
        raise BadInput({"requester": "Only agents raise tickets for somebody else."})
    requester_id: int = lookup.person(tx, form.requester, "requester").id
    return requester_id


def _check_new(desk: Desk, form: NewTicket) -> None:
    wrong = _check_fields(desk, {"title": form.title, "description": form.description, "category": form.category})
    for name in ("impact", "urgency"):
        if getattr(form, name) not in (None, 1, 2, 3):
            wrong[name] = "1 (high), 2 (medium) or 3 (low)."
    if form.type not in words.TYPES:
        wrong["type"] = f"One of {', '.join(words.TYPES)}."
    if form.channel not in CHANNELS:
        wrong["channel"] = f"One of {', '.join(CHANNELS)}."
    if wrong:
        raise BadInput(wrong)


def _check_fields(desk: Desk, given: Mapping[str, Any]) -> dict[str, str]:
    """Shared by new tickets and edits: field → sentence."""
    wrong: dict[str, str] = {}
    if "title" in given and blank(str(given["title"])):
        wrong["title"] = "Say in one line what is wrong."
    for name in ("title", "description"):
        if len(str(given.get(name, ""))) > LIMITS[name]:
            wrong[name] = f"At most {LIMITS[name]:,} characters."
    if given.get("category") and given["category"] not in desk.policy.categories:
        wrong["category"] = f"One of {', '.join(desk.policy.categories)}."
    for name in ("impact", "urgency"):
        if name in given and given[name] not in (1, 2, 3):
            wrong[name] = "1 (high), 2 (medium) or 3 (low)."
    return wrong


def take(desk: Desk, actor: Actor, number: int, version: int | None = None) -> None:
    """M2: the actor owns it from now on; on a ticket in work this is an assignment to oneself."""

    def change(tx: Tx) -> None:
        owning.take(tx, desk, loader.load(tx, desk, number), actor, version)

    desk.write(change)


def assign(
    desk: Desk,
    actor: Actor,
    number: int,
    owner: str | None = None,
    team: str | None = None,
    version: int | None = None,
) -> None:
    """Give it an owner, a team, or both; None leaves as it is, "" clears the owner. New with an owner: M2."""

    def change(tx: Tx) -> None:
        f = loader.load(tx, desk, number)
        team_id = lookup.team_named(tx, team).id if team else f.team_id
        owner_id = f.owner_id if owner is None else (lookup.person(tx, owner, "owner").id if owner else None)
        if f.status == words.NEW and owner_id is not None:
            owning.begin(tx, desk, f, actor, owner_id, team_id, Action("take", version))
        else:
            owning.reassign(tx, desk, f, actor, owner_id, team_id, version)

    desk.write(change)


def hold(
    desk: Desk,
    actor: Actor,
    number: int,
    reason: str,
    until: datetime | None = None,
    question: str = "",
    note: str = "",
    version: int | None = None,
) -> None:
    """M3: wait for something outside. reason: a policy hold reason; question: public, needed for `requester`."""
    _bounded({"question": question, "note": note})

    def change(tx: Tx) -> None:
        f = loader.load(tx, desk, number)
        asked = not blank(question)
        action = Action("hold", version, code=reason, until=until, public_question=asked)
        look = until or waiting.next_look(desk, reason, tx.now)
        values = {"hold_reason": reason, "hold_until": until, "next_look_at": look}
        if asked:
            values["waiting_on"] = "requester"
        transition.perform(tx, desk, f, actor, action, values, {"next_look": look.isoformat()})
        if asked:
            talking.say(tx, desk, f, actor, question, public=True)
        if not blank(note):
            talking.say(tx, desk, f, actor, note, public=False)

    desk.write(change)


def resume(desk: Desk, actor: Actor, number: int, version: int | None = None) -> None:
    """M3 back: work goes on."""

    def change(tx: Tx) -> None:
        f = loader.load(tx, desk, number)
        transition.perform(tx, desk, f, actor, Action("resume", version), {"waiting_on": "none"})

    desk.write(change)


def edit(desk: Desk, actor: Actor, number: int, changes: Mapping[str, Any], version: int | None = None) -> None:
    """Change what describes the ticket: title, description, category, impact, urgency, service, tags, major."""
    known = {"title", "description", "category", "impact", "urgency", "service", "tags", "major"}
    wrong = dict.fromkeys(set(changes) - known, "This cannot be changed here.")
    wrong |= _check_fields(desk, changes)
    if "tags" in changes and not _good_tags(changes["tags"]):
        wrong["tags"] = "A list of at most 20 words of at most 40 characters."
    if wrong:
        raise BadInput(wrong)

    def change(tx: Tx) -> None:
        row = loader.lock(tx, number)
        f = loader.of_row(tx, desk, row)
        transition.judged(f, actor, Action("edit", version))
        values = _edited(tx, desk, row, dict(changes))
        differs = {k: [getattr(row, k), v] for k, v in values.items() if getattr(row, k) != v}
        if differs:
            owning.change_row(tx, desk, f, values)
            timeline.append(tx, desk, Line(number, "edit", {"changes": differs}, actor))
            judge(tx, desk, number)
        if {"service_id", "priority"} & set(differs):
            paging.changed(tx, desk, [number], raised=_raised(*differs.get("priority", (None, None))))

    desk.write(change)


def _raised(before: int | None, after: int | None) -> bool:
    return after is not None and (before is None or after < before)


def _good_tags(tags: Any) -> bool:
    return isinstance(tags, list) and len(tags) <= 20 and all(isinstance(t, str) and 0 < len(t) <= 40 for t in tags)


def _edited(tx: Tx, desk: Desk, row: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Names become ids; impact and urgency become a priority, of which the highest is remembered."""
    if "service" in values:
        found = lookup.service_named(tx, str(values.pop("service")))
        values |= {"service_id": found.id if found else None, "service_label": found.name if found else lookup.UNKNOWN}
    if "impact" in values or "urgency" in values:
        impact, urgency = values.get("impact", row.impact), values.get("urgency", row.urgency)
        if impact and urgency:
            priority = desk.policy.priority.matrix[impact - 1][urgency - 1]
            values |= {"priority": priority, "top_priority": min(priority, row.top_priority or priority)}
    return values


def comment(desk: Desk, actor: Actor, number: int, text: str, public: bool) -> int:
    """An internal note, or a message that the requester sees; answers its seq in the timeline.

    A requester's message is public, comes back from `pending(requester)` and sets waiting_on.
    """
    _bounded({"text": text})
    if blank(text):
        raise BadInput({"text": "Write something."})

    def change(tx: Tx) -> int:
        f = loader.load(tx, desk, number)
        transition.judged(f, actor, Action("comment"))
        requester = actor.id == f.requester_id and not actor.has(words.AGENT)
        seq = talking.say(tx, desk, f, actor, text, public or requester)
        if requester and waiting.too_late(f):
            _open_again(tx, desk, actor, f, text)
        return seq

    return desk.write(change)


def cancel(
    desk: Desk,
    actor: Actor,
    number: int,
    code: str,
    reason: str,
    target: int | None = None,
    version: int | None = None,
) -> None:
    """M9. code: a cancellation reason; target: the open ticket that takes the alerts (duplicate, merged)."""
    _bounded({"reason": reason})

    def change(tx: Tx) -> None:
        if target is not None:
            for incident_id in sorted({number, target}):  # one order of locks everywhere
                loader.lock(tx, incident_id)
        f = loader.load(tx, desk, number)
        action = Action("cancel", version, reason=reason, code=code, target=target)
        moving = code in ("duplicate", "merged") and target is not None
        if moving and target is not None and loader.load(tx, desk, target).status not in words.UNCLOSED:
            raise BadInput({"target": f"{words.number(target)} is not open: it cannot take the alerts."})
        values = {"cancel_reason": code, "merged_into": target if moving else None, "unassigned_due_at": None}
        transition.perform(tx, desk, f, actor, action, values, {"target": target} if moving else {})
        if moving and target is not None:
            merging.move_alerts(tx, desk, number, target, actor)
        if code in ("false_positive", "not_an_incident"):
            drafts.ensure(tx, desk, loader.load(tx, desk, number), actor)
        if f.requester_id is not None:
            notify.enqueue(tx, desk, [Notice("cancelled", number, str(f.cycle), {"text": reason, "from": actor.id})])

    desk.write(change)


def reopen(desk: Desk, actor: Actor, number: int, reason: str, version: int | None = None) -> None:
    """M7, M8 or M10: a new cycle; verification, confirmation and approval of the old one count no more."""
    _bounded({"reason": reason})

    def change(tx: Tx) -> None:
        f = loader.load(tx, desk, number)
        transition.perform(tx, desk, f, actor, Action("reopen", version, reason=reason))
        notify.enqueue(tx, desk, [Notice("reopened", number, str(f.cycle + 1), {"text": reason, "from": actor.id})])

    desk.write(change)


def facts(desk: Desk, number: int) -> Facts:
    """For pages and the API's `actions`: what `allowed` and `checklist` read. Raises NotFound."""
    with desk.read() as tx:
        return loader.peek(tx, desk, number)


def _bounded(texts: Mapping[str, str]) -> None:
    wrong = {
        name: f"At most {LIMITS.get(name, 20_000):,} characters."
        for name, text in texts.items()
        if len(text) > LIMITS.get(name, 20_000)
    }
    if wrong:
        raise BadInput(wrong)
