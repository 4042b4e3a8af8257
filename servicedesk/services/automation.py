"""What a sender's own machinery did (a restart, a job), posted to the ticket as actor “automation” (P10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alert_receivers.event import label_key, visible
from servicedesk.desk import Desk
from servicedesk.domain.incident import AUTOMATION, UNCLOSED, Actor
from servicedesk.domain.incident import number as shown
from servicedesk.errors import BadInput, NotAllowed, NotFound, Refusal, Refused
from servicedesk.services.shared import facts, timeline
from servicedesk.services.shared.timeline import Line
from servicedesk.store import automation as store
from servicedesk.store.db import Tx

OUTCOMES = ("started", "succeeded", "failed", "skipped")
LONGEST = {"name": 200, "summary": 2000, "details": 20_000, "url": 2000}


@dataclass(frozen=True, slots=True)
class Report:
    """name: of the job or action; outcome: one of OUTCOMES; url: where its log is, http or https."""

    name: str
    outcome: str
    summary: str = ""
    details: str = ""
    url: str = ""


def report(desk: Desk, actor: Actor, number: int, what: Report) -> int:
    """Write what was done to a ticket's timeline; answers the line's seq.

    actor: an agent, or a sender's token for a ticket of its own source. Raises BadInput, NotFound, NotAllowed, Refused.
    """
    content = _content(what, actor)

    def change(tx: Tx) -> int:
        f = facts.load(tx, desk, number)
        if not actor.may("work") and not store.of_source(tx, number, actor.source):
            raise NotFound(f"There is no ticket {shown(number)} with an alert of this sender.")
        if f.status not in UNCLOSED:
            raise Refused([Refusal("A", "state", f"{shown(number)} is {f.status}: nothing is added to it.", "status")])
        tx.after_commit.append(lambda: desk.wake.notify("changes"))
        return timeline.append(tx, desk, Line(number, "automation", content, AUTOMATION))

    return desk.write(change)


def report_on_alert(
    desk: Desk, actor: Actor, what: Report, labels: Mapping[str, str] | None = None, fingerprint: str = ""
) -> int:
    """The same for the open ticket of an alert, by its labels or its fingerprint; answers the ticket's number."""
    if not actor.may("ingest") and not actor.may("work"):
        raise NotAllowed("This needs a sender's token, or one that may work on tickets.")
    if not labels and not fingerprint:
        raise BadInput({"labels": "Say which alert it is about: its labels, or its fingerprint."})
    with desk.read() as tx:
        key = label_key(labels) if labels else None
        number = store.open_ticket_of(tx, actor.source if not actor.may("work") else "", key, fingerprint)
    if number is None:
        raise NotFound("There is no open ticket with this alert.")
    report(desk, actor, number, what)
    return number


def _content(what: Report, actor: Actor) -> dict[str, str]:
    wrong = {name: f"At most {most:,} characters." for name, most in LONGEST.items() if len(getattr(what, name)) > most}
    if not what.name.strip():
        wrong["name"] = "Say what ran."
    if what.outcome not in OUTCOMES:
        wrong["outcome"] = f"One of {', '.join(OUTCOMES)}."
    if what.url and not what.url.startswith(("http://", "https://")):
        wrong["url"] = "An http or https address."
    if wrong:
        raise BadInput(wrong)
    texts = {name: visible(getattr(what, name)) for name in ("name", "outcome", "summary", "details", "url")}
    return texts | {"posted_by": actor.name}
