"""Senders as the page "Intake" shows them, and testing one."""

from __future__ import annotations

from typing import Literal

import msgspec
from flask import Blueprint

from servicedesk.domain.incident import AGENT, number
from servicedesk.services import sendertest
from servicedesk.store.views import intake as look
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.route import STAFF, route

bp = Blueprint("api_intake", __name__, url_prefix="/api/v1")


class IntakeQuery(msgspec.Struct, frozen=True):
    """How far back the figures reach."""

    span: Literal["1h", "24h", "7d"] = "24h"


class TestIn(msgspec.Struct, frozen=True):
    """The source whose sender is tested."""

    source: str


class TestOut(msgspec.Struct, frozen=True):
    """incident: the ticket that the test made, null for none; decision: why; seconds: from stored to applied."""

    delivery: int
    incident: str | None
    decision: str
    seconds: float


@route(bp, "GET", "/intake", scope="read", role=STAFF, query=IntakeQuery, answer=look.Intake)
def show_intake(query: IntakeQuery) -> look.Intake:
    """Show who sends, how much, how fast it is applied, and what is wrong with it."""
    with desk().read() as tx:
        return look.intake(tx, query.span)


@route(bp, "POST", "/intake/tests", scope="work", role=AGENT, body=TestIn, answer=TestOut, once=True)
def test_sender(body: TestIn) -> TestOut:
    """Send a test alert in the name of a source, through to its ticket; no figure counts it."""
    tried = sendertest.send(desk(), auth.current_actor(), body.source)
    ticket = number(tried.incident) if tried.incident is not None else None
    return TestOut(tried.delivery, ticket, tried.decision, tried.seconds)
