"""Settings that a command changes at run time, each change in the administration log."""

from __future__ import annotations

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.services.shared import identity
from servicedesk.services.shared.settings import SOLO_MODE, solo_mode
from servicedesk.store import people
from servicedesk.store.db import Tx

__all__ = ["set_solo_mode", "solo_mode"]


def set_solo_mode(desk: Desk, actor: Actor, on: bool) -> bool:
    """Switch solo mode; answers whether it is on now (the policy file may hold it on). Raises NotAllowed."""
    identity.need_admin(actor)

    def change(tx: Tx) -> bool:
        before = bool(people.setting_value(tx, SOLO_MODE))
        people.put_setting(tx, SOLO_MODE, on)
        identity.record(tx, desk, actor, "setting", SOLO_MODE, {"value": before}, {"value": on})
        return solo_mode(tx, desk)

    return desk.write(change)
