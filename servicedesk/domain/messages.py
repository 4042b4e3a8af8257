"""Puts a notice into words (`message_words`): plain substitution of `{fields}`, nothing is evaluated.

A woken person needs three things first: what, where, since when. They come before everything else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from servicedesk.domain.message_words import FIELDS, LABELS, TEXTS, Words

MAX_SUBJECT = 180
MAX_TEXT = 4000
# Control characters, and the ones that turn the direction of the text around them.
_FIELD = re.compile(r"\{([A-Za-z0-9_.]*)\}")
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel renders. id: the same at every try; references: the first message to this target, if not this.

    root: what the provider called that first message; act_link: a signed link to a one-button page; buttons: acts that
    a chat may offer (acknowledge, take, note); state: where the ticket is.

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
    incident_id: int | None = None
    act_link: str = ""
    act_title: str = ""
    buttons: tuple[str, ...] = ()
    state: str = ""
    root: str = ""


def language_of(tag: str) -> str:
    """A language that there are texts in: "fr-CA" → "fr"; anything else is English."""
    found = re.split("[-_]", tag.lower(), maxsplit=1)[0]
    return found if found in TEXTS else "en"


def plain(text: Any, limit: int = MAX_TEXT) -> str:
    """Text that cannot steer what shows it: no control or direction characters; lines kept; cut with a mark."""
    clean = _UNSEEN.sub(" ", str(text).replace("\r\n", "\n"))
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def line(text: Any, limit: int = MAX_SUBJECT) -> str:
    """`plain` on one line: fit for a header."""
    return plain(" ".join(plain(text, 10 * limit).split()), limit)


def fill(text: str, values: Mapping[str, str]) -> str:
    """`{name}` becomes its value, once; what a value holds is not looked at again, an unknown name stays."""
    return _FIELD.sub(lambda found: values.get(found[1], found[0]), text)


def unknown_fields(text: str) -> tuple[str, ...]:
    """The `{fields}` of a text that there are not, in order."""
    return tuple(dict.fromkeys(name for name in _FIELD.findall(text) if name not in FIELDS))


def when(at: datetime, zone: ZoneInfo) -> str:
    """2026-11-02 10:03 CET."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")


def compose(
    payload: Mapping[str, Any],
    base_url: str,
    link: str,
    zone: ZoneInfo,
    act: str = "",
    words: Words | None = None,
    **identity: Any,
) -> Message:
    """The message of an outbox row.

    payload: event, staff, language, number, title, where, since (aware datetime), priority, owner, extra; link: the
    address to open, below base_url; act: of the one-button page; words: an admin's own; identity: id, at, to,
    references, root of the Message.
    """
    language = language_of(payload["language"])
    words, labels = words or TEXTS[language][payload["event"]], LABELS[language]
    values = _values(payload, labels, zone)
    subject = fill(words.subject, values)
    mark = f"P{payload['priority']} " if payload["staff"] and payload["priority"] else ""
    return Message(
        event=payload["event"],
        number=payload["number"],
        subject=line(f"[{payload['number']}] {mark}{subject}" if payload["number"] else subject),
        lead=line(fill(words.lead, values), 400),
        facts=_facts(payload, values, labels) if payload["number"] else (),
        text=plain(payload["extra"].get("text") or "").strip(),
        link=base_url + link,
        link_title=words.link or fill(labels["open"], values),
        footer=fill(labels["footer" if payload["number"] else "letter"], values),
        language=language,
        incident_id=payload.get("incident"),
        act_link=base_url + act if act else "",
        act_title=labels["acknowledge"] if act else "",
        buttons=_buttons(payload),
        state=values["status"] if payload.get("status") else "",
        **identity,
    )


def _buttons(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """What a chat may offer, by where the ticket is."""
    if not payload["staff"] or not payload.get("incident"):
        return ()
    by_status = {"new": ("acknowledge", "take", "note"), "closed": (), "cancelled": ()}
    return by_status.get(payload.get("status", ""), ("take", "note"))


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
        "days": line(extra.get("days", "–")),
        "team": line(payload.get("team") or "–"),
        "status": line(payload.get("status_name") or payload.get("status") or "–").replace("_", " "),
    }


def _facts(
    payload: Mapping[str, Any], values: Mapping[str, str], labels: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    shown = (
        ("what", "where", "since", "priority", "owner", "number") if payload["staff"] else ("what", "since", "number")
    )
    found = dict(values) | {"what": values["title"]}
    return tuple((labels[name], found[name]) for name in shown if found[name])
