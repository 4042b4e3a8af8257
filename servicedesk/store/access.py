"""Tokens, sessions and one-time links: the SQL of the doors. Only hashes are stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from .db import Tx
from .tables import session, signin_link, token, user


def insert_token(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.run(insert(token).values(created_at=tx.now, **values))


def find_token(tx: Tx, token_id: str) -> Row[Any] | None:
    """The token with its user's name, roles and whether the account is active (None for a service token)."""
    if not token_id.isprintable():  # NUL and half characters, which no database takes
        return None
    query = select(token, user.c.name.label("user_name"), user.c.roles, user.c.active).outerjoin(
        user, user.c.id == token.c.user_id
    )
    found: Row[Any] | None = tx.run(query.where(token.c.id == token_id)).first()
    return found


def any_token_for(tx: Tx, scope: str) -> bool:
    """Was there ever a token with this scope?"""
    return any(scope in scopes for scopes in tx.run(select(token.c.scopes)).scalars())


def revoke_token(tx: Tx, token_id: str) -> None:
    tx.run(update(token).where(token.c.id == token_id, token.c.revoked_at.is_(None)).values(revoked_at=tx.now))


def touch_token(tx: Tx, token_id: str, at_most_every: timedelta) -> None:
    old = token.c.last_used_at.is_(None) | (token.c.last_used_at <= tx.now - at_most_every)
    tx.run(update(token).where(token.c.id == token_id, old).values(last_used_at=tx.now))


def insert_session(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.run(insert(session).values(created_at=tx.now, seen_at=tx.now, **values))


def find_session(tx: Tx, id_hash: bytes) -> Row[Any] | None:
    """The session with its user's columns (prefixed `user_`)."""
    columns = [c.label(f"user_{c.name}") for c in (user.c.name, user.c.display, user.c.roles, user.c.active)]
    query = select(session, *columns, user.c.language, user.c.password_hash.is_not(None).label("has_password"))
    query = query.join(user, user.c.id == session.c.user_id)
    found: Row[Any] | None = tx.run(query.where(session.c.id_hash == id_hash)).first()
    return found


def touch_session(tx: Tx, id_hash: bytes) -> None:
    tx.run(update(session).where(session.c.id_hash == id_hash).values(seen_at=tx.now))


def delete_session(tx: Tx, id_hash: bytes, user_id: int | None = None) -> bool:
    """Sign one browser out; of this user only, when `user_id` is given."""
    query = delete(session).where(session.c.id_hash == id_hash)
    if user_id is not None:
        query = query.where(session.c.user_id == user_id)
    return bool(tx.run(query).rowcount)


def delete_sessions(tx: Tx, user_id: int, keep: bytes = b"") -> int:
    """Sign somebody out everywhere but in the session `keep`."""
    return int(tx.run(delete(session).where(session.c.user_id == user_id, session.c.id_hash != keep)).rowcount)


def delete_expired(tx: Tx, idle_before: datetime) -> int:
    """Forget sessions and links that are over."""
    over = (session.c.expires_at <= tx.now) | (session.c.seen_at <= idle_before)
    gone = tx.run(delete(session).where(over)).rowcount
    return int(
        gone + tx.run(delete(signin_link).where(signin_link.c.expires_at <= tx.now - timedelta(days=30))).rowcount
    )


def insert_link(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.run(insert(signin_link).values(**values))


def use_link(tx: Tx, id_hash: bytes, purpose: str) -> Row[Any] | None:
    """Spend a link: None when it is unknown, spent or expired. Two at once: one gets it."""
    fresh = signin_link.c.used_at.is_(None) & (signin_link.c.expires_at > tx.now)
    mine = (signin_link.c.id_hash == id_hash) & (signin_link.c.purpose == purpose)
    spent: Row[Any] | None = tx.run(
        update(signin_link).where(mine & fresh).values(used_at=tx.now).returning(signin_link)
    ).first()
    return spent


def find_link(tx: Tx, id_hash: bytes, purpose: str) -> Row[Any] | None:
    """The link of this hash and purpose, used or not."""
    query = select(signin_link).where(signin_link.c.id_hash == id_hash, signin_link.c.purpose == purpose)
    found: Row[Any] | None = tx.run(query).first()
    return found


def link_is_fresh(tx: Tx, id_hash: bytes, purpose: str) -> bool:
    query = select(func.count()).where(
        signin_link.c.id_hash == id_hash,
        signin_link.c.purpose == purpose,
        signin_link.c.used_at.is_(None),
        signin_link.c.expires_at > tx.now,
    )
    return bool(tx.run(query).scalar_one())


def link_until(tx: Tx, user_id: int, purpose: str, after: datetime) -> bool:
    """Has this person an unused link that holds longer than `after`?"""
    mine = (signin_link.c.user_id == user_id) & (signin_link.c.purpose == purpose)
    query = select(signin_link.c.id_hash).where(mine, signin_link.c.used_at.is_(None), signin_link.c.expires_at > after)
    return tx.run(query.limit(1)).first() is not None


def delete_unused_links(tx: Tx, user_id: int, purpose: str) -> None:
    """A new link of this purpose makes the older ones worthless."""
    mine = (signin_link.c.user_id == user_id) & (signin_link.c.purpose == purpose)
    tx.run(delete(signin_link).where(mine & signin_link.c.used_at.is_(None)))


def used_a_link(tx: Tx, user_ids: list[int], purpose: str) -> bool:
    """Has any of these users spent a link of this purpose?"""
    query = select(signin_link.c.id_hash).where(
        signin_link.c.purpose == purpose, signin_link.c.used_at.is_not(None), signin_link.c.user_id.in_(user_ids)
    )
    return tx.run(query.limit(1)).first() is not None
