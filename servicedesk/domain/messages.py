"""The words of every notice, in English and French: plain substitution of `$names`, nothing is evaluated.

A woken person needs three things first: what, where, since when. They come before everything else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from string import Template
from typing import Any
from zoneinfo import ZoneInfo

MAX_SUBJECT = 180
MAX_TEXT = 4000
# Control characters, and the ones that turn the direction of the text around them.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel renders. id: the same at every try; references: the first message to this target, if not this.

    facts: (label, value) pairs; text: somebody's own words; every value is plain text from anywhere, possibly hostile.
    """

    id: str
    at: datetime
    event: str
    number: str
    subject: str
    lead: str
    facts: tuple[tuple[str, str], ...]
    text: str
    link: str
    link_title: str
    footer: str
    language: str
    to: str = ""
    references: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """subject and lead of an event; link: what the link is called there ("" for the usual)."""

    subject: str
    lead: str
    link: str = ""


EN: dict[str, Words] = {
    "opened": Words("New: $title", "A new ticket of priority $priority waits for somebody to take it."),
    "assigned": Words("For $owner: $title", "This ticket is now assigned to $owner."),
    "refired": Words("Fires again: $title", "The alert $alert fires again."),
    "reopened": Words("Reopened: $title", "This ticket is open again."),
    "reply": Words("Answer: $title", "The requester wrote to you."),
    "unassigned": Words("Nobody has taken it: $title", "This ticket has had no owner since it was opened."),
    "review_due": Words("Review to write: $title", "A review of this ticket is due by $due."),
    "review_soon": Words("Review due soon: $title", "The review of this ticket is due by $due."),
    "review_overdue": Words("Review overdue: $title", "The review of this ticket was due on $due."),
    "review_submitted": Words("Review to approve: $title", "A review waits for your approval."),
    "review_changes": Words("Review to change: $title", "The reviewer asked for changes."),
    "review_named": Words("You review: $title", "You are named as the reviewer of this ticket."),
    "second_person": Words("A second person is asked: $title", "Somebody asks for your approval."),
    "received": Words("We have it: $title", "Your message has arrived. Its number is $number."),
    "message": Words("About your ticket: $title", "We wrote to you about your ticket $number."),
    "confirm": Words(
        "Is it solved? $title",
        "We think that this is solved. Please tell us whether it is: open the link, then choose.",
        "Solved, or not",
    ),
    "phone_confirmed": Words(
        "You told us that it is solved: $title",
        "We noted that you confirmed by phone that this is solved. If that is not so, open the link and say no.",
        "No, it is not solved",
    ),
    "closed": Words("Closed: $title", "Your ticket $number is closed."),
    "cancelled": Words("Not taken further: $title", "Your ticket $number is not taken further."),
    "test": Words("A test", "This is a test message. There is nothing to do."),
}
FR: dict[str, Words] = {
    "opened": Words("Nouveau : $title", "Un nouveau ticket de priorité $priority attend d’être pris en charge."),
    "assigned": Words("Pour $owner : $title", "Ce ticket est désormais attribué à $owner."),
    "refired": Words("Se déclenche à nouveau : $title", "L’alerte $alert se déclenche à nouveau."),
    "reopened": Words("Rouvert : $title", "Ce ticket est de nouveau ouvert."),
    "reply": Words("Réponse : $title", "Le demandeur vous a écrit."),
    "unassigned": Words("Sans responsable : $title", "Ce ticket n’a pas de responsable depuis son ouverture."),
    "review_due": Words("Bilan à rédiger : $title", "Un bilan de ce ticket est attendu pour le $due."),
    "review_soon": Words("Bilan bientôt dû : $title", "Le bilan de ce ticket est attendu pour le $due."),
    "review_overdue": Words("Bilan en retard : $title", "Le bilan de ce ticket était attendu pour le $due."),
    "review_submitted": Words("Bilan à approuver : $title", "Un bilan attend votre approbation."),
    "review_changes": Words("Bilan à modifier : $title", "Le relecteur demande des modifications."),
    "review_named": Words("Vous relisez : $title", "Vous êtes désigné relecteur de ce ticket."),
    "second_person": Words("Une deuxième personne est demandée : $title", "Quelqu’un demande votre approbation."),
    "received": Words("Bien reçu : $title", "Votre message est arrivé. Son numéro est $number."),
    "message": Words("Au sujet de votre ticket : $title", "Nous vous avons écrit au sujet de votre ticket $number."),
    "confirm": Words(
        "Est-ce résolu ? $title",
        "Nous pensons que c’est résolu. Dites-nous si c’est le cas : ouvrez le lien, puis choisissez.",
        "Résolu, ou non",
    ),
    "phone_confirmed": Words(
        "Vous nous avez dit que c’est résolu : $title",
        "Nous avons noté que vous avez confirmé par téléphone la résolution. Sinon, ouvrez le lien et dites non.",
        "Non, ce n’est pas résolu",
    ),
    "closed": Words("Fermé : $title", "Votre ticket $number est fermé."),
    "cancelled": Words("Sans suite : $title", "Votre ticket $number reste sans suite."),
    "test": Words("Un essai", "Ceci est un message d’essai. Il n’y a rien à faire."),
}
_LABELS = {
    "en": {
        "what": "What",
        "where": "Where",
        "since": "Since",
        "priority": "Priority",
        "number": "Number",
        "owner": "Owner",
        "open": "Open $number",
        "nobody": "nobody yet",
        "footer": "Sent by the service desk. Keep $number in the subject when you answer.",
    },
    "fr": {
        "what": "Quoi",
        "where": "Où",
        "since": "Depuis",
        "priority": "Priorité",
        "number": "Numéro",
        "owner": "Responsable",
        "open": "Ouvrir $number",
        "nobody": "personne",
        "footer": "Envoyé par le centre de services. Gardez $number dans l’objet de votre réponse.",
    },
}
_TEXTS = {"en": EN, "fr": FR}


