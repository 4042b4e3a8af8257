"""A delivery is durable before it is acknowledged; requests that wait together share one commit; full is "not now"."""

import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from servicedesk.desk import Desk
from servicedesk.errors import Busy
from servicedesk.services import intake
from servicedesk.store.db import Priority, Tx
from tests.intake import seen, wire
from tests.support.waiting import wait_until


def waiting(desk: Desk) -> int:
    return len(intake._queue(desk).waiting)


class Commits:
    def __init__(self, engine: Engine) -> None:
        self.count = 0
        event.listen(engine, "commit", self)

    def __call__(self, _connection: object) -> None:
        self.count += 1


@contextmanager
def held(desk: Desk) -> Iterator[None]:
    """Nothing can be stored meanwhile."""
    if not desk.db.postgresql:
        with desk.db.writer.hold(Priority.PERSON):
            yield
        return
    release, ready = threading.Event(), threading.Event()

    def lock(tx: Tx) -> None:
        tx.run(text("LOCK TABLE delivery IN ACCESS EXCLUSIVE MODE"))
        ready.set()
        release.wait(30)

    thread = threading.Thread(target=lambda: desk.write(lock))
    thread.start()
    ready.wait(10)
    try:
        yield
    finally:
        release.set()
        thread.join()


def storing(desk: Desk, pool: ThreadPoolExecutor, bodies: list[bytes]) -> list[Callable[[], int]]:
    return [pool.submit(wire.send, desk, raw).result for raw in bodies]


def stuck(desk: Desk) -> bool:
    """Whether a round of ours waits for the held table, with what it took from the queue."""
    locks = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'delivery'::regclass"
    return bool(seen.rows(desk, text(locks)))


def storing_while_held(desk: Desk, pool: ThreadPoolExecutor, bodies: list[bytes]) -> list[Callable[[], int]]:
    """All are under way: on PostgreSQL the first is in its round already and the others wait; on SQLite all wait."""
    if not desk.db.postgresql:
        results = storing(desk, pool, bodies)
        wait_until(lambda: waiting(desk) == len(bodies), what="all to wait")
        return results
    results = storing(desk, pool, bodies[:1])
    wait_until(lambda: stuck(desk), what="the first round")
    results += storing(desk, pool, bodies[1:])
    wait_until(lambda: waiting(desk) == len(bodies) - 1, what="the others to wait")
    return results


def outcome(result: Callable[[], int]) -> type:
    """Of one sender: int, or the kind of error."""
    try:
        return type(result())
    except (Busy, ZeroDivisionError) as error:
        return type(error)


@pytest.mark.feature("I4")
def test_a_body_is_kept_byte_for_byte(desk: Desk) -> None:
    raw = b'\x00\xff{"not": json' + bytes(range(256))
    number = intake.store(desk, raw, "alertmanager", "prod", "text/plain; charset=x", desk.now())
    row = seen.delivered(desk, number)
    assert zlib.decompress(row.body) == raw
    assert (row.size, row.state, row.applied_upto, row.source, row.receiver) == (
        len(raw),
        "stored",
        0,
        "prod",
        "alertmanager",
    )
    assert (row.content_type, row.received_at) == ("text/plain; charset=x", desk.now())


@pytest.mark.feature("I4")
def test_what_waits_together_is_committed_together(desk: Desk) -> None:
    bodies = [b"%d" % i for i in range(12)]
    commits = Commits(desk.db.write_engine)
    with ThreadPoolExecutor(12) as pool:
        with held(desk):
            results = storing_while_held(desk, pool, bodies)
            before = commits.count
        numbers = [result() for result in results]
    assert sorted(numbers) == sorted(set(numbers))
    assert commits.count - before <= 3
    for raw, number in zip(bodies, numbers, strict=True):
        assert zlib.decompress(seen.delivered(desk, number).body) == raw
    assert waiting(desk) == 0


