"""TLS: which certificate a port serves, until when, for which names, and whether it is trusted; expired ones too."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta

from servicedesk.checks.check import Check, Options, World, asked, inconclusive
from servicedesk.clients.address import Forbidden, Unresolved
from servicedesk.clients.pinned import Target, Unreachable, connect, context, reason, secure
from servicedesk.domain.checks import FAIL, PASS, Ask, Result
from servicedesk.domain.parameters import Parameter, Values, fill_as, join_address

DAY = 86_400
# What is said before TLS begins: (what the server says first must hold, our line, what its answer must hold).
_PRELUDES: dict[str, tuple[tuple[bytes, bytes], ...]] = {
    "smtp": ((b"220", b""), (b"250 ", b"EHLO servicedesk\r\n"), (b"220", b"STARTTLS\r\n")),
    "imap": ((b"OK", b""), (b"a1 OK", b"a1 STARTTLS\r\n")),
    "pop3": ((b"+OK", b""), (b"+OK", b"STLS\r\n")),
    "postgres": ((b"S", b"\x00\x00\x00\x08\x04\xd2\x16\x2f"),),  # SSLRequest
}


class TlsOptions(Options, frozen=True, tag="tls"):
    """Look at the certificate that a port serves."""

    host: Annotated[str, Meta(min_length=1, description="The host.")]
    port: Annotated[int | str, Meta(description="The port.")] = 443
    name: Annotated[str, Meta(description="The name that is asked for (SNI) and must be in it; empty: the host.")] = ""
    days: Annotated[int, Meta(ge=0, le=3650, description="Days that it must be valid yet.")] = 14
    trusted: Annotated[bool, Meta(description="It must be trusted by the system's authorities.")] = True
    starttls: Annotated[Literal["", "smtp", "imap", "pop3", "postgres"], Meta(description="Speak this first.")] = ""


def _ask(options: TlsOptions, values: Values, _parameters: Mapping[str, Parameter]) -> Ask:
    host, port = fill_as("host", options.host, values), int(fill_as("port", str(options.port), values))
    name = fill_as("host", options.name, values) if options.name else host
    data = {"host": host, "port": port, "name": name, "days": options.days}
    data |= {"trusted": options.trusted, "starttls": options.starttls}
    first = f"say {options.starttls} STARTTLS to" if options.starttls else "connect to"
    expected = f"expected: valid for {options.days} days, name {name}" + (", trusted" if options.trusted else "")
    return asked(
        "tls", host, options, data, (f"{first} {join_address(host, str(port))} and read its certificate", expected)
    )


def _run(data: Mapping[str, Any], world: World) -> Result:
    where = join_address(data["host"], str(data["port"]))
    try:
        chain = _served(data, world, trusting=False)
        distrust = _distrust(data, world) if data["trusted"] else ""
    except Forbidden as error:
        return inconclusive(str(error), again=False)
    except Unresolved as error:
        return inconclusive(str(error)) if error.temporary else Result(FAIL, str(error))
    except Unreachable as error:
        return Result(FAIL, f"{where}: {error}")
    return _judged(data, chain, distrust, world.now)


def _served(data: Mapping[str, Any], world: World, trusting: bool) -> bytes:
    """The certificate (DER) that is served."""
    sock, _ip = connect(Target(data["host"], data["port"], world.allowed), world.deadline)
    try:
        if data["starttls"]:
            with world.deadline.cuts(sock):
                _prelude(sock, _PRELUDES[data["starttls"]])
    except (OSError, ValueError) as error:
        sock.close()
        raise Unreachable(f"it does not begin TLS: {reason(error)}") from error
    with closing(secure(sock, data["name"], context(trusting), world.deadline)) as wrapped:
        found: bytes | None = wrapped.getpeercert(binary_form=True)
    if not found:
        raise Unreachable("it serves no certificate")
    return found


def _prelude(sock: socket.socket, talk: tuple[tuple[bytes, bytes], ...]) -> None:
    sock.settimeout(5)
    for answer, line in talk:
        if line:
            sock.sendall(line)
        heard = b""
        while answer not in heard:
            part = sock.recv(1) if len(answer) == 1 else sock.recv(4096)
            heard += part
            if not part or len(heard) > 65536 or (len(answer) == 1 and heard != answer):
                raise ValueError("it answers otherwise than expected")


def _distrust(data: Mapping[str, Any], world: World) -> str:
    """Why a client would not trust it; "": it would."""
    try:
        _served(data, world, trusting=True)
    except Unreachable as error:
        if error.certificate:
            return str(error)
        raise
    return ""


def _judged(data: Mapping[str, Any], der: bytes, distrust: str, now: float) -> Result:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        certificate = x509.load_der_x509_certificate(der)
        names = _names(certificate)
        subject, issuer = certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
        ends, begins = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    except (ValueError, UnsupportedAlgorithm) as error:
        return inconclusive(f"its certificate cannot be read: {error}")
    left = (ends.timestamp() - now) / DAY
    faults = [f"not valid before {begins:%Y-%m-%d %H:%M} UTC"] if begins > datetime.fromtimestamp(now, UTC) else []
    if left < data["days"]:
        faults.append(f"expected {data['days']} days or more")
    if distrust:
        faults.append(distrust)
    when = f"ended {-left:.1f} days ago" if left < 0 else f"ends in {left:.1f} days"
    summary = f"the certificate {when} ({ends:%Y-%m-%d %H:%M} UTC)" + (f": {'; '.join(faults)}" if faults else "")
    rows: tuple[tuple[str, ...], ...] = (("subject", subject), ("issuer", issuer), ("names", ", ".join(names)))
    rows += (("valid from", begins.isoformat()), ("valid until", ends.isoformat()))
    rows += (("serial", f"{certificate.serial_number:x}"),)
    return Result(FAIL if faults else PASS, summary, columns=("", "certificate"), rows=rows, value=left)


def _names(certificate: Any) -> list[str]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(entry.value) for entry in found][:50]


CHECK = Check(
    name="tls",
    title="TLS certificate",
    description="Reads the certificate that a port serves, expired and untrusted ones too.",
    options=TlsOptions,
    ask=_ask,
    run=_run,
    reads=("checks.allow",),
)
