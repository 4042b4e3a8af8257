"""The listening part of a process: sockets, the door to the store, and figures every few seconds."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from alert_receivers.syslog import sockets
from alert_receivers.syslog.line import TRANSPORTS, Line, Transport
from alert_receivers.syslog.listener import Counts, Limits, Listener
from alert_receivers.syslog.sockets import Endpoint
from alert_receivers.syslog.tls import Tls, TlsSettings
from servicedesk import metrics
from servicedesk.config import Config
from servicedesk.desk import Desk
from servicedesk.errors import Busy, ConfigError
from servicedesk.services import intake, syslog
from servicedesk.services.shared import lines as shared
from servicedesk.services.shared import pressure

log = structlog.get_logger("servicedesk.syslog")
NOTED_EVERY = 5.0  # seconds between figures
PRUNED_EVERY = 3600.0
GAUGED_EVERY = 1.0
BEHIND = 2  # batches that wait to be stored: then other work of this process gives way


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the configuration asks for. notes: sentences about what does not listen, for the one who starts it."""

    endpoints: tuple[Endpoint, ...]
    tls: Tls | None
    notes: tuple[str, ...]


def wanted(config: Config) -> Wanted:
    """Raises ConfigError for an address or certificate that does not work."""
    binds = {
        "udp": config.syslog.udp.bind,
        "tcp": config.syslog.tcp.bind,
        "tls": config.syslog.tls.bind,
        "relp": config.syslog.relp.bind,
    }
    notes: list[str] = []
    tls = None
    if binds["tls"]:
        tls = _tls(config)
        if tls is None:
            binds["tls"] = ""
            if config.origins.get("syslog.tls.bind"):
                notes.append("syslog.tls: no certificate is configured, so nothing listens for TLS.")
    endpoints = tuple(_endpoint(transport, binds[transport]) for transport in TRANSPORTS if binds[transport])
    return Wanted(endpoints, tls, tuple(notes))


def _tls(config: Config) -> Tls | None:
    c = config.syslog.tls
    if not c.certificate:
        return None
    if c.clients and not c.client_ca:
        raise ConfigError("syslog.tls.clients needs syslog.tls.client_ca: without it no client shows a certificate")
    try:
        return Tls(TlsSettings(c.certificate, c.key, c.client_ca, c.clients))
    except OSError as error:
        raise ConfigError(f"syslog.tls: {c.certificate} and its key cannot be used: {error}") from error


def _endpoint(transport: Transport, bind: str) -> Endpoint:
    host, _, port = bind.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not port.isdigit() or int(port) > 65_535 or (":" in host and not bind.startswith("[")):
        raise ConfigError(f"syslog.{transport}.bind: {bind!r} is no address and port: write one like 0.0.0.0:5514")
    return Endpoint(transport, "" if host == "*" else host, int(port))


