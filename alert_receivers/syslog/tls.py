"""TLS as RFC 5425 wants it, and as senders use it: TLS 1.2 or newer, certificates of clients where they are asked for.

The certificate is read again when its files change: connections that exist stay, new ones get the new one.
"""

from __future__ import annotations

import hashlib
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOOK_EVERY = 2.0  # seconds between looks at the files


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Files in PEM. client_ca: certificates of clients are wanted, signed by one of these; "": none is asked for.

    clients: which of them may send: `sha256:<64 hex digits>` of the certificate, or a name in it; empty: all.
    """

    certificate: str
    key: str = ""
    client_ca: str = ""
    clients: tuple[str, ...] = ()


class Tls:
    """Makes contexts for new connections. Raises OSError (ssl.SSLError among them) when the files do not work."""

    def __init__(self, settings: TlsSettings) -> None:
        self.settings = settings
        self.problem = ""  # why the newest files cannot be used; the last good ones stay in use
        self._lock = threading.Lock()
        self._stamp, self._looked = self._stamps(), time.monotonic()
        self._context = self._make()

    def context(self) -> ssl.SSLContext:
        with self._lock:
            if time.monotonic() - self._looked >= LOOK_EVERY:
                self._looked = time.monotonic()
                self._renew()
            return self._context

    def admits(self, sock: ssl.SSLSocket) -> bool:
        """May this client send? To be asked after the handshake."""
        if not self.settings.clients:
            return True
        raw = sock.getpeercert(binary_form=True)
        if raw is None:
            return False
        allowed = {_entry(text) for text in self.settings.clients}
        return hashlib.sha256(raw).hexdigest() in allowed or not allowed.isdisjoint(_names(sock.getpeercert() or {}))

    def _renew(self) -> None:
        stamp = self._stamps()
        if stamp == self._stamp:
            return
        try:
            self._context, self.problem = self._make(), ""
        except OSError as error:  # half written, or key and certificate do not belong together yet: look again later
            self.problem = f"{self.settings.certificate}: {error.strerror or error}"
            return
        self._stamp = stamp

    def _stamps(self) -> tuple[tuple[int, int], ...]:
        s = self.settings
        return tuple(_stamp(Path(name)) for name in (s.certificate, s.key, s.client_ca) if name)

    def _make(self) -> ssl.SSLContext:
        s = self.settings
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # A client that sends and closes at once resets the connection when our tickets arrive unread: its last
        # messages were lost. We only receive, so nobody misses the tickets.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
        context.load_cert_chain(s.certificate, s.key or None)
        if s.client_ca:
            context.load_verify_locations(s.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def _entry(text: str) -> str:
    """An entry of the list as it is compared; fingerprints are also written with colons."""
    text = text.strip().lower()
    return text.removeprefix("sha256:").replace(":", "") if text.startswith("sha256:") else text


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return found.st_mtime_ns, found.st_ino


def _names(certificate: Mapping[str, Any]) -> set[str]:
    """Every name that a certificate carries: common names, DNS names, addresses; lower case."""
    subject = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    others = [value for _, value in certificate.get("subjectAltName", ())]
    return {str(value).lower() for value in (*subject, *others)}
