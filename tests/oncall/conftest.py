"""A desk whose people can be told by mail and by a webhook (nothing is sent unless a test does), and schedules."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from servicedesk.config import Mail, Webhook
from servicedesk.desk import Desk
from servicedesk.domain.escalation_policy import Policy, Step, Target
from servicedesk.domain.incident import Actor
from servicedesk.services import escalation_policies, schedules
from servicedesk.services.schedules import LayerIn
from tests.support.clock import START
from tests.support.crew import crew

Crew = dict[str, Actor]
PRIMARY = LayerIn("first", ("owner", "agent"), "weekly", "mon 09:00", start="2026-11-02")


@pytest.fixture
def people(desk: Desk) -> Crew:
    """The crew; mail and webhook are configured, and nobody listens there."""
    desk.config = replace(
        desk.config,
        mail=Mail(host="127.0.0.1", port=9),
        webhook=Webhook(url="http://127.0.0.1:9/", secret="whsec_c2VjcmV0"),
    )
    return crew(desk)


def rota(desk: Desk, lead: Actor, name: str = "Primary", layer: LayerIn = PRIMARY) -> None:
    """A weekly rota of owner and agent; owner begins on the Monday of the tests."""
    schedules.save(desk, lead, name, [layer], "Europe/Paris")


def policy(*steps: tuple[int, str], **fields: object) -> Policy:
    """`policy((0, "schedule:Primary"), (10, "person:lead"))`: waits and targets."""
    pairs = [(wait, [t.split(":") for t in targets.split(",")]) for wait, targets in steps]
    read = [Step(tuple(Target(kind, name) for kind, name in found), wait) for wait, found in pairs]  # type: ignore[arg-type]
    return Policy(tuple(read), **fields)  # type: ignore[arg-type]


def use(desk: Desk, lead: Actor, written: Policy, name: str = "Web", **where: tuple[str, ...]) -> None:
    """For the default team, unless told otherwise."""
    escalation_policies.save(desk, lead, name, written, **(where or {"teams": ("Operations",)}))


def at(**later: float) -> datetime:
    return START + timedelta(**later)
