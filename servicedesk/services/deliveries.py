"""Stored deliveries: replaying what could not be applied. What was applied is never applied twice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from servicedesk.desk import Desk
from servicedesk.domain.incident import LEAD, Actor
from servicedesk.errors import NotAllowed, NotFound
from servicedesk.services.shared import slices, timeline
from servicedesk.services.shared.slices import Body
from servicedesk.services.shared.timeline import Line
from servicedesk.store import deliveries as store
from servicedesk.store.db import Tx
from servicedesk.store.deliveries import Kept


@dataclass(frozen=True, slots=True)
class Replayed:
    """applied: entries that are applied now and were not before; dead: those that still are not, with the reason.

    Index -1 stands for a body that cannot be read as a whole.
    """

    delivery: int
    applied: int
    dead: tuple[tuple[int, str], ...]


def replay(desk: Desk, actor: Actor, delivery_id: int) -> Replayed:
    """Try the dead events of a stored delivery again, under its old sequence. Raises NotFound, NotAllowed, Busy.

    Events that were applied stay as they are: neither state nor count changes, however often this is called.
    """
    if not actor.has(LEAD):
        raise NotAllowed("Only a lead or an admin replays deliveries.")
    kept = desk.write(lambda tx: _begin(tx, desk, actor, delivery_id))
    if kept.state == store.DONE:
        return _letters(desk, kept)
    before = kept.applied_upto
    while slices.step(desk, only=delivery_id):
        pass
    return desk.write(lambda tx: _outcome(tx, delivery_id, before))


def dead(desk: Desk) -> list[int]:
    """The deliveries of which something could not be applied, the oldest first."""
    with desk.read() as tx:
        return store.with_letters(tx)


def _begin(tx: Tx, desk: Desk, actor: Actor, delivery_id: int) -> Kept:
    kept = store.lock(tx, delivery_id)
    if kept is None:
        raise NotFound(f"There is no delivery {delivery_id}.")
    timeline.append(tx, desk, Line(timeline.ADMIN_LOG, "delivery_replayed", {"delivery": delivery_id}, actor))
    if kept.state == store.DEAD:
        store.revive(tx, delivery_id)
    return kept


def _outcome(tx: Tx, delivery_id: int, before: int) -> Replayed:
    kept = store.lock(tx, delivery_id)
    letters = store.open_letters(tx, delivery_id)
    assert kept is not None  # noqa: S101 - deliveries are not deleted while they wait
    return Replayed(delivery_id, max(kept.applied_upto - before - len(letters), 0), tuple(letters.items()))


def _letters(desk: Desk, kept: Kept) -> Replayed:
    """Each dead event in a transaction of its own: one that fails again costs no other."""
    with desk.read() as tx:
        indexes = list(store.open_letters(tx, kept.id))
        body = slices.parse(desk, kept.receiver, store.bodies(tx, [kept.id])[kept.id])
    applied = sum(slices.alone(desk, (kept.id, i), partial(_again, desk, kept, body, i)) for i in indexes)
    return desk.write(lambda tx: Replayed(kept.id, applied, tuple(store.open_letters(tx, kept.id).items())))


def _again(desk: Desk, kept: Kept, body: Body, index: int, tx: Tx) -> bool:
    """Apply one event that is still dead; False when it is not one, or its entry is faulty itself."""
    store.lock(tx, kept.id)
    if index not in store.open_letters(tx, kept.id):
        return False
    if body.error or index in body.errors:
        store.add_letters(tx, [(kept.id, index, body.errors.get(index, body.error))])
        return False
    if index in body.events:  # else a rule says by now that it is no event
        slices.carry_out(tx, desk, [slices.seen(kept, body.events[index])])
    store.clear_letters(tx, kept.id, [index])
    return True
