"""The auditor: what reached nobody goes out by the fallback channel; a dead man's ping says that the desk lives.

That an incident about ourselves is raised is `services.selfwatch`'s work, from the same figures.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from servicedesk.channels import posting, registry
from servicedesk.channels.channel import SendError
from servicedesk.desk import Desk
from servicedesk.domain.notification import STAFF
from servicedesk.store import auditing, troubles
from servicedesk.store.db import Priority, Tx

log = structlog.get_logger("servicedesk.auditor")
WINDOW = timedelta(hours=24)  # what is older is somebody else's worry


def run_due(desk: Desk) -> int:
    """Send what reached nobody by the fallback channel; answers how many were new. A job. Raises Busy."""
    channel = registry.CHANNELS.get(desk.config.fallback.channel)
    if channel is None or not channel.configured(desk.config):
        return 0
    target = desk.config.fallback.target or channel.name
    with desk.read() as tx:
        now, waits = tx.now, desk.policy.watch.fallback
        found = auditing.silent(tx, STAFF, now - WINDOW, now - waits)
    if not found:
        return 0

    def change(tx: Tx) -> int:
        made = auditing.by_fallback(tx, found, channel.name, target)
        if made:
            tx.after_commit.append(lambda: desk.wake.notify("outbox"))
        return made

    return desk.write(change, Priority.SLICE)


def ping(desk: Desk) -> bool:
    """Ask the configured address, if all is well: its owner alarms when nobody asks any more. A job. Raises Busy.

    Nothing is asked while deliveries or messages wait too long: a desk that tells nobody is as good as dead.
    """
    if not desk.config.deadman.url:
        return False
    if why := _not_well(desk):
        log.warning("the dead man's ping is left out", why=why)
        return False
    try:
        posting.post("the dead man's address", desk.config.deadman.url, b"", {}, "deadman.url", method="GET")
    except SendError as error:
        log.warning("the dead man's ping did not arrive", detail=str(error))
        return False
    return True


def _not_well(desk: Desk) -> str:
    policy = desk.policy.watch
    with desk.read() as tx:
        f = troubles.figures(tx, tx.now, tx.now, tx.now - policy.outbox)
        if f.delivery_since is not None and tx.now - f.delivery_since >= policy.lag:
            return "stored deliveries wait"
        if f.outbox_since is not None and tx.now - f.outbox_since >= policy.outbox:
            return "messages to people wait"
        pages = auditing.pages_since(tx)
    return "pages wait" if pages is not None and desk.now() - pages >= policy.outbox else ""
