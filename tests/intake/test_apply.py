"""Stored deliveries are applied exactly once, whatever is in them and whoever applies them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event as hooks
from sqlalchemy import select, text

from servicedesk.desk import Desk
from servicedesk.errors import Busy
from servicedesk.services import apply
from servicedesk.services.shared import attach, observe, slices
from servicedesk.store.db import Tx
from servicedesk.store.tables import correlation, delivery, incident
from tests.intake import seen
from tests.intake.wire import alert, body, send, tell
from tests.support.clock import START, Clock


@pytest.mark.feature("I4", "I9")
def test_repeats_are_observations(desk: Desk, clock: Clock) -> None:
    first = tell(desk, alert(START))
    clock.advance(minutes=5)
    last = tell(desk, alert(START) | {"annotations": {"summary": "Disk fuller"}})
    row, (event,) = seen.only_alert(desk), seen.events(desk)
    assert (row.count, row.last_seen, row.last_seq, row.summary) == (2, clock.now(), last, "Disk fuller")
    assert (event.count, event.first_seq, event.last_seq, event.first_at) == (2, first, last, START)
    assert len(seen.episodes(desk)) == 1
    assert seen.only_ticket(desk).occurrences == 1
    assert seen.told(desk, seen.only_ticket(desk).id) == ["opened"]


def test_what_an_older_message_said_does_not_come_back(desk: Desk) -> None:
    old = send(desk, body(alert(START) | {"annotations": {"summary": "old"}}))
    new = send(desk, body(alert(START) | {"annotations": {"summary": "new"}}))
    for number in (new, old):
        slices.step(desk, only=number)
    assert (seen.only_alert(desk).summary, seen.only_alert(desk).count) == ("new", 2)


@pytest.mark.feature("I4")
def test_equal_content_in_one_body_is_counted_once_each(desk: Desk) -> None:
    tell(desk, alert(START), alert(START), alert(START))
    assert (seen.only_alert(desk).count, len(seen.events(desk))) == (3, 1)


@pytest.mark.feature("I6")
def test_sources_keep_apart(desk: Desk) -> None:
    tell(desk, alert(START), source="one")
    tell(desk, alert(START), source="two")
    assert seen.only_alert(desk, "one").key == seen.only_alert(desk, "two").key
    assert seen.only_ticket(desk, "one").id != seen.only_ticket(desk, "two").id


@pytest.mark.feature("I4")
def test_a_large_delivery_is_applied_in_slices(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []
    parse = slices.parse
    monkeypatch.setattr(slices, "parse", lambda *a: parsed.append(1) or parse(*a))
    number = send(desk, body(*[alert(START, instance=f"i{n}") for n in range(130)]))
    assert slices.step(desk, 50) == 50
    row = seen.delivered(desk, number)
    assert (row.state, row.applied_upto, row.events) == ("stored", 50, 130)
    assert len(seen.alerts(desk)) == 50
    assert slices.step(desk, 50) == 50
    assert slices.step(desk, 50) == 31  # 30 entries, and the delivery is done
    assert slices.step(desk, 50) == 0
    assert (seen.delivered(desk, number).state, len(seen.alerts(desk))) == ("done", 130)
    assert seen.only_ticket(desk).occurrences == 130
    assert len(parsed) == 1


@pytest.mark.feature("I4")
def test_many_small_deliveries_share_a_slice(desk: Desk) -> None:
    numbers = [send(desk, body(alert(START, instance=f"i{n}"))) for n in range(20)]
    assert slices.step(desk) == 40
    assert {seen.delivered(desk, n).state for n in numbers} == {"done"}


@pytest.mark.feature("I4")
def test_what_was_applied_before_a_crash_is_not_applied_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that dies before the commit leaves nothing; the next one begins at the same entry."""
    send(desk, body(*[alert(START, instance=f"i{n}") for n in range(10)]))
    slices.step(desk, 4)
    monkeypatch.setattr(desk, "fault", die_at("apply.before_done"))
    with pytest.raises(Killed):
        slices.step(desk, 4)
    monkeypatch.undo()
    assert [row.count for row in seen.alerts(desk)] == [1] * 4
    apply.run_all(desk)
    assert [row.count for row in seen.alerts(desk)] == [1] * 10
    assert seen.only_ticket(desk).occurrences == 10


