"""A test of a sender: an alert in its name goes the whole way, to the ticket and the notification, and is over at once.

What it makes is marked, and outside all figures.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from alert_receivers.event import alert_digest, label_key
from servicedesk.desk import Desk
from servicedesk.domain.incident import AGENT, Actor
from servicedesk.errors import Busy, NotAllowed, NotFound
from servicedesk.services.shared import facts, own, timeline
from servicedesk.services.shared.timeline import Line
from servicedesk.store import alerts, deliveries, tickets, traffic
from servicedesk.store.db import Priority, Tx

NAME = "ServiceDeskTest"
TAG = "test"
PATIENCE = 10.0  # seconds until it is applied: another worker may be at it


@dataclass(frozen=True, slots=True)
class Tried:
    """incident: the ticket it made or joined (tests of a source within ten minutes share one), None for none.

    decision: why.
    """

    delivery: int
    incident: int | None
    decision: str
    seconds: float


def send(desk: Desk, actor: Actor, source: str) -> Tried:
    """Test a source. Raises NotAllowed, NotFound (nobody sends in this name), Busy (it waits to be applied)."""
    if not actor.has(AGENT):
        raise NotAllowed("Only agents send tests.")
    with desk.read() as tx:
        if not traffic.known(tx, source):
            raise NotFound(f"There is no sender {source!r}.")
    began_at, began = desk.now(), time.monotonic()
    labels = {"alertname": NAME, "severity": "warning", "instance": f"test-{secrets.token_hex(4)}"}
    told = {"summary": f"Test of {source}: nothing is wrong", "description": f"Sent by {actor.name}."}
    delivery = _deliver(desk, source, own.entry(labels, told, began_at))
    seconds = time.monotonic() - began
    number, decision = desk.write(lambda tx: _mark(tx, desk, source, labels, delivery))
    _deliver(desk, source, own.entry(labels, told, began_at, max(desk.now(), began_at + timedelta(milliseconds=1))))
    return Tried(delivery, number, decision, seconds)


def _deliver(desk: Desk, source: str, entry: dict[str, Any]) -> int:
    """Store it as any delivery, and wait until it is applied."""
    number = desk.write(lambda tx: own.store(tx, source, [entry], "test"), Priority.DELIVERY)
    own.apply(desk, number)
    until = time.monotonic() + PATIENCE
    while _waits(desk, number):
        if time.monotonic() > until:
            raise Busy("the test is stored and waits to be applied")
        desk.wake.wait("deliveries", desk.wake.count("deliveries"), 0.05)
    return number


def _waits(desk: Desk, number: int) -> bool:
    with desk.read() as tx:
        return deliveries.waits(tx, number)


def _mark(tx: Tx, desk: Desk, source: str, labels: dict[str, str], delivery: int) -> tuple[int | None, str]:
    """A ticket that this test made is none that counts; one that it joined stays what it is."""
    number, decision = alerts.outcome(tx, alert_digest(source, label_key(labels)))
    if number is None:
        return None, decision
    facts.lock(tx, number)
    if tickets.untested(tx, number, NAME):
        tickets.change(tx, number, {"test": True, "tags": [TAG]})
        said = {"changes": {"test": [False, True]}, "reason": f"Made by the test in delivery {delivery}."}
        timeline.append(tx, desk, Line(number, "edit", said))
    return number, decision
