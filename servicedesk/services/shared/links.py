"""Signed links in messages: each opens one page for one purpose, until it expires; only a POST acts.

The secret follows from the desk's key (domain.notification.Link) and is stored nowhere; the table holds its hash.
"""

from __future__ import annotations

from typing import Any

from servicedesk.domain.incident import Actor
from servicedesk.domain.notification import link_hash
from servicedesk.errors import NotFound
from servicedesk.store import access, people
from servicedesk.store.db import Tx

GONE = "This link is no longer valid."


def find(tx: Tx, secret: str, purpose: str, used: bool = False) -> Any:
    """The link's row: purpose, user_id, incident_id, cycle. used: a spent one will do. Raises NotFound."""
    row = access.find_link(tx, link_hash(secret), purpose)
    if row is None or row.expires_at <= tx.now or (row.used_at is not None and not used):
        raise NotFound(GONE)
    return row


def spend(tx: Tx, row: Any) -> bool:
    """False when somebody did already: two at once, one gets it."""
    return access.use_link(tx, row.id_hash, row.purpose) is not None


def actor_of(tx: Tx, row: Any, role: str = "") -> Actor:
    """Whose link it is, with only the rights that its purpose needs. Raises NotFound where the account is gone."""
    person = people.user_by_id(tx, row.user_id)
    if person is None or not person.active:
        raise NotFound(GONE)
    roles = frozenset({role}) if role else frozenset(person.roles)
    return Actor(person.id, person.name, roles, None if role else frozenset({"work"}))
