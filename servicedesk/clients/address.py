"""Which addresses a check may talk to: a name is resolved once, every address judged, and the judged one is used.

Refused unless their own network is listed: loopback, link-local, metadata services, multicast, unspecified and reserved
addresses, in whatever form they are wrapped (IPv4 inside IPv6: mapped, compatible, 6to4, Teredo, NAT64).
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from servicedesk.domain.parameters import BadValue, host, shown
from servicedesk.errors import ConfigError

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ANY = "any"

_SPECIAL = tuple(
    (ipaddress.ip_network(network), what)
    for network, what in (
        ("127.0.0.0/8", "loopback"),
        ("::1/128", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("fe80::/10", "link-local"),
        ("fd00:ec2::254/128", "a metadata service"),
        ("fd20:ce::254/128", "a metadata service"),
        ("100.100.100.200/32", "a metadata service"),
        ("168.63.129.16/32", "a metadata service"),
        ("192.0.0.0/24", "reserved"),
        ("0.0.0.0/8", "unspecified"),
        ("::/128", "unspecified"),
        ("224.0.0.0/4", "multicast"),
        ("ff00::/8", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("fec0::/10", "reserved"),
    )
)
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.IPv6Network("::/96")


class Forbidden(Exception):
    """The address may not be talked to; the sentence says why."""


class Unresolved(Exception):
    """The name has no address. temporary: nobody could say, as opposed to: there is none."""

    def __init__(self, message: str, temporary: bool) -> None:
        super().__init__(message)
        self.temporary = temporary


@dataclass(frozen=True, slots=True)
class Allowed:
    """What `checks.allow` lists. everything: any ordinary address."""

    everything: bool
    networks: tuple[Network, ...] = ()
    names: frozenset[str] = frozenset()
    domains: tuple[str, ...] = ()

    def judge(self, name: str, ip: Ip) -> str:
        """Why this address of this host is refused; "": it may be used."""
        for form in wrapped(ip):
            special = next((what for network, what in _SPECIAL if _within(form, network)), "")
            if special and not any(_within(form, n) and self._own(n) for n in self.networks):
                return f"{ip} is {special}"
        ordinary = self.everything or self._named(name) or any(_within(ip, n) for n in self.networks)
        return "" if ordinary else f"{ip} is not on the list of checks.allow"

    def _named(self, name: str) -> bool:
        return name in self.names or any(name.endswith(domain) for domain in self.domains)

    @staticmethod
    def _own(listed: Network) -> bool:
        """Was a special network meant when this one was listed? 0.0.0.0/0 does not mean the metadata service."""
        return any(
            listed.version == special.version and listed.subnet_of(special)  # type: ignore[arg-type]
            for special, _ in _SPECIAL
        )


def _within(ip: Ip, network: Network) -> bool:
    return ip.version == network.version and ip in network


def wrapped(ip: Ip) -> Iterator[Ip]:
    """The address, and every IPv4 address that it carries inside."""
    yield ip
    if isinstance(ip, ipaddress.IPv4Address):
        return
    for inside in (ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())):
        if inside is not None:
            yield inside
    if (ip in _COMPATIBLE and int(ip) > 1) or any(ip in network for network in _NAT64):
        yield ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)


def allowed(entries: Iterable[str]) -> Allowed:
    """`checks.allow` read. Raises ConfigError."""
    networks: list[Network] = []
    names: set[str] = set()
    domains: list[str] = []
    entries = tuple(entries)
    for entry in entries:
        if entry == ANY:
            continue
        try:
            networks.append(ipaddress.ip_network(entry, strict=False))
            continue
        except ValueError:
            pass
        try:
            _name(entry, names, domains)
        except BadValue as error:
            raise ConfigError(f"checks.allow: {entry!r} is no network, host or *.domain") from error
    return Allowed(not entries or ANY in entries, tuple(networks), frozenset(names), tuple(domains))


def _name(entry: str, names: set[str], domains: list[str]) -> None:
    if entry.startswith("*."):
        domains.append("." + host(entry[2:]))
    else:
        names.add(host(entry))


def resolve(name: str, port: int, rules: Allowed, timeout: float) -> tuple[Ip, ...]:
    """The host's permitted addresses, as the system orders them. Raises Forbidden, Unresolved."""
    found = _literal(name) or _looked_up(name, port, timeout)
    refusals = [(ip, rules.judge(name, ip)) for ip in found]
    good = tuple(ip for ip, why in refusals if not why)
    if not good:
        raise Forbidden(f"{shown(name)} is not asked: {refusals[0][1]}.")
    return good


def _literal(name: str) -> tuple[Ip, ...]:
    try:
        return (ipaddress.ip_address(name),)
    except ValueError:
        return ()


def _looked_up(name: str, port: int, timeout: float) -> tuple[Ip, ...]:
    """The system's resolver, in a thread of its own: it knows no time limit."""
    answer: list[tuple[Ip, ...] | OSError] = []

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
            texts = dict.fromkeys(str(row[4][0]).partition("%")[0] for row in rows)
            answer.append(tuple(ipaddress.ip_address(text) for text in texts))
        except (OSError, UnicodeError) as error:
            answer.append(error if isinstance(error, OSError) else OSError(str(error)))

    thread = threading.Thread(target=ask, name="resolve", daemon=True)
    thread.start()
    thread.join(timeout)
    if not answer:
        raise Unresolved(f"{shown(name)} was not resolved within {timeout:.0f} s.", temporary=True)
    if isinstance(answer[0], OSError):
        error = answer[0]
        again = error.args[:1] == (socket.EAI_AGAIN,)
        raise Unresolved(f"{shown(name)} has no address: {error.strerror or error}.", temporary=again)
    return answer[0]
