"""The beginning of an observation, in the transaction of the move to “resolved” (called by transition.py alone)."""

from __future__ import annotations

from servicedesk.desk import Desk
from servicedesk.domain import verification as rules
from servicedesk.domain.incident import Facts
from servicedesk.files import playbooks as files
from servicedesk.services.shared import asking
from servicedesk.store import observations as store
from servicedesk.store.db import Tx


def begin(tx: Tx, desk: Desk, f: Facts) -> None:
    """Watch the fix by each playbook's verify section that is in force; one that cannot be asked here is not.

    f: the facts before the move.
    """
    rows = []
    for run in store.runs(tx, f.id):
        playbook = files.stored(run.source)
        if playbook.verify is None or not asking.in_force(playbook, desk.config):
            continue
        soak = playbook.verify.soak or f.quiet_window
        row = {"incident_id": f.id, "run_id": run.id, "cycle": f.cycle, "state": rules.WATCHING, "begun_at": tx.now}
        rows.append(row | {"soak": int(soak.total_seconds()), "due_at": tx.now + playbook.verify.after})
    if rows:
        store.begin(tx, rows)
        asking.wake(tx, desk)
