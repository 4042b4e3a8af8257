"""The desk's own failures become tickets by the way of all alerts, once, and are over when the cause is."""

import gzip
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.errors import BadInput
from servicedesk.services import apply, deliveries, selfwatch, tokens
from servicedesk.services.shared import disk
from servicedesk.store import chores
from servicedesk.store.tables import delivery, outbox, refusal, trouble
from tests.api.conftest import Callers
from tests.intake import seen
from tests.intake.test_replay import fail_for
from tests.intake.wire import alert, body
from tests.support.clock import START, Clock
from tests.support.server import Server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.feature("I17")
AM = "/api/v1/receivers/alertmanager"


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the disk of this machine is like."""
    monkeypatch.setattr(disk, "_free", lambda _folder: 0.5)


def bomb() -> bytes:
    return gzip.compress(bytes((64 << 20) + 1), 1)


def look(desk: Desk) -> None:
    """One round of both jobs."""
    selfwatch.look_here(desk)
    selfwatch.run_due(desk)


def own(desk: Desk) -> dict[str, str]:
    """The desk's own alerts: name → status."""
    return {row.name: row.status for row in seen.alerts(desk, "servicedesk")}


def count(desk: Desk, table: Any) -> int:
    return int(seen.rows(desk, select(func.count()).select_from(table))[0][0])


@pytest.mark.parametrize(
    ("reason", "send"),
    [
        ("broken", lambda c: c.call("POST", AM, data=b"\x1f\x8bno", headers={"Content-Encoding": "gzip"})),
        ("too_large", lambda c: c.call("POST", AM, data=bomb(), headers={"Content-Encoding": "gzip"})),
        ("method", lambda c: c.call("PUT", AM, data=b"{}")),
        ("unknown", lambda c: c.call("POST", "/api/v1/receivers/nobody", data=b"{}")),
    ],
)
def test_a_refused_delivery_opens_a_ticket_and_quiet_clears_it(
    callers: Callers, desk: Desk, clock: Clock, reason: str, send: Callable[[Any], Any]
) -> None:
    assert 400 <= send(callers.sender).status_code < 500
    look(desk)
    ticket = seen.only_ticket(desk, "servicedesk")
    assert (ticket.service_label, ticket.priority, ticket.labels["sender"]) == ("servicedesk", 2, "prod-am")
    assert ticket.labels["reason"] == reason
    assert seen.told(desk, ticket.id) == ["opened"]

    clock.advance(minutes=10)
    send(callers.sender)
    look(desk)
    clock.advance(minutes=10)
    look(desk)
    assert own(desk) == {"ServiceDeskDeliveriesRefused": "firing"}

    clock.advance(minutes=6)
    look(desk)
    assert own(desk) == {"ServiceDeskDeliveriesRefused": "recovered"}
    assert seen.only_ticket(desk, "servicedesk").auto_recovered


