"""Sends what the outbox holds: claim under a lease, send outside any transaction, settle. At least once.

A worker that dies between sending and settling leaves a lease behind: the row is sent again when it ends, marked as a
possible duplicate, with the same Message-ID and webhook-id, by which receivers drop the double.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from servicedesk import metrics
from servicedesk.channels import registry
from servicedesk.channels.channel import Channel, Permanent, SendError, Temporary
from servicedesk.desk import Desk
from servicedesk.domain import messages, notification
from servicedesk.domain.message_words import TEXTS, Words
from servicedesk.domain.messages import Message
from servicedesk.domain.notification import MAX_TRIES, Link
from servicedesk.errors import BadInput, DeskError
from servicedesk.services.shared import timeline
from servicedesk.services.shared.timeline import Line
from servicedesk.store import outbox, templates
from servicedesk.store.db import Priority, Tx
from servicedesk.store.outbox import Claimed, Listed

BATCH = 5  # rows in one call: a worker that is asked to stop does so between calls
LEASE = timedelta(minutes=5)  # longer than the slowest conversation with a mail server that still answers
PAGE = "/incidents/{}"
QUEUE = "/queue"
LINK_PAGES = {
    notification.CONFIRM: "/portal/confirm/{}",
    notification.ACKNOWLEDGE: "/portal/acknowledge/{}",
    notification.SIGNIN: "/sign-in/link/{}",
}


def send_due(desk: Desk) -> int:
    """Send what is due, one row after the other; answers how many were settled (sent, or given up).

    0: nothing more to do now. Of a channel that is down one row tries for all. Raises Busy when the database is away.
    """
    settled = 0
    for _ in range(BATCH):
        row = _claim(desk)
        if row is None:
            break
        settled += _handle(desk, row)
    return settled


def _claim(desk: Desk) -> Claimed | None:
    with desk.read() as tx:
        if not outbox.is_due(tx):
            return None
    lease = secrets.token_hex(8)
    return desk.write(lambda tx: outbox.claim(tx, lease, tx.now + LEASE), Priority.SLICE)


def _handle(desk: Desk, row: Claimed) -> int:
    """Send one row and settle it; 1 when it will not be tried again."""
    if row.tries > MAX_TRIES:  # its last tries did not end: a crash of ours, again and again
        return _given_up(desk, row, f"given up after {MAX_TRIES} tries: {row.error or 'no try came to an end'}")
    try:
        desk.fault("outbox.before_send")
        provider_id = _send(desk, row)
    except Temporary as error:
        return _later(desk, row, error)
    except Permanent as error:
        return _given_up(desk, row, str(error))
    desk.fault("outbox.before_mark")
    desk.write(lambda tx: outbox.sent(tx, row.id, provider_id), Priority.SLICE)
    metrics.notification(row.channel, "sent")
    return 1


def _send(desk: Desk, row: Claimed) -> str:
    channel = registry.CHANNELS.get(row.channel)
    if channel is None:
        raise Permanent(f"there is no channel {row.channel!r} any more")
    if not channel.configured(desk.config):
        raise Temporary(f"the channel is not configured any more: set {channel.fields[0].key}", down=True)
    return channel.send(desk.config, row.target, message_of(desk, row))


def message_of(desk: Desk, row: Claimed) -> Message:
    """The message of a row: the same at every try."""
    payload = row.payload | {"since": datetime.fromisoformat(row.payload["since"])}
    payload["status_name"] = _state_name(desk, row.payload)
    own = notification.message_id(row.dedup, row.created_at)
    first = notification.message_id(row.first_dedup, row.first_created_at)
    return messages.compose(
        payload,
        desk.config.base_url,
        _address(desk, row, "link") or _page(row),
        ZoneInfo(desk.policy.calendar.timezone),
        _address(desk, row, "act"),
        _own_words(desk, row),
        id=own,
        at=row.created_at,
        to=payload["to"],
        references="" if first == own else first,
        root=row.first_provider_id,
    )


def _page(row: Claimed) -> str:
    if row.incident_id is not None:
        return PAGE.format(row.payload["number"])
    return str(row.payload.get("path", QUEUE))


def _own_words(desk: Desk, row: Claimed) -> Words | None:
    """What an admin wrote in place of the shipped words, for the ticket's team or for everybody."""
    language = messages.language_of(row.payload["language"])
    with desk.read() as tx:
        own = templates.find(tx, row.event, language, row.payload.get("team_id"))
    return Words(own.subject, own.lead, TEXTS[language][row.event].link) if own is not None else None


