"""What exceeded a team's page budget goes out as one digest to each who would have been told."""

from __future__ import annotations

from collections.abc import Sequence

from servicedesk.desk import Desk
from servicedesk.domain.incident import number
from servicedesk.store import budgets, outbox
from servicedesk.store.budgets import Held
from servicedesk.store.db import Priority, Tx

SHOWN = 15  # tickets that a digest names


def run_due(desk: Desk) -> int:
    """Write the digests that are due into the outbox; answers how many. Raises Busy."""
    with desk.read() as tx:
        if not budgets.any_due(tx):
            return 0
    return desk.write(lambda tx: _write(tx, desk), Priority.SLICE)


def _write(tx: Tx, desk: Desk) -> int:
    found = budgets.due(tx)
    for (channel, target), held in found.items():
        _digest(tx, channel, target, held)
    if found:
        tx.after_commit.append(lambda: desk.wake.notify("outbox"))
    return len(found)


def _digest(tx: Tx, channel: str, target: str, held: Sequence[Held]) -> None:
    """About the most urgent ticket, with the names of the others."""
    first = held[0]
    payload = budgets.payload(tx, first.id) | {"event": "storm", "extra": {"text": _names(held)}}
    row = {
        "dedup": f"storm:{channel}:{first.id}",
        "incident_id": first.incident_id,
        "event": "storm",
        "channel": channel,
        "target": target,
        "payload": payload,
        "state": "pending",
        "created_at": tx.now,
        "due_at": tx.now,
        "error": None,
    }
    outbox.add(tx, [row])
    why = f"Beyond the page budget: told in the digest about {number(first.incident_id)}."
    budgets.digested(tx, [one.id for one in held], why)


def _names(held: Sequence[Held]) -> str:
    """A line a ticket, and how many more there are."""
    tickets = list({one.incident_id: one for one in held}.values())
    lines = [f"{number(t.incident_id)} · P{t.priority or '–'} · {t.title}" for t in tickets[:SHOWN]]
    return "\n".join([*lines, *([f"+ {len(tickets) - SHOWN}"] if len(tickets) > SHOWN else [])])
