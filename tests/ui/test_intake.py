"""The page "Intake", its API and its command; a test of a sender goes the whole way and counts nowhere."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.errors import NotAllowed, NotFound
from servicedesk.services import apply, sendertest, tokens, traffic
from servicedesk.store.tables import incident, outbox
from servicedesk.store.views.figures import figures
from tests.support import senders
from tests.support.clock import Clock
from tests.support.pages import Visitor, person

ADMIN = Actor(None, "setup", frozenset({"admin"}))


def roll(desk: Desk, clock: Clock) -> None:
    clock.advance(timedelta(minutes=20))
    while traffic.run_due(desk):
        pass


@pytest.mark.feature("I21", "A6")
def test_the_page_is_plain_while_nothing_came_and_shows_senders_afterwards(
    app: Flask, desk: Desk, clock: Clock
) -> None:
    person(desk, "ada", "admin")
    person(desk, "marc", "agent", language="fr")
    ada = Visitor(app, "ada")
    ada.get("/intake")
    assert "/intake" in ada.html
    for minutes in (0, 20, 20):
        clock.advance(timedelta(minutes=minutes))
        senders.deliver(desk, senders.alert({"alertname": "A"}, desk.now()), source="prod-<am>")
    roll(desk, clock)
    for span in ("1h", "24h", "7d", "nonsense"):
        page = ada.get(f"/intake?span={span}")
        assert page.inline == []
        assert "prod-<am>" in page.text
    assert ada.html.count('<svg class="plot"') == 2
    assert '<svg class="spark"' in ada.html
    assert "style=" not in ada.html
    assert "Réception" in Visitor(app, "marc").get("/intake").text


@pytest.mark.feature("I20")
def test_a_test_of_a_sender_goes_through_to_ticket_and_notice_and_counts_nowhere(app: Flask, desk: Desk) -> None:
    person(desk, "ada", "admin")
    tokens.create(desk, ADMIN, service="am", scopes=("ingest",), source="prod-am")
    ada = Visitor(app, "ada")
    assert "never sent anything" in ada.get("/intake").text
    ada.send("/intake/tests", source="prod-am")
    assert ada.path.startswith("/incidents/")
    assert "no figure counts it" in ada.html
    with desk.read() as tx:
        (row,) = tx.run(select(incident)).all()
        assert (row.test, row.tags, row.source, row.auto_recovered) == (True, ["test"], "prod-am", True)
        assert tx.run(select(outbox.c.id).where(outbox.c.incident_id == row.id)).first() is not None
        assert figures(tx).incidents == {}


@pytest.mark.feature("I20")
def test_who_may_test_and_whom(desk: Desk) -> None:
    with pytest.raises(NotFound):
        sendertest.send(desk, ADMIN, "nobody")
    with pytest.raises(NotAllowed):
        sendertest.send(desk, Actor(7, "rosa", frozenset({"requester"})), "prod-am")


def test_a_second_test_joins_the_first_and_a_real_alert_of_that_name_is_not_marked(desk: Desk) -> None:
    tokens.create(desk, ADMIN, service="am", scopes=("ingest",), source="prod-am")
    first, second = (sendertest.send(desk, ADMIN, "prod-am") for _ in range(2))
    assert first.incident == second.incident
    assert first.delivery < second.delivery
    senders.deliver(desk, senders.alert({"alertname": "Real"}, desk.now()), source="prod-am")
    apply.run_all(desk)
    with desk.read() as tx:
        assert sorted(tx.run(select(incident.c.test)).scalars()) == [False, True]


@pytest.mark.feature("I3")
def test_a_message_is_tried_on_a_page(app: Flask, desk: Desk) -> None:
    person(desk, "ada", "admin")
    ada = Visitor(app, "ada")
    ada.get("/mappings?receiver=grafana")
    ada.send("/mappings#result")
    assert "When it was received" not in ada.text
    assert "alertname=" in ada.text
    ada.send("/mappings#result", body='{"alerts": [{"status": "<b>"}]}')
    assert "would be dead letters" in ada.text
    assert "&lt;b&gt;" in ada.html
    ada.send("/mappings#result", status=422, mapping="schema: 1\nname: X")
    assert "line 2" in ada.text