def language_of(tag: str) -> str:
    """A language that there are texts in: "fr-CA" → "fr"; anything else is English."""
    found = re.split("[-_]", tag.lower(), maxsplit=1)[0]
    return found if found in _TEXTS else "en"


def plain(text: Any, limit: int = MAX_TEXT) -> str:
    """Text that cannot steer what shows it: no control or direction characters; lines kept; cut with a mark."""
    clean = _UNSEEN.sub(" ", str(text).replace("\r\n", "\n"))
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def line(text: Any, limit: int = MAX_SUBJECT) -> str:
    """`plain` on one line: fit for a header."""
    return plain(" ".join(plain(text, 10 * limit).split()), limit)


def when(at: datetime, zone: ZoneInfo) -> str:
    """2026-11-02 10:03 CET."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")


def compose(payload: Mapping[str, Any], base_url: str, link: str, zone: ZoneInfo, **identity: Any) -> Message:
    """The message of an outbox row.

    payload: event, staff, language, number, title, where, since (aware datetime), priority, owner, extra; link: the
    address to open, below base_url; identity: id, at, to, references of the Message.
    """
    language = language_of(payload["language"])
    words, labels = _TEXTS[language][payload["event"]], _LABELS[language]
    values = _values(payload, labels, zone)
    subject = Template(words.subject).safe_substitute(values)
    mark = f"P{payload['priority']} " if payload["staff"] and payload["priority"] else ""
    return Message(
        event=payload["event"],
        number=payload["number"],
        subject=line(f"[{payload['number']}] {mark}{subject}"),
        lead=line(Template(words.lead).safe_substitute(values), 400),
        facts=_facts(payload, values, labels),
        text=plain(payload["extra"].get("text") or "").strip(),
        link=base_url + link,
        link_title=words.link or Template(labels["open"]).substitute(values),
        footer=Template(labels["footer"]).substitute(values),
        language=language,
        **identity,
    )


def _values(payload: Mapping[str, Any], labels: Mapping[str, str], zone: ZoneInfo) -> dict[str, str]:
    extra = payload["extra"]
    due = extra.get("due")
    return {
        "number": payload["number"],
        "title": line(payload["title"]),
        "where": line(payload["where"]),
        "since": when(payload["since"], zone),
        "priority": f"P{payload['priority']}" if payload["priority"] else "–",
        "owner": line(payload["owner"]) or labels["nobody"],
        "alert": line(extra.get("alert") or payload["title"]),
        "due": when(datetime.fromisoformat(due), zone) if due else "–",
    }


def _facts(
    payload: Mapping[str, Any], values: Mapping[str, str], labels: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    shown = (
        ("what", "where", "since", "priority", "owner", "number") if payload["staff"] else ("what", "since", "number")
    )
    found = dict(values) | {"what": values["title"]}
    return tuple((labels[name], found[name]) for name in shown if found[name])
