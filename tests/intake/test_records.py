"""Records without a ticket: they wait to be checked, are marked, become tickets by one click, and raise an alarm."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from servicedesk.config import Mail
from servicedesk.desk import Desk
from servicedesk.errors import BadInput, NotAllowed, NotFound
from servicedesk.services import incidents, outbox, records
from servicedesk.store.views import alerts as views
from servicedesk.store.views import nav
from tests.intake import ruled, seen
from tests.intake.wire import alert, tell
from tests.support.clock import START, Clock
from tests.support.crew import crew
from tests.told.rows import rows

RECORD = "- {id: tests, match: env=test, answer: record, reason: Nobody works there.}"
TEST: Any = {"env": "test"}


def to_check(desk: Desk) -> list[str]:
    with desk.read() as tx:
        page = views.alerts(tx, views.Filter(to_check=True))
        assert nav.counts(tx, 0).to_check == len(page.items)
        return [a.name for a in page.items]


@pytest.mark.feature("I8")
def test_a_record_waits_until_somebody_says_what_it_is(desk: Desk) -> None:
    people = crew(desk)
    ruled.use(desk, RECORD)
    tell(desk, alert(START, **TEST), alert(START, alertname="Other"))
    assert to_check(desk) == ["DiskFull"]
    record = seen.alerts(desk)[0]
    assert records.mark(desk, people["agent"], [record.id, 999], "noise") == 1
    assert to_check(desk) == []
    tell(desk, alert(START + timedelta(minutes=5), **TEST))
    assert to_check(desk) == []
    assert records.mark(desk, people["agent"], [record.id], "") == 1
    assert to_check(desk) == ["DiskFull"]


@pytest.mark.feature("I8")
def test_a_rule_marks_its_records_and_the_shipped_ones_do(desk: Desk) -> None:
    ruled.use(desk, RECORD.replace("}", ", mark: misuse}"))
    tell(
        desk,
        alert(START, **TEST),
        alert(START, alertname="Watchdog"),
        alert(START, alertname="CPUThrottlingHigh", severity="info", namespace="shop"),
    )
    assert to_check(desk) == []
    assert {a.name: a.check_mark for a in seen.alerts(desk)} == {
        "DiskFull": "misuse",
        "Watchdog": "known",
        "CPUThrottlingHigh": "noise",
    }


@pytest.mark.feature("I8")
def test_one_click_makes_a_ticket_of_a_record(desk: Desk, clock: Clock) -> None:
    people = crew(desk)
    ruled.use(desk, RECORD)
    tell(desk, alert(START, **TEST))
    record = seen.only_alert(desk)
    made = records.open_ticket(desk, people["agent"], record.id)
    ticket = seen.only_ticket(desk)
    assert (made.new, made.incident_id, ticket.occurrences, ticket.started_at) == (True, ticket.id, 1, START)
    assert ticket.creation["rule"] == "by_hand"
    assert seen.members(desk, ticket.id) == {record.id}
    assert {"alert": record.id, "rule": "tests", "name": "DiskFull"} in seen.lines(desk, ticket.id)
    assert records.open_ticket(desk, people["agent"], record.id) == replace(made, new=False)
    assert to_check(desk) == []
    clock.advance(minutes=5)
    tell(desk, alert(START, clock.now(), **TEST))
    assert seen.only_ticket(desk).auto_recovered


@pytest.mark.feature("I8")
def test_a_record_that_is_over_can_become_a_ticket_too(desk: Desk, clock: Clock) -> None:
    people = crew(desk)
    ruled.use(desk, RECORD)
    clock.advance(minutes=5)
    tell(desk, alert(START, clock.now(), alertname="OnlyTheEnd"), alert(START, **TEST))
    tell(desk, alert(START, clock.now(), **TEST))
    numbers = [records.open_ticket(desk, people["agent"], a.id).incident_id for a in seen.alerts(desk)]
    assert [seen.ticket(desk, n).auto_recovered for n in numbers] == [True, True]
    assert {e.incident_id for e in seen.episodes(desk)} == set(numbers)


@pytest.mark.feature("I8")
def test_what_waits_for_others_can_become_a_ticket_at_once(desk: Desk) -> None:
    people = crew(desk)
    ruled.use(desk, "- {id: three, group_by: [alertname], threshold: {episodes: 3, within: 10m}}")
    tell(desk, alert(START, instance="a"))
    assert to_check(desk) == ["DiskFull"]
    records.open_ticket(desk, people["agent"], seen.only_alert(desk).id)
    tell(desk, alert(START, instance="b"), alert(START, instance="c"))
    ticket = seen.only_ticket(desk)
    assert len(seen.members(desk, ticket.id)) == 3  # people work on it: it takes its like


@pytest.mark.feature("I8")
def test_a_ticket_of_a_record_after_a_closed_one_is_linked(desk: Desk) -> None:
    people = crew(desk)
    tell(desk, alert(START))
    first = seen.only_ticket(desk)
    incidents.cancel(desk, people["lead"], first.id, "duplicate", "Again.", target=other(desk))
    record = seen.alerts(desk)[0]
    made = records.open_ticket(desk, people["agent"], record.id)
    assert not made.new  # the target of a duplicate takes its alerts


def other(desk: Desk) -> int:
    tell(desk, alert(START, alertname="DiskFull", service="shop"))
    return int(seen.incidents(desk)[-1].id)


@pytest.mark.feature("I8")
def test_who_may_decide_about_records(desk: Desk) -> None:
    people = crew(desk)
    tell(desk, alert(START))
    with pytest.raises(NotAllowed):
        records.mark(desk, people["requester"], [1], "noise")
    with pytest.raises(NotAllowed):
        records.open_ticket(desk, people["requester"], 1)
    with pytest.raises(NotFound):
        records.open_ticket(desk, people["agent"], 999)
    with pytest.raises(BadInput):
        records.mark(desk, people["agent"], [1], "nonsense")
    with pytest.raises(BadInput):
        records.mark(desk, people["agent"], [], "noise")


@pytest.mark.feature("I8")
def test_the_leads_are_told_once_a_day_what_waits_too_long(desk: Desk, clock: Clock) -> None:
    crew(desk)
    desk.config = replace(desk.config, mail=Mail(host="mail"))
    ruled.use(desk, RECORD)
    tell(desk, alert(START, **TEST), alert(START, instance="b", **TEST))
    clock.advance(hours=23)
    assert records.run_due(desk) == 0
    clock.advance(hours=1, seconds=1)
    leads = records.run_due(desk)
    records.run_due(desk)
    found = [r for r in rows(desk) if r.event == "to_check"]
    assert len(found) == leads == len({r.target for r in found}) > 0
    assert "lead@example.org" in {r.target for r in found}
    claimed = outbox._claim(desk)
    assert claimed is not None
    message = outbox.message_of(desk, claimed)
    assert (message.subject, message.link) == (
        "[2] 2 records wait to be checked",
        f"{desk.config.base_url}{records.PAGE}",
    )
    clock.advance(days=1)
    assert records.run_due(desk) == leads
    assert len([r for r in rows(desk) if r.event == "to_check"]) == 2 * leads


@pytest.mark.feature("I8")
def test_what_alerts_lack_is_listed_by_name(desk: Desk) -> None:
    full = alert(START, alertname="Full", severity="warning", service="shop")
    full["annotations"]["runbook_url"] = "https://runbooks.example.org/full"
    tell(desk, full, alert(START, instance="a", severity="info"), alert(START, instance="b", job="node"))
    with desk.read() as tx:
        (gap,) = views.gaps(tx)
    assert (gap.name, gap.alerts, gap.severity, gap.service, gap.runbook_url) == ("DiskFull", 2, 1, 1, 2)
