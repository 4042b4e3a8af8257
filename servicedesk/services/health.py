"""Can this process serve? What readiness asks."""

from __future__ import annotations

from servicedesk.desk import Desk
from servicedesk.errors import Busy
from servicedesk.store import schema


def database_problem(desk: Desk) -> str | None:
    """None when the database answers and has this program's schema; else a sentence."""
    try:
        with desk.read() as tx:
            return schema.mismatch(schema.stamp(tx))
    except Busy as error:
        return str(error)
