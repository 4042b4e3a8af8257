"""Settings that stand in the database, as rules read them."""

from __future__ import annotations

from servicedesk.desk import Desk
from servicedesk.store import people
from servicedesk.store.db import Tx

SOLO_MODE = "solo_mode"


def solo_mode(tx: Tx, desk: Desk) -> bool:
    """Is solo mode on, by the policy file or by the stored setting? It lifts the clauses "another person"."""
    return desk.policy.solo_mode or bool(people.setting_value(tx, SOLO_MODE))
