"""Coming in by mail: an invitation from an admin, a reset link for who forgot the password.

Who asks for a reset is told the same whoever they name: nobody learns here who has an account.
"""

from __future__ import annotations

from typing import Any

from servicedesk.channels import registry
from servicedesk.desk import Desk
from servicedesk.domain.incident import SYSTEM, Actor
from servicedesk.domain.notification import INVITATION_LIFE, RESET_AGAIN, RESET_LIFE, SIGNIN, Person
from servicedesk.errors import BadInput
from servicedesk.services.shared import identity, notify
from servicedesk.store import access, people
from servicedesk.store.db import Tx

LONGEST = 254  # of what somebody types


def possible(desk: Desk) -> bool:
    """Is there a way to mail a link at all?"""
    return bool(registry.reach(desk.config).personal)


def invite(desk: Desk, actor: Actor, name: str) -> None:
    """Mail somebody a link by which they come in and set a password. Raises NotAllowed, NotFound, BadInput."""
    identity.need_admin(actor)
    if not possible(desk):
        raise BadInput({"email": "No mail server is configured: set mail.host, or hand over a sign-in link."})

    def change(tx: Tx) -> None:
        row = identity.user_named(tx, name)
        if not row.active:
            raise BadInput({"name": f"the account {name!r} is disabled"})
        if not row.email:
            raise BadInput({"email": f"{name!r} has no mail address"})
        notify.letter(tx, desk, "invitation", _person(row), INVITATION_LIFE)
        until = tx.now + INVITATION_LIFE
        identity.record(tx, desk, actor, "signin_link", row.name, None, {"by": "invitation", "expires_at": until})

    desk.write(change)


def ask_reset(desk: Desk, who: str) -> None:
    """Somebody forgot a password. who: sign-in name or mail address; the answer is the same for any."""
    asked = who.strip()
    if not asked or len(asked) > LONGEST or not asked.isprintable() or not possible(desk):
        return

    def change(tx: Tx) -> None:
        people.put_setting(tx, "reset_asked_at", tx.now.isoformat())  # as much is written for a name that nobody has
        row = _one(tx, asked)
        if row is None or access.link_until(tx, row.id, SIGNIN, tx.now + RESET_LIFE - RESET_AGAIN):
            return
        notify.letter(tx, desk, "password_reset", _person(row), RESET_LIFE)
        until = tx.now + RESET_LIFE
        identity.record(tx, desk, SYSTEM, "signin_link", row.name, None, {"by": "reset", "expires_at": until})

    desk.write(change)


def _one(tx: Tx, asked: str) -> Any:
    """The active account of this name, or the only one with this address."""
    found = [row for row in people.users_by_email(tx, asked) if row.active]
    row = people.user_named(tx, asked) or (found[0] if len(found) == 1 else None)
    return row if row is not None and row.active and row.email else None


def _person(row: Any) -> Person:
    return Person(row.id, row.display or row.name, row.email, row.language)
