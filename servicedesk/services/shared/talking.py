"""What is said on a ticket, for every entrance: notes and public messages."""

from __future__ import annotations

from servicedesk.desk import Desk
from servicedesk.domain import incident as words
from servicedesk.domain.incident import Action, Actor, Facts
from servicedesk.services.shared import facts as loader
from servicedesk.services.shared import notify, timeline, transition, waiting
from servicedesk.services.shared.notify import Notice
from servicedesk.services.shared.owning import change_row
from servicedesk.services.shared.timeline import Line
from servicedesk.store import tickets
from servicedesk.store.db import Tx


def say(tx: Tx, desk: Desk, f: Facts, actor: Actor, text: str, public: bool) -> int:
    """A note, or a public message with all that follows from it; answers its seq. f: loaded in this transaction."""
    seq = timeline.append(
        tx, desk, Line(f.id, "message" if public else "note", {"text": text, "public": public}, actor)
    )
    from_requester = actor.id is not None and actor.id == f.requester_id
    if public:
        change_row(tx, desk, f, {"waiting_on": "agent" if from_requester else "requester"}, bump=False)
        event = waiting.heard(tx, desk, f) if from_requester else waiting.spoke(tx, desk, f)
        notify.enqueue(tx, desk, [Notice(event, f.id, str(seq), {"text": text, "from": actor.id})])
    if from_requester and f.status == words.PENDING and _waits_for_requester(tx, f.id):
        f = loader.load(tx, desk, f.id)
        transition.perform(tx, desk, f, actor, Action("resume"), {"waiting_on": "agent"})
    return seq


def _waits_for_requester(tx: Tx, number: int) -> bool:
    return bool(tickets.get(tx, number).hold_reason == "requester")
