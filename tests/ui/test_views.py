"""The queue's read model: pages join to the whole list whatever the filter, few statements, indexes in their plans."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, insert

from servicedesk.desk import Desk
from servicedesk.domain.incident import STATES
from servicedesk.errors import BadInput
from servicedesk.store.db import Tx
from servicedesk.store.tables import alert, incident, member
from servicedesk.store.views import queue, ticket, timeline
from servicedesk.store.views.paging import cursor_of, read_cursor
from tests.support.clock import START
from tests.support.pages import person

Row = tuple[str, int | None]


def put(desk: Desk, rows: list[Row], owner: int | None = None, source: str = "") -> None:
    """Tickets as the queue sees them; triggers bar `closed` here, so that state is left to the stories."""

    def change(tx: Tx) -> None:
        same = {"type": "incident", "created_at": START, "updated_at": START, "owner_id": owner}
        same |= {"service_label": "till", "source": source}
        for i, (status, priority) in enumerate(rows):
            given = {"status": status, "priority": priority, "title": f"Ticket {i} of till"}
            tx.run(insert(incident).values(same | given))

    desk.write(change)


def walk(desk: Desk, wanted: queue.Filter, limit: int, sort: str = "queue") -> list[queue.Row]:
    found: list[queue.Row] = []
    cursor = ""
    with desk.read() as tx:
        while True:
            page = queue.tickets(tx, wanted, sort=sort, cursor=cursor, limit=limit)
            assert len(page.items) <= limit
            found += page.items
            if page.next is None:
                return found
            assert page.items, "a page with a next one is not empty"
            cursor = page.next


def expected(rows: list[queue.Row]) -> list[int]:
    """In the words of the module: state, those without priority first, priority, the longest waiting first."""

    def key(r: queue.Row) -> tuple[int, bool, int, int]:
        return (STATES.index(r.status), r.priority is not None, r.priority or 0, r.id)

    return [r.id for r in sorted(rows, key=key)]


OPEN = [s for s in STATES if s != "closed"]
ROWS = st.lists(st.tuples(st.sampled_from(OPEN), st.sampled_from([None, 1, 2, 3, 4, 5])), max_size=40)


@pytest.mark.feature("T5")
def test_pages_of_any_size_join_to_the_whole_queue(desk: Desk) -> None:
    numbers = itertools.count()

    @given(ROWS, st.integers(1, 12), st.lists(st.sampled_from(OPEN), max_size=3, unique=True))
    def holds(rows: list[Row], limit: int, statuses: list[str]) -> None:
        source = f"example {next(numbers)}"  # tickets are never deleted, so every example has its own
        put(desk, rows, source=source)
        wanted = queue.Filter(statuses=tuple(statuses), every_status=not statuses, source=source)
        whole = walk(desk, wanted, 500)
        paged = walk(desk, wanted, limit)
        assert [r.id for r in paged] == [r.id for r in whole] == expected(whole)
        assert len(whole) == sum(1 for status, _p in rows if not statuses or status in statuses)
        for sort, backwards in (("newest", True), ("oldest", False)):
            assert [r.id for r in walk(desk, wanted, limit, sort)] == sorted((r.id for r in whole), reverse=backwards)

    holds()


def test_filters_narrow(desk: Desk) -> None:
    ada = person(desk, "ada", "agent")
    put(desk, [("new", 1), ("in_progress", 2)])
    put(desk, [("pending", 3)], owner=ada.id)

    def count(**wanted: Any) -> int:
        return len(walk(desk, queue.Filter(**wanted), 50))

    assert count() == 3
    assert count(unassigned=True) == 2
    assert count(owner=ada.id) == count(owner_name="ada") == 1
    assert count(owner_name="nobody") == count(team_name="nowhere") == 0
    assert count(priorities=(1, 3)) == 2
    assert count(service_name="till") == 3
    assert count(text="ticket 0") == 2
    assert count(text="INC-2") == 1
    assert count(text="100%") == 0
    assert count(opened_after=START + timedelta(seconds=1)) == 0


def test_labels_and_tags_are_matched_whole(desk: Desk) -> None:
    put(desk, [("new", 1), ("new", 2)])
    values = {"labels": {"pod": 'a","evil":"yes', "host": "web-1"}, "tags": ["disk", 'x","y']}
    desk.write(lambda tx: tx.run(incident.update().where(incident.c.priority == 1).values(values)))

    def count(**wanted: Any) -> int:
        return len(walk(desk, queue.Filter(**wanted), 50))

    assert count(labels=(("host", "web-1"),)) == 1
    assert count(labels=(("host", "web"),)) == 0
    assert count(labels=(("evil", "yes"),)) == 0
    assert count(tag="disk") == 1
    assert count(tag="y") == count(tag="dis") == 0


@contextmanager
def statements(desk: Desk) -> Iterator[list[str]]:
    seen: list[str] = []

    def watch(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement != "BEGIN":
            seen.append(statement)

    engine = desk.db._read_engine
    event.listen(engine, "before_cursor_execute", watch)
    yield seen
    event.remove(engine, "before_cursor_execute", watch)


@pytest.mark.parametrize("many", [1, 30])
def test_the_number_of_statements_does_not_grow_with_the_rows(desk: Desk, many: int) -> None:
    put(desk, [("new", 1)] * many)
    with statements(desk) as seen, desk.read() as tx:
        queue.tickets(tx, queue.Filter(), limit=50)
    assert len(seen) <= 13, seen


def test_the_statements_of_a_ticket_do_not_grow_with_its_alerts(desk: Desk) -> None:
    put(desk, [("new", 1), ("new", 1)])

    def change(tx: Tx) -> None:
        for i in range(300):
            values = {
                "digest": i.to_bytes(32, "big"), "source": "a", "key": bytes(32), "name": f"A{i}", "labels": {},
                "annotations": {}, "clears": True, "status": "firing" if i % 2 else "recovered", "starts_at": START,
                "first_seen": START, "last_seen": START, "last_seq": 1, "count": 1,
            }  # fmt: skip
            alert_id = tx.run(insert(alert).values(values).returning(alert.c.id)).scalar_one()
            tx.run(insert(member).values(incident_id=1, alert_id=alert_id, added_at=START))

    desk.write(change)
    counts = []
    for number in (1, 2):
        with statements(desk) as seen, desk.read() as tx:
            shown = ticket.members(tx, number)
            found = ticket.find(tx, number)
            assert found is not None
            ticket.related(tx, found)
            timeline.entries(tx, number)
        counts.append(len(seen))
        if number == 1:
            assert len(shown) == ticket.MEMBERS_SHOWN
            assert {a.status for a in shown[:150]} == {"firing"}, "what fires is shown first"
    assert counts[0] - counts[1] <= 1


def test_the_queue_reads_through_indexes(sqlite_database: str, tmp_path: Any) -> None:
    """SQLite says so itself: no scan of the table, no sorting of it."""
    from servicedesk.config import Config
    from servicedesk.desk import open_desk

    desk = open_desk(Config(data_dir=str(tmp_path / "data"), database_url=sqlite_database))
    put(desk, [("new", n % 5 + 1) for n in range(50)])
    with statements(desk) as seen, desk.read() as tx:
        queue.tickets(tx, queue.Filter(), limit=20)
        queue.tickets(tx, queue.Filter(owner=1), limit=20)
        queue.tickets(tx, queue.Filter(every_status=True), sort="newest", limit=20)
        plans = []
        for statement in [s for s in seen if s.lstrip().startswith("SELECT incident.id, incident.priority")]:
            marks = statement.count("?")
            plan = tx.conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple([1] * marks)).all()
            plans.append([str(row[3]) for row in plan])
    desk.close()
    assert len(plans) > 10
    for plan in plans:
        by_number = plan == ["SCAN incident"]  # the table itself is in the order of numbers, and is left after a page
        assert by_number or all(step.startswith("SEARCH incident USING") for step in plan), plan


@given(st.lists(st.one_of(st.integers(-(2**53), 2**53), st.text(max_size=20), st.none()), max_size=4))
def test_cursors_come_back_as_they_were(values: list[int | str | None]) -> None:
    kinds = [type(v) if v is not None else int for v in values]
    assert read_cursor(cursor_of(*values), *kinds) == tuple(values)


@given(st.text(max_size=60))
def test_a_cursor_that_somebody_made_up_is_refused(made_up: str) -> None:
    try:
        found = read_cursor(made_up, int)
    except BadInput:
        return
    assert found is None or isinstance(found[0], int | None)
