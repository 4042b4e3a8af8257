"""Signing in: passwords, one-time links, sessions in the database (listed, revocable), lockout with growing delay."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain.incident import ADMIN, SYSTEM, Actor
from servicedesk.errors import Busy, NotAllowed, NotFound, NotSignedIn
from servicedesk.services.shared import identity, passwords
from servicedesk.store import access, people
from servicedesk.store.db import Tx

IDLE = timedelta(hours=12)
ABSOLUTE = timedelta(days=14)
SEEN_AT_MOST_EVERY = timedelta(minutes=1)
FREE_TRIES = 5
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=30), timedelta(minutes=15)
_WRONG = "Name or password is wrong, or there were too many tries: wait a moment, then try again."
_SPENT = "This link was used already, or it is too old: ask an admin for a new one."


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session. cookie: its secret, only just after signing in; key: hash that names it in lists."""

    actor: Actor
    csrf: str
    language: str
    key: bytes
    has_password: bool
    cookie: str = ""


def sign_in(desk: Desk, name: str, password: str, agent: str = "") -> SignedIn:
    """By password. Raises NotSignedIn (the same sentence whatever was wrong), Busy."""
    hashed, locked_until = desk.write(lambda tx: _admit(tx, name))
    if not passwords.check(hashed, password):
        if locked_until is not None:
            desk.write(lambda tx: _record_lockout(tx, desk, name, locked_until))
        raise NotSignedIn(_WRONG)

    def change(tx: Tx) -> SignedIn:
        row = people.user_named(tx, name)
        if row is None or not row.active or row.password_hash != hashed:
            raise NotSignedIn(_WRONG)
        people.update_user(tx, row.id, {"failed_logins": 0, "locked_until": None})
        return _begin(tx, desk, row, agent, "password")

    return desk.write(change)


def use_link(desk: Desk, secret: str, agent: str = "") -> SignedIn:
    """By one-time link: the old password, if any, is void and a new one is to be set. Raises NotSignedIn."""

    def change(tx: Tx) -> SignedIn:
        link = access.use_link(tx, identity.digest(secret), identity.SIGNIN)
        row = people.user_by_id(tx, link.user_id) if link is not None else None
        if row is None or not row.active:
            raise NotSignedIn(_SPENT)
        people.update_user(tx, row.id, {"password_hash": None, "failed_logins": 0, "locked_until": None})
        access.delete_sessions(tx, row.id)
        return _begin(tx, desk, people.user_by_id(tx, row.id), agent, "link")

    return desk.write(change)


def link_is_fresh(desk: Desk, secret: str) -> bool:
    """May this sign-in link still be used? For the page that asks before it spends it (mail scanners look at links)."""
    with desk.read() as tx:
        return access.link_is_fresh(tx, identity.digest(secret), identity.SIGNIN)


def authenticate(desk: Desk, cookie: str) -> SignedIn | None:
    """Whose browser this is; None: nobody's, or the session is over. Raises Busy."""
    key = identity.digest(cookie)
    with desk.read() as tx:
        row = access.find_session(tx, key)
        if row is None or not row.user_active or row.expires_at <= tx.now or row.seen_at <= tx.now - IDLE:
            return None
        stale = row.seen_at <= tx.now - SEEN_AT_MOST_EVERY
    if stale:
        _touch(desk, key)
    actor = Actor(row.user_id, row.user_name, frozenset(row.user_roles))
    return SignedIn(actor, row.csrf, row.language, key, bool(row.has_password))


def sign_out(desk: Desk, cookie: str) -> None:
    """End this browser's session."""
    desk.write(lambda tx: access.delete_session(tx, identity.digest(cookie)))


def revoke(desk: Desk, actor: Actor, key: bytes) -> None:
    """End one of one's own sessions; an admin anybody's. Raises NotFound."""

    def change(tx: Tx) -> None:
        if not access.delete_session(tx, key, None if actor.has(ADMIN) else actor.id or -1):
            raise NotFound("There is no such session.")

    desk.write(change)


def revoke_all(desk: Desk, actor: Actor, name: str, keep: bytes = b"") -> int:
    """Sign somebody out everywhere (but in the session `keep`); answers how many. Raises NotAllowed, NotFound."""
    if not (actor.has(ADMIN) or identity.in_person(actor, name)):
        raise NotAllowed("Only an admin may do this.")

    def change(tx: Tx) -> int:
        row = identity.user_named(tx, name)
        ended = access.delete_sessions(tx, row.id, keep)
        identity.record(tx, desk, actor, "session", row.name, None, {"ended": ended})
        return ended

    return desk.write(change)


def clean(desk: Desk) -> int:
    """Forget sessions and links that are over: a job, once an hour."""
    return desk.write(lambda tx: access.delete_expired(tx, tx.now - IDLE))


def _admit(tx: Tx, name: str) -> tuple[str | None, datetime | None]:
    """The hash to compare with (None: nothing will fit), and until when the account is locked if this try fails.

    The try is counted before the password is looked at, so that many at once do not slip through.
    """
    row = people.user_named(tx, name) if name else None
    if row is None or not row.active or (row.locked_until is not None and row.locked_until > tx.now):
        return None, None
    failed = row.failed_logins + 1
    until = _locked_until(tx.now, failed)
    people.update_user(tx, row.id, {"failed_logins": failed, "locked_until": until})
    return row.password_hash, until


def _record_lockout(tx: Tx, desk: Desk, name: str, until: datetime) -> None:
    row = people.user_named(tx, name)
    if row is not None:
        identity.record(tx, desk, SYSTEM, "lockout", row.name, None, {"tries": row.failed_logins, "until": until})


def _locked_until(now: datetime, failed: int) -> datetime | None:
    if failed < FREE_TRIES:
        return None
    doublings = min(failed - FREE_TRIES, 10)
    return now + min(FIRST_DELAY * int(2**doublings), LONGEST_DELAY)


def _begin(tx: Tx, desk: Desk, row: Any, agent: str, how: str) -> SignedIn:
    cookie, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    key = identity.digest(cookie)
    browser = "".join(c for c in agent if c.isprintable())[:200]
    access.insert_session(
        tx, {"id_hash": key, "user_id": row.id, "csrf": csrf, "expires_at": tx.now + ABSOLUTE, "agent": browser}
    )
    actor = Actor(row.id, row.name, frozenset(row.roles))
    identity.record(tx, desk, actor, "signed_in", row.name, None, {"by": how})
    return SignedIn(actor, csrf, row.language, key, row.password_hash is not None, cookie)


def _touch(desk: Desk, key: bytes) -> None:
    try:
        desk.write(lambda tx: access.touch_session(tx, key))
    except Busy:
        return  # reading goes on while the database cannot store
