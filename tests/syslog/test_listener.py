"""The listener on real sockets: every transport, slow and endless senders, answers only after the store."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from alert_receivers.syslog.line import Line, Mark
from alert_receivers.syslog.listener import Limits, Listener
from alert_receivers.syslog.relp import frame
from alert_receivers.syslog.sockets import Endpoint, bind
from tests.support.waiting import wait_until


class Store:
    """What was handed over; closed, it refuses."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.open = threading.Event()
        self.open.set()

    def __call__(self, batch: Sequence[Line]) -> None:
        if not self.open.is_set():
            raise OSError("not now")
        self.lines += batch

    def texts(self) -> list[bytes]:
        return [line.raw for line in self.lines]


Start = Callable[..., Listener]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def start(store: Store) -> Iterator[Start]:
    running: list[Listener] = []

    def begin(*transports: str, **limits: int) -> Listener:
        listener = Listener(store, lambda _error, _tries: None, Limits(**limits))  # type: ignore[arg-type]
        for transport in transports:
            listener.add(transport, bind(Endpoint(transport, "127.0.0.1", 0)))  # type: ignore[arg-type]
        listener.start()
        running.append(listener)
        return listener

    yield begin
    for listener in running:
        listener.stop(2.0)


def connect(listener: Listener, number: int = 0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", listener.addresses[number][2]), timeout=10)


@pytest.mark.feature("I2")
def test_datagrams_are_messages_whole(start: Start, store: Store) -> None:
    listener = start("udp", message=1_000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for raw in (b"<13>one\ntwo", b"<13>" + b"x" * 5_000, b"\xff\x00"):
            sender.sendto(raw, ("127.0.0.1", listener.addresses[0][2]))
    wait_until(lambda: len(store.lines) == 3, what="three datagrams")
    assert store.texts() == [b"<13>one\ntwo", b"<13>" + b"x" * 996, b"\xff\x00"]
    assert [line.marks for line in store.lines] == [0, Mark.CUT, 0]
    assert listener.counts().received["udp"] == 3


@pytest.mark.feature("I2")
def test_tcp_takes_both_framings_and_marks_the_rest_of_a_line(start: Start, store: Store) -> None:
    listener = start("tcp")
    with connect(listener) as sender:
        sender.sendall(b"5 <13>a<13>b\nrest\n<13>last without line feed")
    wait_until(lambda: len(store.lines) == 4, what="four messages")
    assert store.texts() == [b"<13>a", b"<13>b", b"rest", b"<13>last without line feed"]
    assert [line.marks for line in store.lines] == [0, 0, Mark.CONTINUES, 0]


@pytest.mark.feature("I2")
def test_idle_and_half_frames_hinder_nobody(start: Start, store: Store) -> None:
    listener = start("tcp")
    idle = [connect(listener) for _ in range(100)]
    for half in idle[:30]:
        half.sendall(b"900 <13>never ends")
    with connect(listener) as sender:
        sender.sendall(b"<13>through\n")
        wait_until(lambda: b"<13>through" in store.texts(), 5, "the message of another sender")
    for sock in idle:
        sock.close()
    wait_until(lambda: listener.connected == 0, what="the connections to end")


@pytest.mark.feature("I2", "I4")
def test_relp_answers_only_what_is_stored(start: Start, store: Store) -> None:
    listener = start("relp")
    store.open.clear()
    with connect(listener) as sender:
        sender.sendall(frame(1, b"relp_version=0", b"open") + frame(2, b"<13>keep me", b"syslog"))
        assert b"200 OK" in sender.recv(4_096)
        wait_until(lambda: listener.counts().received["relp"] == 1, what="the message to be taken")
        sender.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sender.recv(100)
        store.open.set()
        sender.settimeout(10)
        assert sender.recv(100) == b"2 rsp 6 200 OK\n"
    assert store.texts() == [b"<13>keep me"]


@pytest.mark.feature("I4")
def test_a_slow_store_holds_senders_back_and_loses_nothing(start: Start, store: Store) -> None:
    listener = start("tcp", max_lines=100, batch_lines=50)
    store.open.clear()
    count = 20_000

    def send() -> None:
        with connect(listener) as sender:
            for n in range(count):
                sender.sendall(b"<13>%d %b\n" % (n, b"x" * 400))

    thread = threading.Thread(target=send)
    thread.start()
    wait_until(lambda: listener.waiting >= 100, what="the inbox to be full")
    held = listener.waiting
    assert thread.is_alive(), "the sender was not held back"
    assert held < 2_000
    store.open.set()
    thread.join(30)
    wait_until(lambda: len(store.lines) == count, 30, "every line")
    assert sorted(int(text[4:].split()[0]) for text in store.texts()) == list(range(count))  # two workers store