@pytest.mark.feature("I4")
def test_a_storm_of_senders_gets_every_delivery_stored(desk: Desk) -> None:
    bodies = [b"%d" % i for i in range(120)]
    with ThreadPoolExecutor(12) as pool:
        numbers = [result() for result in storing(desk, pool, bodies)]
    stored = {number: zlib.decompress(seen.delivered(desk, number).body) for number in numbers}
    assert [stored[number] for number in numbers] == bodies


@pytest.mark.feature("I4")
def test_a_full_queue_is_not_now(desk: Desk) -> None:
    desk.config = replace(desk.config, http=replace(desk.config.http, max_waiting=3))
    with ThreadPoolExecutor(6) as pool, held(desk):
        results = storing_while_held(desk, pool, [b"1", b"2", b"3"] + [b"4"] * desk.db.postgresql)
        with pytest.raises(Busy, match="wait already"):
            wire.send(desk, b"one too many")
    assert all(result() for result in results)


@pytest.mark.feature("I4")
def test_a_failing_database_is_not_now_for_all_that_waited(desk: Desk) -> None:
    def broken(*_: object) -> None:
        raise OperationalError("INSERT", {}, Exception("disk full"))

    with ThreadPoolExecutor(4) as pool:
        with held(desk):
            results = storing_while_held(desk, pool, [b"%d" % i for i in range(4)])
            event.listen(desk.db.write_engine, "before_cursor_execute", broken)
        outcomes = [outcome(result) for result in results]
    event.remove(desk.db.write_engine, "before_cursor_execute", broken)
    assert outcomes.count(Busy) == (3 if desk.db.postgresql else 4)  # there one was under way already
    assert wire.send(desk, b"again")
    assert len(seen.rows(desk, text("SELECT size FROM delivery"))) == outcomes.count(int) + 1


@pytest.mark.feature("I4")
def test_a_fault_of_ours_is_not_now_for_the_others_and_the_queue_goes_on(desk: Desk) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    with ThreadPoolExecutor(3) as pool:
        with held(desk):
            results = storing_while_held(desk, pool, [b"%d" % i for i in range(3)])
            event.listen(desk.db.write_engine, "before_cursor_execute", broken)
        outcomes = {outcome(result) for result in results}
    event.remove(desk.db.write_engine, "before_cursor_execute", broken)
    assert {Busy, ZeroDivisionError} <= outcomes
    assert wire.send(desk, b"again")


@pytest.mark.feature("I4")
def test_a_sender_does_not_wait_for_ever(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "PATIENCE", 0.05)
    with ThreadPoolExecutor(2) as pool:
        with held(desk):
            (leader,) = storing(desk, pool, [b"1"])
            wait_until(lambda: intake._queue(desk).led, what="the leader")
            with pytest.raises(Busy, match="too long"):
                wire.send(desk, b"impatient")
        assert leader()
    sizes = [row.size for row in seen.rows(desk, text("SELECT size FROM delivery"))]
    assert sizes in ([1], [1, len(b"impatient")])  # told 503: it may be there or not


def test_a_stored_delivery_wakes_the_worker(desk: Desk) -> None:
    before = desk.wake.count(intake.TOPIC)
    wire.send(desk, b"x")
    assert desk.wake.count(intake.TOPIC) == before + 1


def test_large_bodies_share_a_commit_only_up_to_a_size(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_ROUND_BYTES", 40)
    rounds: list[int] = []
    insert = intake._insert

    def counted(tx: Tx, own: Desk, rows: list[dict[str, object]]) -> list[int]:
        rounds.append(len(rows))
        return insert(tx, own, rows)

    monkeypatch.setattr(intake, "_insert", counted)
    with ThreadPoolExecutor(6) as pool:
        with held(desk):
            results = storing_while_held(desk, pool, [bytes([i]) * 30 for i in range(6)])
        assert len({result() for result in results}) == 6
    assert sum(rounds) == 6
    assert max(rounds) < 5