class Killed(BaseException):
    """As good as SIGKILL: nobody may catch it."""


def die_at(point: str) -> Any:
    def fault(name: str) -> None:
        if name == point:
            raise Killed

    return fault


@pytest.mark.feature("I5")
@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"hello", b'{"version": "4"}'])
def test_a_body_that_cannot_be_read_is_a_dead_letter(desk: Desk, raw: bytes) -> None:
    number = send(desk, raw)
    good = send(desk, body(alert(START)))
    apply.run_all(desk)
    row = seen.delivered(desk, number)
    assert (row.state, row.applied_upto) == ("dead", 0)
    assert row.error
    assert seen.letters(desk, number) == {-1: row.error}
    assert seen.delivered(desk, good).state == "done"


@pytest.mark.feature("I5")
def test_a_receiver_that_is_gone_is_a_dead_letter(desk: Desk) -> None:
    number = send(desk, body(alert(START)), receiver="old-name")
    apply.run_all(desk)
    assert "old-name" in seen.delivered(desk, number).error


@pytest.mark.feature("I5")
def test_a_receiver_that_fails_is_a_dead_letter(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_raw: bytes) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(desk, "receivers", {"x": type("R", (), {"parse": staticmethod(broken)})})
    number = send(desk, b"", receiver="x")
    apply.run_all(desk)
    assert "ZeroDivisionError: oh" in seen.delivered(desk, number).error


@pytest.mark.feature("I5")
def test_a_faulty_entry_costs_no_sibling(desk: Desk) -> None:
    bad = alert(START) | {"startsAt": "soon"}
    number = tell(desk, alert(START, instance="a"), bad, alert(START, instance="b"), 7)
    row = seen.delivered(desk, number)
    assert (row.state, row.applied_upto, row.events) == ("done", 4, 4)
    assert {a.labels["instance"] for a in seen.alerts(desk)} == {"a", "b"}
    assert list(seen.letters(desk, number)) == [1, 3]


@pytest.mark.feature("I5")
@pytest.mark.parametrize("bad", [{0}, {5}, {9}, {2, 3}, {0, 4, 9}, set(range(10))])
def test_an_event_that_cannot_be_applied_is_found_by_halving(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, bad: set[int]
) -> None:
    break_on(monkeypatch, {f"i{n}" for n in bad})
    number = tell(desk, *[alert(START, instance=f"i{n}") for n in range(10)])
    other = tell(desk, alert(START, instance="other"))
    assert set(seen.letters(desk, number)) == bad
    assert {a.labels["instance"] for a in seen.alerts(desk)} == {"other"} | {f"i{n}" for n in range(10) if n not in bad}
    assert all(a.count == 1 for a in seen.alerts(desk))
    assert (seen.delivered(desk, number).state, seen.delivered(desk, other).state) == ("done", "done")


def break_on(monkeypatch: pytest.MonkeyPatch, instances: set[str]) -> None:
    """As if the database, or we, could not bear these alerts."""
    carry_out = attach.follow

    def picky(tx: Tx, desk: Desk, judged: list[observe.Judged]) -> None:
        if any(j.event and j.event.labels.get("instance") in instances for j in judged):
            raise ValueError("cannot bear it\x00")
        carry_out(tx, desk, judged)

    monkeypatch.setattr(attach, "follow", picky)


@pytest.mark.feature("I4")
def test_a_database_that_is_away_makes_no_dead_letter(desk: Desk) -> None:
    number = send(desk, body(alert(START)))

    def away(*_: Any) -> None:
        raise Busy("away")

    hooks.listen(desk.db.write_engine, "commit", away)
    with pytest.raises(Busy):
        apply.run_all(desk)
    hooks.remove(desk.db.write_engine, "commit", away)
    assert (seen.letters(desk, number), seen.delivered(desk, number).state) == ({}, "stored")
    apply.run_all(desk)
    assert seen.only_alert(desk).count == 1