def test_a_token_that_has_ended_names_its_sender_and_strangers_are_nobody(callers: Callers, desk: Desk) -> None:
    token = tokens.create(desk, Actor(None, "op", frozenset({"admin"})), service="am", scopes=("ingest",), source="old")
    tokens.revoke(desk, Actor(None, "op", frozenset({"admin"})), token.split("_")[1])
    client = callers.app.test_client()
    for header in (f"Bearer {token}", "Bearer sd_wrong_wrong", ""):
        assert client.post(AM, data=b"{}", headers={"Authorization": header} if header else {}).status_code == 401
    assert client.get("/api/v1/incidents", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    look(desk)
    assert [row.labels["sender"] for row in seen.alerts(desk, "servicedesk")] == ["old"]
    rows = seen.rows(desk, select(refusal.c.source, refusal.c.reason, refusal.c.count).order_by(refusal.c.source))
    assert [tuple(row) for row in rows] == [("", "unauthorized", 2), ("old", "unauthorized", 1)]


def test_a_flood_of_refusals_is_one_row_and_one_ticket(callers: Callers, desk: Desk, clock: Clock) -> None:
    for _ in range(3):
        for _ in range(40):
            callers.sender.call("PUT", AM, data=b"{}")
        look(desk)
        clock.advance(seconds=2)
    assert [row.count for row in seen.rows(desk, select(refusal))] == [120]
    assert (count(desk, delivery), len(seen.incidents(desk, "servicedesk"))) == (1, 1)
    for number in range(selfwatch.MOST + 50):
        selfwatch.note_refused(desk, f"s{number}", "broken")
    look(desk)
    assert count(desk, refusal) == 1 + selfwatch.MOST + 1


def test_dead_letters_open_a_ticket_and_replaying_them_clears_it(callers: Callers, desk: Desk) -> None:
    with pytest.MonkeyPatch.context() as patch:
        fail_for(patch, "a")
        number = callers.sender.post(AM, {"alerts": [alert(START, instance="a")]})["delivery"]
        apply.run_all(desk)
    look(desk)
    assert own(desk) == {"ServiceDeskDeadLetters": "firing"}
    deliveries.replay(desk, Actor(None, "lea", frozenset({"lead"})), number)
    look(desk)
    assert own(desk) == {"ServiceDeskDeadLetters": "recovered"}


def test_garbage_is_taken_told_and_over_when_no_more_comes(callers: Callers, desk: Desk, clock: Clock) -> None:
    assert callers.sender.call("POST", AM, data=b"garbage", headers={"Content-Type": "image/png"}).status_code == 200
    apply.run_all(desk)
    look(desk)
    assert own(desk) == {"ServiceDeskDeadLetters": "firing"}
    clock.advance(hours=1)
    look(desk)
    assert own(desk) == {"ServiceDeskDeadLetters": "recovered"}


def test_garbage_of_the_desk_itself_is_no_reason_for_more(desk: Desk, clock: Clock) -> None:
    """Its own dead letters and waiting deliveries are passed over: nothing feeds itself."""
    row = {"receiver": "alertmanager", "content_type": "", "received_at": desk.now(), "body": b"x", "size": 1}
    desk.write(lambda tx: tx.run(insert(delivery), [row | {"source": "servicedesk"}]))
    clock.advance(hours=1)
    look(desk)
    apply.run_all(desk)
    look(desk)
    assert own(desk) == {}


def test_lag_is_told_past_what_waits(callers: Callers, desk: Desk, clock: Clock) -> None:
    callers.sender.post(AM, {"alerts": [alert(START)]})
    clock.advance(minutes=3)
    look(desk)
    assert own(desk) == {"ServiceDeskIngestLag": "firing"}
    assert seen.alerts(desk, "prod-am") == []
    apply.run_all(desk)
    look(desk)
    assert own(desk) == {"ServiceDeskIngestLag": "recovered"}


def test_messages_that_do_not_go_out(callers: Callers, desk: Desk, clock: Clock) -> None:
    callers.sender.post(AM, {"alerts": [alert(START, severity="critical")]})
    apply.run_all(desk)
    desk.write(lambda tx: tx.run(update(outbox).values(tries=3, state="pending")))
    clock.advance(minutes=16)
    look(desk)
    look(desk)
    assert own(desk) == {"ServiceDeskOutboxStuck": "firing"}
    desk.write(lambda tx: tx.run(update(outbox).values(state="sent")))
    look(desk)
    assert own(desk) == {"ServiceDeskOutboxStuck": "recovered"}


def test_a_backup_that_fails_or_never_comes(callers: Callers, desk: Desk, clock: Clock) -> None:
    if desk.db.postgresql:
        object.__setattr__(desk.config.backup, "folder", "backups")
    try:
        due = clock.now() + timedelta(hours=12)
        desk.write(lambda tx: chores.take(tx, "backup", tx.now, due))
        desk.write(lambda tx: chores.ended(tx, "backup", False, "there is no room"))
        look(desk)
        (row,) = seen.alerts(desk, "servicedesk")
        assert (row.name, row.annotations["description"]) == ("ServiceDeskBackupFailed", "there is no room")
        desk.write(lambda tx: chores.ended(tx, "backup", True, "made"))
        clock.advance(hours=15)
        look(desk)
        assert own(desk) == {"ServiceDeskBackupFailed": "recovered", "ServiceDeskBackupOverdue": "firing"}
    finally:
        if desk.db.postgresql:
            object.__setattr__(desk.config.backup, "folder", "")


def test_a_disk_that_is_nearly_full(desk: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    share = 0.05
    monkeypatch.setattr(disk, "_free", lambda _folder: share)
    for _ in range(3):
        look(desk)
        clock.advance(minutes=20)
    (ticket,) = seen.incidents(desk, "servicedesk")
    assert own(desk) == {"ServiceDeskDiskNearlyFull": "firing"}
    assert str(desk.config.data_path) in ticket.title
    share = 0.11
    look(desk)
    assert own(desk) == {"ServiceDeskDiskNearlyFull": "firing"}
    share = 0.5
    look(desk)
    assert own(desk) == {"ServiceDeskDiskNearlyFull": "recovered"}


def test_a_node_that_is_gone_does_not_keep_its_disk_full_for_ever(
    desk: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_free", lambda _folder: 0.05)
    look(desk)
    monkeypatch.setattr("socket.gethostname", lambda: "another")
    clock.advance(minutes=61)
    selfwatch.run_due(desk)
    assert own(desk) == {"ServiceDeskDiskNearlyFull": "recovered"}


def test_several_processes_tell_it_once_and_it_comes_again(callers: Callers, desk: Desk, clock: Clock) -> None:
    with ThreadPoolExecutor(6) as pool:
        for number in range(1, 3):
            callers.sender.call("PUT", AM, data=b"{}")
            selfwatch.look_here(desk)
            list(pool.map(lambda _: selfwatch.run_due(desk), range(6)))
            apply.run_all(desk)
            assert seen.only_alert(desk, "servicedesk").status == "firing"
            assert count(desk, delivery) == 2 * number - 1
            clock.advance(minutes=20)
            list(pool.map(lambda _: selfwatch.run_due(desk), range(6)))
            apply.run_all(desk)
            assert seen.only_alert(desk, "servicedesk").status == "recovered"
            clock.advance(minutes=-5 if number == 1 else 0)
    assert len(seen.episodes(desk, "servicedesk")) == 2
    assert count(desk, trouble) == 1


def test_refusals_that_cannot_be_written_down_are_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    selfwatch.note_refused(desk, "am", "broken")

    def away(*_: object, **__: object) -> None:
        raise RuntimeError("away")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk, "write", away)
        with pytest.raises(RuntimeError):
            selfwatch.look_here(desk)
    selfwatch.note_refused(desk, "am", "broken")
    look(desk)
    assert [row.count for row in seen.rows(desk, select(refusal))] == [2]


def test_nobody_may_send_in_the_desks_name(desk: Desk) -> None:
    admin = Actor(None, "op", frozenset({"admin"}))
    with pytest.raises(BadInput):
        tokens.create(desk, admin, service="x", scopes=("ingest",), source="servicedesk")


def test_wrong_fingerprints_are_counted(callers: Callers, desk: Desk) -> None:
    from servicedesk.metrics import REGISTRY

    told = [alert(START, instance=f"h{n}") | {"fingerprint": "00"} for n in range(64)]
    callers.sender.call("POST", AM, data=body(*told))
    name, of = "servicedesk_fingerprint_mismatches_total", {"source": "prod-am"}
    before = REGISTRY.get_sample_value(name, of) or 0
    apply.run_all(desk)
    assert 0 < (REGISTRY.get_sample_value(name, of) or 0) - before < 64


@pytest.mark.real
def test_garbage_to_the_real_program(server: Server) -> None:
    """Over the wire: what the application refuses, and what the server refuses before it."""
    sender, reader = server.sender(), server.admin("read")
    broken = gzip.compress(b"x" * 100)[:-9]
    assert sender.call("POST", AM[7:], data=broken, headers={"Content-Encoding": "gzip"}).status_code == 400
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(f"POST {AM} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 413")
    counted = server.metrics()
    for result in ("broken", "too_large"):
        assert counted[f'servicedesk_deliveries_total{{receiver="alertmanager",result="{result}"}}'] == 1

    def titles() -> str:
        return " ".join(ticket["title"] for ticket in reader.items("/incidents", source="servicedesk"))

    wait_until(lambda: "prod-am are refused: broken" in titles(), 20, "the desk's ticket about itself")