class Listening:
    """Sockets are taken at once, so that a port that is in use is known before anything else starts.

    alone: no other process listens here, so the ports are not shared, and a default one that somebody else has is
    told in `notes` instead of being an error. Raises ConfigError.
    """

    def __init__(self, desk: Desk, alone: bool) -> None:
        self.desk = desk
        asked = wanted(desk.config)
        self.notes = list(asked.notes)
        self.sieve = syslog.Sieve(desk)
        c = desk.config.syslog
        limits = Limits(
            message=c.message_limit,
            connections=c.connections,
            udp_buffer=c.udp.buffer,
            max_lines=c.max_waiting,
        )
        self.listener = Listener(self._store, self._trouble, limits, asked.tls)
        self._open(asked, alone)
        behind, listener = BEHIND * limits.batch_lines, self.listener
        pressure.watch(desk, lambda: listener.waiting > behind)
        self._run: int | None = None
        self._seen = _Seen()
        self._stopping = threading.Event()
        self._notes = threading.Thread(target=self._note_often, name="syslog-figures", daemon=True)

    @property
    def addresses(self) -> list[tuple[Transport, str, int]]:
        return self.listener.addresses

    def start(self) -> None:
        self.listener.start()
        self._notes.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Store what was taken, answer, close; lines that cannot be stored in time are counted as dropped."""
        self.listener.stop(timeout)
        self._stopping.set()
        self._notes.join(2.0)
        self._note(ended=True)

    def problem(self) -> str | None:
        """For readiness."""
        return self.listener.problem()

    def _open(self, asked: Wanted, alone: bool) -> None:
        given = sockets.handed_over(os.environ)
        for transport, sock in given:
            if transport == "tls" and asked.tls is None:
                raise ConfigError("a socket for TLS was handed over, but syslog.tls.certificate is empty")
            self.listener.add(transport, sock)
        taken = {transport for transport, _ in given}
        for endpoint in asked.endpoints:
            if endpoint.transport in taken:
                continue
            try:
                self.listener.add(endpoint.transport, sockets.bind(endpoint, reuse_port=not alone))
            except OSError as error:
                self._refused(endpoint, error, alone)

    def _refused(self, endpoint: Endpoint, error: OSError, alone: bool) -> None:
        key = f"syslog.{endpoint.transport}.bind"
        where = f"{endpoint.host or '*'}:{endpoint.port}"
        why = f"{key}: {where} cannot be taken: {error.strerror or error}"
        if not alone or key in self.desk.config.origins:
            raise ConfigError(why) from error
        self.notes.append(f"{why}. Nothing listens for syslog by {endpoint.transport}.")

    # --- the way of a batch -----------------------------------------------------------------------------------------

    def _store(self, lines: Sequence[Line]) -> None:
        """Durable when this returns. Raises Busy."""
        sifted = self.sieve.sift(lines)
        if sifted.kept:
            raw = shared.encode(sifted.kept)
            receiver = shared.RECEIVER
            intake.store(self.desk, raw, receiver, receiver, shared.CONTENT_TYPE, self.desk.now())
            metrics.delivery(receiver, "stored")
        self.sieve.count(sifted)

    def _trouble(self, error: Exception, tries: int) -> None:
        if tries in (1, 10) or tries % 100 == 0:
            if isinstance(error, Busy):
                log.warning("syslog waits for the database", detail=str(error), tries=tries)
            else:
                log.error("a batch of syslog cannot be stored", tries=tries, exc_info=error)

    # --- figures ----------------------------------------------------------------------------------------------------

    def _note_often(self) -> None:
        noted = pruned = time.monotonic()
        self._note()
        while not self._stopping.wait(GAUGED_EVERY):
            self._seen.tell(self.listener.counts(), self.listener.waiting)
            if time.monotonic() - noted >= NOTED_EVERY:
                noted = time.monotonic()
                self._note()
            if time.monotonic() - pruned >= PRUNED_EVERY:
                pruned = time.monotonic()
                self._quietly(lambda: syslog.prune(self.desk))

    def _note(self, ended: bool = False) -> None:
        counts = self.listener.counts()
        self._seen.tell(counts, self.listener.waiting)
        self._quietly(lambda: self._note_run(counts, ended))

    def _note_run(self, counts: Counts, ended: bool) -> None:
        if self._run is None:
            self._run = syslog.begin(self.desk, self.addresses)
        tls = self.listener.tls
        problem = "; ".join(text for text in (self.problem() or "", tls.problem if tls else "") if text)
        syslog.note(self.desk, self._run, self.sieve, counts, problem, ended)

    def _quietly(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Busy as error:
            log.warning("figures of syslog wait for the database", detail=str(error))
        except Exception as error:
            log.error("figures of syslog cannot be written", exc_info=error)


class _Seen:
    """What of the listener's counts is told to the metrics already."""

    def __init__(self) -> None:
        self._kernel = 0
        self._lost: Counter[Transport] = Counter()
        self._connections: Counter[tuple[Transport, str]] = Counter()

    def tell(self, counts: Counts, waiting: int) -> None:
        metrics.syslog_waiting(waiting)
        metrics.syslog_kernel_drops(max(counts.kernel_drops - self._kernel, 0))
        self._kernel = max(counts.kernel_drops, self._kernel)
        for transport, count in counts.lost.items():
            if count > self._lost[transport]:
                metrics.syslog(transport, "dropped", count - self._lost[transport])
                self._lost[transport] = count
        for (transport, what), count in counts.connections.items():
            if what != "cut" and count > self._connections[transport, what]:
                metrics.syslog_connection(transport, what, count - self._connections[transport, what])
                self._connections[transport, what] = count


def silences(desk: Desk) -> int:
    """Job: alerts that silence has ended are told so, by a delivery like any other. Answers how many."""
    found = syslog.silences(desk)
    if found.body:
        intake.store(desk, found.body, shared.RECEIVER, shared.RECEIVER, shared.CONTENT_TYPE, desk.now())
        syslog.silences_stored(desk, found)
    return len(found.told)