def _state_name(desk: Desk, payload: Mapping[str, Any]) -> str:
    word = desk.policy.states.get(payload.get("status") or "")
    return word.name.text(payload["language"]) if word else ""


def _address(desk: Desk, row: Claimed, which: str) -> str:
    """The path of a signed link that the message carries; "" for none."""
    kept = row.payload.get(which)
    if not kept:
        return ""
    expires = datetime.fromisoformat(kept["expires"])
    link = Link(kept["purpose"], kept["event"], row.incident_id or 0, kept["cycle"], kept["user"], expires)
    return LINK_PAGES[link.purpose].format(link.secret(desk.audit_key))


def _later(desk: Desk, row: Claimed, error: Temporary) -> int:
    if row.tries >= MAX_TRIES:
        return _given_up(desk, row, f"given up after {MAX_TRIES} tries: {error}")
    chance = random.random()  # noqa: S311 - spreads the load, no secret
    wait = notification.pause(row.tries, chance, error.retry_after)

    def change(tx: Tx) -> None:
        outbox.put_off(tx, row, tx.now + wait, str(error))
        if error.down:
            outbox.hold_back(tx, row.channel, tx.now + notification.pause(1, chance, error.retry_after))

    desk.write(change, Priority.SLICE)
    metrics.notification(row.channel, "retry")
    return 0


def _given_up(desk: Desk, row: Claimed, error: str) -> int:
    """It will not go out: said on the ticket, so that somebody sees that nobody was told."""

    def change(tx: Tx) -> None:
        if row.incident_id is not None:
            outbox.lock_incident(tx, row.incident_id)
        if outbox.failed(tx, row, error) and row.incident_id is not None:
            said = {"event": row.event, "channel": row.channel, "target": row.target, "error": error}
            text = f"Not told: {row.target} ({row.event}, {row.channel}): {error}"
            timeline.append(tx, desk, Line(row.incident_id, "notice", said | {"text": text}))
            tx.after_commit.append(lambda: desk.wake.notify("changes"))

    desk.write(change, Priority.SLICE)
    metrics.notification(row.channel, "failed")
    return 1


def listing(
    desk: Desk, incident_id: int | None = None, state: str | None = None, limit: int = 100
) -> tuple[Listed, ...]:
    """The newest rows first. state: pending, sent or failed."""
    with desk.read() as tx:
        return outbox.listing(tx, incident_id, state, limit)


def send_test(desk: Desk, channel_name: str, target: str = "", language: str = "") -> dict[str, Any]:
    """Send a test message now, past the outbox; answers channel, target and the provider's id.

    Raises BadInput (no such channel, not configured, no address) or DeskError with what the server said.
    """
    channel = _ready(desk, channel_name)
    address = target or ("" if channel.personal else channel.name)
    if not address:
        raise BadInput({"target": "Say which address the test goes to."})
    try:
        provider_id = channel.send(desk.config, address, _test_message(desk, language))
    except SendError as error:
        raise DeskError(f"{channel.title}: the test message did not go out: {error}") from error
    return {"channel": channel.name, "target": address, "provider_id": provider_id}


def configured(desk: Desk) -> tuple[Channel, ...]:
    """The channels that the configuration fills in."""
    return tuple(c for c in registry.CHANNELS.values() if c.configured(desk.config))


def _ready(desk: Desk, name: str) -> Channel:
    channel = registry.CHANNELS.get(name)
    if channel is None:
        raise BadInput({"channel": f"There is no channel {name!r}; known: {', '.join(registry.CHANNELS)}."})
    if not channel.configured(desk.config):
        raise BadInput({"channel": f"{channel.title} is not configured: set {channel.fields[0].key}."})
    return channel


def _test_message(desk: Desk, language: str) -> Message:
    now = desk.now()
    payload = {
        "event": "test",
        "staff": True,
        "language": language,
        "number": "TEST",
        "title": "A test",
        "where": desk.config.base_url,
        "since": now,
        "priority": None,
        "owner": "",
        "extra": {},
    }
    unique = notification.message_id(secrets.token_hex(8), now)
    return messages.compose(
        payload, desk.config.base_url, "/", ZoneInfo(desk.policy.calendar.timezone), id=unique, at=now
    )
