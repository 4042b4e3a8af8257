"""The HTTP server: waitress, with its own loop thread so that it stops gracefully on a signal.

Stopping: the listening socket closes at once, idle connections too; requests that have arrived are answered, those
that are still being sent get a moment; then everything closes.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import structlog
from waitress import wasyncore  # type: ignore[import-untyped]
from waitress.adjustments import Adjustments  # type: ignore[import-untyped]
from waitress.channel import HTTPChannel  # type: ignore[import-untyped]
from waitress.parser import HTTPRequestParser  # type: ignore[import-untyped]
from waitress.server import TcpWSGIServer  # type: ignore[import-untyped]
from waitress.task import ThreadedTaskDispatcher  # type: ignore[import-untyped]
from waitress.utilities import Error  # type: ignore[import-untyped]

from servicedesk.errors import ConfigError

from .api.receivers import UNPACKED_LIMIT

log = structlog.get_logger("servicedesk.server")
CONNECTIONS = 1100
GRACE = 5.0  # seconds for requests that have begun when the server is told to stop
SETTINGS: dict[str, Any] = {
    "connection_limit": CONNECTIONS,
    "asyncore_use_poll": True,  # select() ends the whole server at descriptor 1,024
    "channel_request_lookahead": 1,
    "max_request_body_size": UNPACKED_LIMIT,  # over the receivers' own cap, so that they can answer 413 themselves
    "backlog": 1024,
    "channel_timeout": 120,
    "cleanup_interval": 30,
    "ident": None,
    "clear_untrusted_proxy_headers": False,  # web/proxy.py judges them
}


def parse_bind(text: str) -> tuple[str, int]:
    """`127.0.0.1:8080` or `[::1]:8080` → host and port. Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ConfigError(f"http.bind: {text!r} is not an address and a port such as 127.0.0.1:8080")
    return host or "0.0.0.0", int(port)  # noqa: S104 - ":8080" says so


def is_public(host: str) -> bool:
    """Can other machines reach what is bound to this address?"""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


class _NotNow(Error):  # type: ignore[misc]
    """The folder for bodies that do not fit into memory is full: senders try again, nothing was stored."""

    code = 503
    reason = "Service Unavailable"


Refused = Callable[[str, int], None]
"""Told of the path and the status of what the server itself refuses."""


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    refused: Refused

    def received(self, data: bytes) -> int:
        try:
            taken: int = super().received(data)
        except OSError as error:
            log.error("body cannot be kept", detail=str(error))
            self.error, self.completed, taken = _NotNow("The body cannot be kept now."), True, len(data)
        if self.completed and self.error is not None:
            self.refused(getattr(self, "path", ""), self.error.code)
        return taken


class _Channel(HTTPChannel):  # type: ignore[misc]
    @property
    def idle(self) -> bool:
        return not (self.requests or self.request or self.total_outbufs_len)


class _Listener(TcpWSGIServer):  # type: ignore[misc]
    channel_class = _Channel


def _channels(refused: Refused) -> type[_Channel]:
    """Channels whose parsers tell what they refuse: waitress makes both by their classes."""
    parser = type("_OwnParser", (_Parser,), {"refused": staticmethod(refused)})
    return type("_OwnChannel", (_Channel,), {"parser_class": parser})


class Server:
    """One listening socket, bound when made; `start` serves in a thread, `stop` ends it gracefully."""

    def __init__(self, application: Callable[..., Any], bind: str, threads: int, refused: Refused) -> None:
        """Raises ConfigError when the address cannot be bound."""
        host, port = parse_bind(bind)
        self._socket = _bound(host, port)
        self.host, self.port = host, int(self._socket.getsockname()[1])
        self._map: dict[int, Any] = {}
        self._dispatcher = ThreadedTaskDispatcher()
        self._dispatcher.set_thread_count(threads)
        name = self._socket.getsockname()
        self._listener = _Listener(
            application,
            self._map,
            True,
            self._socket,
            dispatcher=self._dispatcher,
            adj=Adjustments(threads=threads, sockets=[self._socket], **SETTINGS),
            bind_socket=False,
            sockinfo=(self._socket.family, self._socket.type, self._socket.proto, name),
        )
        self._listener.channel_class = _channels(refused)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    @property
    def address(self) -> str:
        """`host:port` as it is bound; port 0 became a free one."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop taking, finish what has begun, close; returns when that is done."""
        if self.alive and not self._stopping.is_set():
            self._stopping.set()
            self._listener.pull_trigger()
        if self.alive:
            self._thread.join(GRACE + 3)

    def _run(self) -> None:
        while not self._stopping.is_set():
            wasyncore.poll2(1.0, self._map)
        self._listener.accepting = False
        self._listener.del_channel()
        self._socket.close()
        self._drain(time.monotonic() + GRACE)
        self._dispatcher.shutdown(cancel_pending=True, timeout=1)
        wasyncore.close_all(self._map, ignore_all=True)

    def _drain(self, until: float) -> None:
        while time.monotonic() < until:
            for channel in list(self._listener.active_channels.values()):
                if channel.idle:
                    channel.handle_close()
            if not self._listener.active_channels:
                return
            wasyncore.poll2(0.02, self._map)


def _bound(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigError(f"http.bind: {host!r} is no address of this machine: {error.strerror}") from error
    family, kind, protocol, _, address = sorted(found, key=lambda a: a[0] != socket.AF_INET)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(SETTINGS["backlog"])
    except OSError as error:
        bound.close()
        raise ConfigError(_sentence(host, port, error)) from error
    return bound


def _sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is taken by another program: stop that one, or set http.bind to another port"
    if error.errno == errno.EACCES:
        return f"port {port} may not be opened by this user: set http.bind to a port over 1023"
    return f"http.bind: {host}:{port} cannot be opened: {error.strerror}"
