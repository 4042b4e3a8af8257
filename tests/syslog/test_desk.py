"""Lines through the rules into tickets, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from alert_receivers.syslog.line import Mark
from servicedesk.desk import Desk
from servicedesk.services import apply
from servicedesk.store.tables import alert, delivery, incident, syslog_example
from servicedesk.workers.syslog import silences
from tests.support.clock import Clock
from tests.support.lines import send, store_only


def tickets(desk: Desk) -> list[str]:
    with desk.read() as tx:
        return list(tx.run(select(incident.c.title).order_by(incident.c.id)).scalars())


def statuses(desk: Desk) -> list[tuple[str, str, int]]:
    with desk.read() as tx:
        rows = tx.run(select(alert.c.name, alert.c.status, alert.c.count).order_by(alert.c.id))
        return [tuple(row) for row in rows]  # type: ignore[misc]


@pytest.mark.feature("I2", "I18")
def test_errors_become_tickets_and_the_rest_is_counted(desk: Desk) -> None:
    sifted = send(
        desk, "<27>h1 x", "<27>Nov 21 21:02:43 h1 app[1]: disk 1 broke", "<30>Nov 21 21:02:43 h1 app[1]: fine"
    )
    assert [v.kind for v in sifted.verdicts] == ["fire", "fire", "ignore"]
    assert "h1 app: disk 1 broke" in tickets(desk)
    assert len(tickets(desk)) == 2


@pytest.mark.feature("I6", "I9")
def test_the_same_words_are_one_ticket_by_every_format(desk: Desk) -> None:
    send(desk, "<27>Nov 21 21:02:43 h1 app[1]: disk 1 broke")
    send(desk, "<27>2026-11-21T21:02:44.5Z h1 app[2]: disk 2 broke", '<27>1 - h1 app 3 - [a@1 b="c"] disk 3 broke')
    assert len(tickets(desk)) == 1
    assert [count for _, _, count in statuses(desk)] == [3]
    with desk.read() as tx:
        texts = set(tx.run(select(syslog_example.c.text)).scalars())
    assert texts == {"disk 1 broke", "disk 2 broke", "disk 3 broke"}


@pytest.mark.feature("I18")
def test_link_up_ends_link_down(desk: Desk, clock: Clock) -> None:
    down = "<187>45: sw1: %LINK-3-UPDOWN: Interface Gi0/1, changed state to down"
    send(desk, down)
    assert statuses(desk) == [("Network port down", "firing", 1)]
    clock.advance(timedelta(seconds=1))
    send(desk, "<189>46: sw1: %LINEPROTO-5-UPDOWN: Line protocol on Interface Gi0/1, changed state to up")
    assert statuses(desk) == [("Network port down", "recovered", 2)]
    assert len(tickets(desk)) == 1


@pytest.mark.feature("I18")
def test_a_threshold_waits_for_enough_lines(desk: Desk) -> None:
    line = "<38>Nov 21 21:02:43 db1 sshd[7]: Failed password for root from 192.0.2.10 port 51234 ssh2"
    send(desk, *[line] * 29)
    assert tickets(desk) == []
    send(desk, line)
    assert tickets(desk) == ["Many failed SSH sign-ins: db1: many failed SSH sign-ins, the last from 192.0.2.10"]


@pytest.mark.feature("I18")
def test_a_noisy_host_has_its_share(desk: Desk) -> None:
    words = [chr(97 + i // 26) + chr(97 + i % 26) for i in range(40)]
    send(desk, *[f"<27>Nov 21 21:02:43 h1 app: broke {word}" for word in words])
    found = tickets(desk)
    assert len(found) == 21
    assert sum("more than 20 different alerts" in title for title in found) == 1
    assert len(statuses(desk)) == 41


@pytest.mark.feature("I4")
def test_what_cannot_be_read_is_kept_and_costs_nobody(desk: Desk) -> None:
    send(desk, "\x00\x01 rubbish", "<27>Nov 21 21:02:43 h1 app: broke", "rest of a trace", marks=Mark.CONTINUES)
    with desk.read() as tx:
        assert tx.run(select(delivery.c.state, delivery.c.events)).one() == ("done", 3)
    assert tickets(desk) == ["h1 app: broke"]


@pytest.mark.feature("I4")
def test_lines_that_relp_sends_again_are_marked(desk: Desk) -> None:
    line = "<27>1 2026-11-21T21:02:43.5Z h1 app - - - broke"
    send(desk, line, transport="relp", session=1)
    again = send(desk, line, marks=Mark.RESUMED, transport="relp", session=2)
    assert again.lines[0].marks & Mark.AGAIN
    assert [count for _, _, count in statuses(desk)] == [1]


@pytest.mark.feature("I18")
def test_silence_ends_only_where_a_rule_says_so(desk: Desk, clock: Clock) -> None:
    send(desk, "<4>Nov 21 21:02:43 gw1 kernel: nf_conntrack: nf_conntrack: table full, dropping packet")
    send(desk, "<27>Nov 21 21:02:43 h1 app: broke")
    assert silences(desk) == 0
    clock.advance(timedelta(minutes=16))
    assert silences(desk) == 1
    apply.run_all(desk)
    assert [status for _, status, _ in statuses(desk)] == ["recovered", "firing"]
    assert silences(desk) == 0


@pytest.mark.feature("I6", "I9")
def test_a_flood_of_deliveries_counts_every_line_once(desk: Desk, clock: Clock) -> None:
    """Applied together or one by one: the same alerts, counts, first and last lines."""
    for n in range(30):
        clock.advance(timedelta(milliseconds=50))
        lines = [f"<27>Nov 21 21:02:43 h{n % 3} app: disk {n * 10 + i} broke" for i in range(10)]
        up = ["<189>46: sw1: %LINK-3-UPDOWN: Interface Gi0/1, changed state to up"] if n == 20 else []
        down = "<187>45: sw1: %LINK-3-UPDOWN: Interface Gi0/1, changed state to down"
        store_only(desk, *lines, down, *up)
    apply.run_all(desk)
    assert sorted(count for _, _, count in statuses(desk)) == [31, 100, 100, 100]
    assert {status for _, status, _ in statuses(desk)} == {"firing"}
    assert len(tickets(desk)) == 4
    with desk.read() as tx:
        texts = list(tx.run(select(syslog_example.c.text)).scalars())
    assert "disk 0 broke" in texts
    assert "disk 299 broke" in texts
