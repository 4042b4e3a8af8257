"""Connections to targets that are not trusted: to the very address that was judged, within a deadline, with limits.

HTTP/1.1 by http.client on a socket of our own: Host and SNI are those of the address asked for, no proxy and nothing
else from the environment is used, and every redirect is judged again.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from servicedesk import __version__
from servicedesk.domain.parameters import BadValue, shown, url

from .address import Allowed, Ip, resolve

MAX_BODY = 512 * 1024
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Unreachable(Exception):
    """The target did not answer as it should; the sentence says how. certificate: it was the certificate's fault."""

    def __init__(self, message: str, certificate: bool = False) -> None:
        super().__init__(message)
        self.certificate = certificate


class Deadline:
    """Seconds that are left of a check's time."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self._end = seconds, time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Raises Unreachable when nothing is left."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise Unreachable(f"no answer within {self.seconds:g} s")
        return left

    @contextmanager
    def cuts(self, sock: socket.socket) -> Iterator[None]:
        """The socket is shut at the deadline, however slowly something drips from it."""
        timer = threading.Timer(self.left, _shut, (sock,))
        timer.daemon = True
        timer.start()
        try:
            yield
            self.left  # noqa: B018 - what was read until the cut may look whole
        except (OSError, http.client.HTTPException, ValueError):
            self.left  # noqa: B018 - past the deadline the cut is the reason
            raise
        finally:
            timer.cancel()


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # closed meanwhile


@dataclass(frozen=True, slots=True)
class Target:
    """A host and port to be connected to, and by whose rules."""

    host: str
    port: int
    rules: Allowed


def connect(target: Target, deadline: Deadline) -> tuple[socket.socket, Ip]:
    """A TCP connection to the first permitted address that answers. Raises Forbidden, Unresolved, Unreachable."""
    trouble = ""
    for ip in resolve(target.host, target.port, target.rules, deadline.left)[:4]:
        sock = socket.socket(socket.AF_INET6 if ip.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.settimeout(deadline.left)
            sock.connect((str(ip), target.port))
            return sock, ip
        except (OSError, Unreachable) as error:
            sock.close()
            trouble = trouble or f"{ip} port {target.port}: {reason(error)}"
    raise Unreachable(trouble)


def reason(error: BaseException) -> str:
    """What went wrong, in few words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or str(error)).replace('_', ' ').lower()}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def secure(sock: socket.socket, server_name: str, context: ssl.SSLContext, deadline: Deadline) -> ssl.SSLSocket:
    """TLS on a connection. Raises Unreachable."""
    sock.settimeout(deadline.left)
    wrapped = context.wrap_socket(sock, server_hostname=server_name, do_handshake_on_connect=False)
    try:
        with deadline.cuts(wrapped):
            wrapped.do_handshake()
        return wrapped
    except OSError as error:
        wrapped.close()
        raise Unreachable(reason(error), isinstance(error, ssl.SSLCertVerificationError)) from error


def context(trusting: bool) -> ssl.SSLContext:
    """TLS settings. trusting False: any certificate is taken, to be looked at."""
    made = ssl.create_default_context()
    if not trusting:
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. seconds: from the first packet to the end of the body; ends: when its certificate ends."""

    url: str
    ip: str
    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    cut: bool
    seconds: float
    ends: float | None = None
    hops: tuple[str, ...] = field(default=())


def fetch(
    address: str, rules: Allowed, deadline: Deadline, method: str = "GET", hops: int = 5, trusting: bool = True
) -> Answer:
    """Ask for an address, following redirects. Raises Forbidden, Unresolved, Unreachable."""
    begun, tls = time.monotonic(), context(trusting)
    seen: list[str] = []
    while True:
        answer = _once(address, rules, deadline, method, tls, tuple(seen), begun)
        location = answer.headers.get("location", "")
        if answer.status not in REDIRECTS or not location or hops == 0:
            return answer
        seen.append(address)
        if len(seen) > hops:
            raise Unreachable(f"more than {hops} redirects, the last to {shown(location)}")
        address = _next(address, location)


def _next(address: str, location: str) -> str:
    try:
        return url(urljoin(address, location).partition("#")[0])
    except (BadValue, ValueError):
        raise Unreachable(f"a redirect leads to {shown(location)}, which is no plain http or https address") from None


def _once(
    address: str,
    rules: Allowed,
    deadline: Deadline,
    method: str,
    tls: ssl.SSLContext,
    hops: tuple[str, ...],
    begun: float,
) -> Answer:
    parts = urlsplit(address)
    host = str(parts.hostname)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    sock, ip = connect(Target(host, port, rules), deadline)
    ends = None
    if parts.scheme == "https":
        wrapped = secure(sock, host, tls, deadline)
        sock, ends = wrapped, _ends(wrapped)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with closing(sock), deadline.cuts(sock):
        try:
            response, body = _exchange(sock, method, path, parts.netloc)
        except (OSError, http.client.HTTPException, ValueError) as error:
            deadline.left  # noqa: B018 - past the deadline the cut is the reason
            raise Unreachable(f"{host} broke off: {reason(error)}") from error
    headers = {name.lower(): value for name, value in response.getheaders()}
    seconds = time.monotonic() - begun
    whole, cut = body[:MAX_BODY], len(body) > MAX_BODY
    return Answer(address, str(ip), response.status, response.reason, headers, whole, cut, seconds, ends, hops)


def _exchange(sock: socket.socket, method: str, path: str, netloc: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("pinned")
    connection.sock = sock
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", netloc)
    connection.putheader("User-Agent", f"servicedesk-check/{__version__}")
    connection.putheader("Accept", "*/*")
    connection.putheader("Accept-Encoding", "identity")
    connection.putheader("Connection", "close")
    connection.endheaders()
    response = connection.getresponse()
    return response, response.read(MAX_BODY + 1)


def _ends(sock: ssl.SSLSocket) -> float | None:
    """When the certificate that was verified ends, in seconds since 1970."""
    told = (sock.getpeercert() or {}).get("notAfter")
    return float(ssl.cert_time_to_seconds(told)) if isinstance(told, str) else None
