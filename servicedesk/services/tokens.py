"""Tokens for senders and scripts: `sd_<id>_<secret>`, shown once, stored as a hash."""

from __future__ import annotations

import hmac
import threading
from datetime import timedelta

from servicedesk.desk import Desk
from servicedesk.domain.incident import ADMIN, Actor
from servicedesk.errors import BadInput, Busy, NotAllowed, NotFound, NotSignedIn, TokenOver
from servicedesk.services.shared import identity, verified
from servicedesk.services.shared.verified import Verified
from servicedesk.store import access
from servicedesk.store.db import Priority, Tx

USED_AT_MOST_EVERY = timedelta(minutes=1)
OWN_SCOPES = frozenset({"read", "work", "review"})  # what people may give to tokens of their own
_UNKNOWN = "The token is unknown, expired or revoked."


def create(
    desk: Desk,
    actor: Actor,
    *,
    user: str = "",
    service: str = "",
    scopes: tuple[str, ...],
    source: str = "",
    expires_in: timedelta | None = None,
) -> str:
    """A token in a person's name (its right = scopes ∩ roles) or for a service; this is the only time it is shown.

    Several may carry one source, so that a sender's token is changed without a gap. Raises NotAllowed, BadInput,
    NotFound.
    """
    own = identity.in_person(actor, user) and set(scopes) <= OWN_SCOPES
    if not (actor.has(ADMIN) or own):
        raise NotAllowed("Only an admin may do this.")
    if bool(user) == bool(service):
        raise BadInput({"user": "name either a user or a service"})
    if expires_in is not None and not timedelta(0) < expires_in <= timedelta(days=3650):
        raise BadInput({"expires": "must be in the future, within ten years"})
    name = identity.clean_text(service or user, "service", 100, required=True)

    def change(tx: Tx) -> str:
        owner = identity.user_named(tx, user) if user else None
        return identity.new_token(
            tx,
            desk,
            actor,
            name=owner.name if owner else name,
            user_id=owner.id if owner else None,
            scopes=scopes,
            source=source,
            expires_at=tx.now + expires_in if expires_in else None,
        )

    return desk.write(change)


def revoke(desk: Desk, actor: Actor, token_id: str) -> None:
    """At once in this process, within 60 s in others. Raises NotAllowed, NotFound."""

    def change(tx: Tx) -> None:
        row = access.find_token(tx, token_id)
        if not actor.has(ADMIN) and (row is None or not identity.in_person(actor, row.user_name or "")):
            raise NotAllowed("Only an admin may do this.")
        if row is None:
            raise NotFound(f"There is no token {token_id!r}.")
        access.revoke_token(tx, token_id)
        identity.record(tx, desk, actor, "token", token_id, {"revoked": row.revoked_at is not None}, {"revoked": True})
        tx.after_commit.append(lambda: verified.forget(desk))

    desk.write(change)


def authenticate(desk: Desk, presented: str) -> Actor:
    """Who presents this token. Raises NotSignedIn; Busy when the database is away and it was not seen lately."""
    key = identity.digest(presented)
    known = verified.find(desk, key)
    if known is not None:
        return known.actor
    parts = presented.split("_", 2)
    if len(parts) != 3 or parts[0] != "sd" or len(presented) > 200:
        raise NotSignedIn(_UNKNOWN)
    with desk.read() as tx:
        entry = _verify(tx, parts[1], parts[2])
    verified.remember(desk, key, entry)
    threading.Thread(target=_touch, args=(desk, parts[1]), name="token-used", daemon=True).start()
    return entry.actor


def _verify(tx: Tx, token_id: str, secret: str) -> Verified:
    row = access.find_token(tx, token_id)
    same = hmac.compare_digest(row.secret_hash if row else bytes(32), identity.digest(secret))
    if row is None or not same:
        raise NotSignedIn(_UNKNOWN)
    if row.revoked_at is not None:
        raise TokenOver(_UNKNOWN, row.source or row.name)
    if (row.expires_at is not None and row.expires_at <= tx.now) or (row.user_id is not None and not row.active):
        raise TokenOver(_UNKNOWN, row.source or row.name)
    actor = Actor(
        id=row.user_id,
        name=row.user_name or row.name,
        roles=frozenset(row.roles or ()),  # a service has none: it is no person
        scopes=frozenset(row.scopes),
        token_id=row.id,
        source=row.source,
    )
    return Verified(actor, tx.now, row.expires_at)


def _touch(desk: Desk, token_id: str) -> None:
    """Outside the request that used it: at most once a minute and process, after everything that waits."""
    try:
        desk.write(lambda tx: access.touch_token(tx, token_id, USED_AT_MOST_EVERY), Priority.SLICE)
    except Busy:
        return  # it shows later
