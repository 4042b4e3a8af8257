"""The words of notices: shipped, or written by an admin, for everybody or for one team; with a preview."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from servicedesk.desk import Desk
from servicedesk.domain import messages
from servicedesk.domain.incident import Actor
from servicedesk.domain.message_words import FIELDS, TEXTS, Words
from servicedesk.domain.messages import Message, unknown_fields
from servicedesk.domain.notification import EVENTS
from servicedesk.errors import BadInput, NotFound
from servicedesk.services.shared import identity
from servicedesk.store import people, templates
from servicedesk.store.db import Tx

LIMITS = {"subject": 150, "lead": 400}


@dataclass(frozen=True, slots=True)
class Wording:
    """How a notice reads in one language, for one team or ("") for everybody. own: an admin wrote it."""

    event: str
    language: str
    team: str
    subject: str
    lead: str
    own: bool


def listing(desk: Desk) -> tuple[Wording, ...]:
    """Every notice in every language, then what single teams have of their own."""
    with desk.read() as tx:
        mine = {(r.event, r.language, r.team_id): r for r in templates.own(tx)}
        names = {group.id: group.name for group in people.teams(tx)}
    found = []
    for event in sorted(EVENTS):
        for language, texts in TEXTS.items():
            row, words = mine.get((event, language, templates.EVERYBODY)), texts[event]
            kept = (row.subject, row.lead) if row else (words.subject, words.lead)
            found.append(Wording(event, language, "", kept[0], kept[1], row is not None))
    teams = [r for key, r in sorted(mine.items()) if key[2]]
    return (*found, *(Wording(r.event, r.language, names.get(r.team_id, ""), r.subject, r.lead, True) for r in teams))


def show(desk: Desk, event: str, language: str, team: str = "") -> Wording:
    """The words that hold. Raises NotFound, BadInput."""
    _known(event, language)
    with desk.read() as tx:
        row = templates.find(tx, event, language, _team(tx, team))
    words = TEXTS[language][event]
    if row is None:
        return Wording(event, language, team, words.subject, words.lead, False)
    return Wording(event, language, team, row.subject, row.lead, True)


def put(desk: Desk, actor: Actor, event: str, language: str, subject: str, lead: str, team: str = "") -> None:
    """Write words of one's own. Raises NotAllowed, NotFound, BadInput that names an unknown field."""
    identity.need_admin(actor)
    _known(event, language)
    check(subject, lead)

    def change(tx: Tx) -> None:
        team_id = _team(tx, team)
        before = templates.find(tx, event, language, team_id)
        templates.put(tx, event, language, team_id, subject.strip(), lead.strip())
        old = {"subject": before.subject, "lead": before.lead} if before else None
        new = {"subject": subject.strip(), "lead": lead.strip()}
        identity.record(tx, desk, actor, "message", _name(event, language, team), old, new)

    desk.write(change)


def reset(desk: Desk, actor: Actor, event: str, language: str, team: str = "") -> None:
    """Back to the shipped words (a team: to everybody's). Raises NotAllowed, NotFound, BadInput."""
    identity.need_admin(actor)
    _known(event, language)

    def change(tx: Tx) -> None:
        if templates.drop(tx, event, language, _team(tx, team)):
            identity.record(tx, desk, actor, "message", _name(event, language, team), {"own": True}, {"own": False})

    desk.write(change)


def check(subject: str, lead: str) -> None:
    """Raises BadInput: empty, too long, more than a line, or a field that there is not."""
    wrong = {}
    for name, text in (("subject", subject), ("lead", lead)):
        if unknown := unknown_fields(text):
            wrong[name] = f"There is no field {', '.join(unknown)}; known: {', '.join(FIELDS)}."
        elif not text.strip() or len(text) > LIMITS[name] or "\n" in text.strip():
            wrong[name] = f"One line of 1 to {LIMITS[name]} characters."
    if wrong:
        raise BadInput(wrong)


def preview(desk: Desk, event: str, language: str, subject: str, lead: str) -> Message:
    """The message with example values: what a person would read. Raises NotFound, BadInput."""
    _known(event, language)
    check(subject, lead)
    now = desk.now()
    payload = {
        "event": event,
        "staff": EVENTS[event].staff,
        "language": language,
        "number": FIELDS["number"],
        "title": FIELDS["title"],
        "where": FIELDS["where"],
        "since": now - timedelta(minutes=4),
        "priority": 1,
        "owner": FIELDS["owner"],
        "status": "in_progress",
        "team": FIELDS["team"],
        "extra": {"alert": FIELDS["alert"], "due": now.isoformat(), "days": FIELDS["days"]},
    }
    zone = ZoneInfo(desk.policy.calendar.timezone)
    words = Words(subject.strip(), lead.strip(), TEXTS[language][event].link)
    link = "/incidents/INC-42"
    return messages.compose(payload, desk.config.base_url, link, zone, words=words, id="preview", at=now)


def _known(event: str, language: str) -> None:
    if event not in EVENTS or language not in TEXTS:
        raise NotFound("There is no such message.")


def _team(tx: Tx, team: str) -> int:
    return int(identity.team_named(tx, team).id) if team else templates.EVERYBODY


def _name(event: str, language: str, team: str) -> str:
    return " ".join(part for part in (event, language, team) if part)
