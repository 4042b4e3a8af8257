"""Storms: a name that opens tickets too fast gets one more for the rest; nothing is lost, the page budget holds."""

import os
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from servicedesk.config import Mail
from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.services import apply, digests, incidents, intake
from servicedesk.services.shared import slices
from servicedesk.store.tables import alert, episode, incident, member, outbox, storm
from tests.intake import seen, wire
from tests.intake.wire import tell
from tests.support.clock import START, Clock
from tests.support.crew import crew

SIZE = int(os.environ.get("STORM_SIZE", "1000"))  # alerts; 10,000 by hand


def services(first: int, count: int, **labels: str) -> list[Any]:
    """Alerts of one name that are no siblings."""
    more: Any = labels
    return [wire.alert(START, service=f"s{i}", **more) for i in range(first, first + count)]


def names(desk: Desk) -> list[str]:
    return [row.creation["rule"] for row in seen.incidents(desk)]


@pytest.mark.feature("I13")
def test_the_first_twenty_have_tickets_and_one_takes_the_rest(desk: Desk) -> None:
    tell(desk, *services(0, 15))
    tell(desk, *services(15, 15))
    assert names(desk) == ["default"] * 20 + ["storm"]
    ticket = seen.incidents(desk)[-1]
    assert (ticket.title, ticket.occurrences, ticket.labels) == ("Storm: DiskFull (am)", 10, {"alertname": "DiskFull"})
    tell(desk, *services(30, 5), wire.alert(START, alertname="Other"))
    assert names(desk) == ["default"] * 20 + ["storm", "default"]
    assert len(seen.members(desk, ticket.id)) == 15
    assert all(row.incident_id for row in seen.alerts(desk))
    late = [row.decision for row in seen.alerts(desk) if row.labels.get("service", "") in ("s30", "s34")]
    assert all(f"INC-{ticket.id} takes it" in decision for decision in late)


@pytest.mark.feature("I13")
def test_one_ticket_of_siblings_is_no_storm(desk: Desk) -> None:
    tell(desk, *(wire.alert(START, instance=str(i)) for i in range(50)))
    assert names(desk) == ["default"]


@pytest.mark.feature("I13")
def test_slow_tickets_are_no_storm(desk: Desk, clock: Clock) -> None:
    for i in range(30):
        tell(desk, *services(i, 1))
        clock.advance(seconds=4)
    assert names(desk) == ["default"] * 30


@pytest.mark.feature("I13")
def test_a_storm_ends_when_it_is_quiet(desk: Desk, clock: Clock) -> None:
    tell(desk, *services(0, 25))
    clock.advance(minutes=9)
    tell(desk, *services(25, 1))
    clock.advance(minutes=9)
    tell(desk, *services(26, 1))
    assert len(names(desk)) == 21
    clock.advance(minutes=11)
    tell(desk, *services(27, 1))
    assert names(desk)[-1] == "default"


@pytest.mark.feature("I13")
def test_what_people_have_resolved_takes_no_more(desk: Desk, clock: Clock) -> None:
    people = crew(desk)
    tell(desk, *services(0, 25))
    first = seen.incidents(desk)[-1]
    incidents.take(desk, people["owner"], first.id)
    tell(desk, *services(25, 1))
    assert len(seen.members(desk, first.id)) == 6
    incidents.cancel(desk, people["lead"], first.id, "duplicate", "The others say it.", target=first.id - 1)
    tell(desk, *services(26, 3))
    assert names(desk)[-1] == "storm"
    assert seen.incidents(desk)[-1].id != first.id


@pytest.mark.feature("I13")
def test_a_member_of_a_storm_recovers_and_fires_again_in_its_ticket(desk: Desk, clock: Clock) -> None:
    tell(desk, *services(0, 22))
    taken = [row.labels["service"] for row in seen.alerts(desk) if row.incident_id == seen.incidents(desk)[-1].id]
    clock.advance(minutes=5)
    tell(desk, *(wire.alert(START, START + timedelta(minutes=5), service=name) for name in taken))
    ticket = seen.incidents(desk)[-1]
    assert ticket.auto_recovered
    tell(desk, wire.alert(START + timedelta(minutes=6), service=taken[0]))
    assert len(taken) == 2
    again = seen.ticket(desk, ticket.id)
    assert (again.auto_recovered, again.occurrences, len(names(desk))) == (False, 3, 21)


@pytest.mark.feature("I13")
def test_workers_that_race_open_one_storm(desk: Desk) -> None:
    for i in range(12):
        wire.send(desk, wire.body(*services(i * 4, 4)))
    gate, faults = threading.Barrier(2), []

    def work() -> None:
        try:
            gate.wait()
            while slices.step(desk, 4):
                pass
        except Exception as error:  # noqa: BLE001 - told to the test
            faults.append(error)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not faults, faults
    assert sorted(names(desk)) == ["default"] * 20 + ["storm"]
    assert sum(len(seen.members(desk, row.id)) for row in seen.incidents(desk)) == 48


# --- at size -------------------------------------------------------------------------------------------------------


def figures(desk: Desk) -> dict[str, int]:
    with desk.read() as tx:
        tables = {"alerts": alert, "episodes": episode, "members": member, "tickets": incident, "storms": storm}
        return {name: tx.run(select(func.count()).select_from(table)).scalar_one() for name, table in tables.items()}


def paging(desk: Desk) -> dict[str, Actor]:
    desk.config = replace(desk.config, mail=Mail(host="mail"))
    return crew(desk)


def paged(desk: Desk) -> list[int]:
    """Messages by what became of them: sent at once, held back, digests."""
    with desk.read() as tx:
        rows = tx.run(select(outbox.c.event, outbox.c.state, outbox.c.incident_id)).all()
    at_once = {row.incident_id for row in rows if row.event == "opened" and row.state == "pending"}
    held = {row.incident_id for row in rows if row.event == "opened" and row.state in ("held", "digested")}
    return [len(at_once), len(held), sum(row.event == "storm" for row in rows)]


@pytest.mark.feature("I13", "N5")
def test_thousands_in_one_post(desk: Desk, clock: Clock) -> None:
    """No two are siblings, of one name: 20 tickets and that of the storm."""
    paging(desk)
    tell(desk, *services(0, SIZE, severity="critical"))
    assert figures(desk) == {"alerts": SIZE, "episodes": SIZE, "members": SIZE, "tickets": 21, "storms": 1}
    assert paged(desk) == [20, 1, 0]


@pytest.mark.feature("I13", "N5")
def test_thousands_of_names_from_eight_senders(desk: Desk, clock: Clock) -> None:
    """Each its own name and ticket, one a post: everything is stored, and the team gets its budget and one digest."""
    people = paging(desk)
    count = SIZE // 10
    posts = [wire.body(wire.alert(START, alertname=f"Name{i}", severity="critical")) for i in range(count)]
    threads = [threading.Thread(target=post, args=(desk, posts[i::8], clock.now())) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    apply.run_all(desk)
    found = figures(desk)
    assert (found["alerts"], found["tickets"], found["members"]) == (count, count, count)
    assert paged(desk) == [20, count - 20, 0]
    assert digests.run_due(desk) == 0
    clock.advance(minutes=1)
    leads = 2
    assert digests.run_due(desk) == leads
    assert paged(desk) == [20, count - 20, leads]
    assert digests.run_due(desk) == 0
    assert people


def post(desk: Desk, bodies: list[bytes], at: datetime) -> None:
    for raw in bodies:
        intake.store(desk, raw, "alertmanager", "am", "application/json", at)
