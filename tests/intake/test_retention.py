"""Raw deliveries go after a while, and nothing else does; senders wait while the disk is full."""

import shutil
from collections import namedtuple
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from servicedesk.config import Retention
from servicedesk.desk import Desk
from servicedesk.errors import Busy
from servicedesk.services import apply, intake, retention
from servicedesk.services.shared import disk
from servicedesk.store import retention as store
from servicedesk.store.retention import Stock
from servicedesk.store.tables import delivery
from tests.intake import seen
from tests.intake.wire import alert, body
from tests.support.clock import Clock

pytestmark = pytest.mark.feature("O12")


def put(desk: Desk, raw: bytes = b"", receiver: str = "alertmanager") -> int:
    told = raw or body(alert(desk.now(), instance=f"i{desk.now().timestamp()}"))
    return intake.store(desk, told, receiver, "am", "application/json", desk.now())


def held(desk: Desk) -> list[int]:
    return [row.id for row in seen.rows(desk, select(delivery.c.id).order_by(delivery.c.id))]


def stock(desk: Desk, kind: str = store.ALERTS) -> Stock:
    with desk.read() as tx:
        return next(one for one in store.stocks(tx) if one.kind == kind)


def limited(desk: Desk, **limits: float) -> None:
    desk.config = replace(desk.config, retention=Retention(**limits))


def test_done_ones_go_after_their_days(desk: Desk, clock: Clock) -> None:
    first = put(desk)
    unreadable = put(desk, b"not json")
    apply.run_all(desk)
    clock.advance(days=8)
    second = put(desk)
    apply.run_all(desk)
    waiting = put(desk)
    clock.advance(days=7)
    assert retention.run_due(desk) == 1
    assert held(desk) == [unreadable, second, waiting]
    assert {row.count for row in seen.alerts(desk)} == {1}
    assert (stock(desk).count, stock(desk).pruned) == (3, 1)
    clock.advance(days=30)
    assert retention.run_due(desk) == 1
    assert held(desk) == [unreadable, waiting], "dead ones and those that wait stay for ever"
    assert first not in held(desk)
    apply.run_all(desk)
    clock.advance(days=1)
    assert retention.run_due(desk) == 1, "what waited is done now, and is found a day later"
    assert held(desk) == [unreadable]


def test_too_much_goes_oldest_first(desk: Desk, clock: Clock) -> None:
    found = []
    for _ in range(10):
        found.append(put(desk))
        clock.advance(seconds=1)
    apply.run_all(desk)
    clock.advance(minutes=2)
    assert retention.run_due(desk) == 0
    size = stock(desk).bytes
    with desk.read() as tx:
        assert tx.run(select(func.sum(func.length(delivery.c.body)))).scalar() == size
    limited(desk, gb=size * 0.55 / 1e9)
    assert retention.run_due(desk) == 5
    assert held(desk) == found[5:]
    assert (stock(desk).count, stock(desk).pruned) == (5, 5)
    assert stock(desk).bytes + stock(desk).pruned_bytes == size
    assert retention.run_due(desk) == 0


def test_syslog_goes_by_its_own_rule(desk: Desk, clock: Clock) -> None:
    other = put(desk)
    apply.run_all(desk)
    with desk.db.write_engine.begin() as raw:
        raw.execute(delivery.update().values(receiver="syslog"))
    kept = put(desk)
    apply.run_all(desk)
    clock.advance(hours=25)
    assert retention.run_due(desk) == 1
    assert held(desk) == [kept]
    assert other not in held(desk)


def test_small_steps(desk: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP", 2)
    monkeypatch.setattr(retention, "ROUNDS", 2)
    for _ in range(5):
        put(desk)
    apply.run_all(desk)
    clock.advance(days=15)
    assert [retention.run_due(desk), retention.run_due(desk), retention.run_due(desk)] == [4, 1, 0]


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(("free", "stores"), [(3, True), (1, False)])
def test_senders_wait_while_the_disk_is_full(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, free: int, stores: bool
) -> None:
    def usage(_: Any) -> Usage:
        return Usage(100, 100 - free, free)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    monkeypatch.setattr(disk, "_known", {})
    assert disk.free_share(desk) == free / 100
    if stores:
        assert put(desk)
        return
    with pytest.raises(Busy, match=r"only 1\.0% of the disk is free"):
        put(desk)
    assert held(desk) == []
    monkeypatch.undo()
    monkeypatch.setattr(disk, "_known", {})
    assert put(desk), "it goes on by itself"


def test_reading_goes_on_while_the_disk_is_full(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    put(desk)
    apply.run_all(desk)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100, 100, 0))
    monkeypatch.setattr(disk, "_known", {})
    assert seen.only_alert(desk).count == 1
    assert timedelta(0) <= desk.now() - seen.only_alert(desk).last_seen