def test_truncated_alerts_are_kept_with_the_delivery(desk: Desk) -> None:
    number = send(desk, body(alert(START), truncatedAlerts=7))
    apply.run_all(desk)
    assert seen.delivered(desk, number).truncated == 7


def test_an_empty_delivery_is_done(desk: Desk) -> None:
    numbers = [send(desk, body()), send(desk, body(alert(START)))]
    apply.run_all(desk)
    assert [seen.delivered(desk, n).state for n in numbers] == ["done", "done"]


@pytest.mark.feature("I6")
def test_nul_and_lone_surrogates_are_shown_and_searchable(desk: Desk) -> None:
    tell(desk, alert(START, evil="a\x00b") | {"annotations": {"summary": "x\x00y\ud800"}})
    row = seen.only_alert(desk)
    assert (row.labels["evil"], row.summary) == ("a\\u0000b", "x\\u0000y\\ud800")
    assert "\\u0000" in seen.only_ticket(desk).title


@pytest.mark.feature("I4", "I9")
def test_several_appliers_race_without_loss_or_double(desk: Desk) -> None:
    """The same new alerts in many deliveries, applied by four threads at once: no error, one ticket, exact counts."""
    numbers = [send(desk, body(*[alert(START, instance=f"i{n}") for n in range(8)])) for _ in range(16)]

    def work() -> None:
        while slices.step(desk, 20):
            pass

    with ThreadPoolExecutor(4) as pool:
        for worker in [pool.submit(work) for _ in range(4)]:
            worker.result()  # raises what went wrong there
    apply.run_all(desk)  # what one passed over while another held it
    assert {seen.delivered(desk, n).state for n in numbers} == {"done"}
    assert all(seen.letters(desk, n) == {} for n in numbers)
    assert [row.count for row in seen.alerts(desk)] == [16] * 8
    assert seen.only_ticket(desk).occurrences == 8
    assert len(seen.members(desk, seen.only_ticket(desk).id)) == 8


@pytest.mark.feature("I7")
def test_racing_siblings_join_one_ticket(desk: Desk) -> None:
    """Each delivery holds another new sibling: the correlation row settles who opens."""
    for n in range(12):
        send(desk, body(alert(START, instance=f"i{n}")))
    with ThreadPoolExecutor(4) as pool:
        for worker in [pool.submit(slices.step, desk, 1) for _ in range(12)]:
            worker.result()
    apply.run_all(desk)
    assert len(seen.members(desk, seen.only_ticket(desk).id)) == 12
    (row,) = seen.rows(desk, select(correlation))
    assert (row.incident_id, row.began_at, row.until) == (
        seen.only_ticket(desk).id,
        START,
        START + timedelta(minutes=10),
    )


@pytest.mark.postgres
def test_a_delivery_that_another_worker_holds_is_passed_over(desk: Desk) -> None:
    if not desk.db.postgresql:
        return
    held, other = send(desk, body(alert(START))), send(desk, body(alert(START, instance="b")))
    ready, release = threading.Event(), threading.Event()

    def hold(tx: Tx) -> None:
        tx.run(select(delivery.c.id).where(delivery.c.id == held).with_for_update())
        ready.set()
        release.wait(30)

    thread = threading.Thread(target=lambda: desk.write(hold))
    thread.start()
    ready.wait(10)
    apply.run_all(desk)
    assert (seen.delivered(desk, held).state, seen.delivered(desk, other).state) == ("stored", "done")
    release.set()
    thread.join()
    apply.run_all(desk)
    assert seen.delivered(desk, held).state == "done"


def test_statements_of_a_slice_do_not_grow_with_its_events(desk: Desk) -> None:
    def statements(count: int, prefix: str) -> int:
        send(desk, body(*[alert(START, instance=f"{prefix}{n}") for n in range(count)]))
        found: list[str] = []
        hooks.listen(desk.db.write_engine, "before_cursor_execute", lambda *a: found.append(a[2]))
        slices.step(desk)
        return len(found)

    statements(1, "warm")
    few, many = statements(2, "a"), statements(200, "b")
    assert many == few
    with desk.read() as tx:
        assert tx.run(select(incident.c.id)).scalars().all()
        assert tx.run(text("SELECT count(*) FROM alert")).scalar() == 203
