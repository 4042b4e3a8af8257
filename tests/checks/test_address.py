"""Which addresses are talked to, in every spelling and wrapping; names are resolved once."""

import ipaddress
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.clients.address import Forbidden, Unresolved, allowed, resolve, wrapped
from servicedesk.domain.parameters import BadValue, host, split_address
from servicedesk.errors import ConfigError

pytestmark = pytest.mark.feature("P5")
OPEN, NOTHING = allowed(()), allowed(("10.1.0.0/16", "db.example.org", "*.shop.example.org"))
IN = ipaddress.ip_address

REFUSED = [
    "127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    "169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "169.254.0.1", "fe80::1",
    "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "ff02::1",
    "255.255.255.255", "240.0.0.1", "192.0.0.192", "fec0::1",
    "2001:0:7f00:1:0:0:80ff:fffe",  # Teredo, its server is the loopback
]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_special_addresses_are_refused_however_wrapped(address: str) -> None:
    assert OPEN.judge("x", IN(address))
    assert allowed(("0.0.0.0/0", "::/0")).judge("x", IN(address)), "everything does not mean these"
    assert allowed(("any",)).judge("x", IN(address))


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "8.8.8.8", "2001:db8::1", "fd12::1", "::ffff:8.8.8.8"])
def test_ordinary_addresses_may_be_asked_unless_a_list_says_otherwise(address: str) -> None:
    assert OPEN.judge("x", IN(address)) == ""
    assert "checks.allow" in NOTHING.judge("x", IN(address))
    assert allowed(("any", "127.0.0.1")).judge("x", IN(address)) == ""


def test_lists_of_networks_names_and_domains() -> None:
    assert NOTHING.judge("x", IN("10.1.2.3")) == ""
    assert NOTHING.judge("db.example.org", IN("192.0.2.1")) == ""
    assert NOTHING.judge("a.shop.example.org", IN("192.0.2.1")) == ""
    for name in ("shop.example.org", "evil-shop.example.org", "db.example.org.evil.example"):
        assert NOTHING.judge(name, IN("192.0.2.1"))
    assert NOTHING.judge("db.example.org", IN("169.254.169.254")), "a listed name lifts nothing"


def test_a_special_network_may_be_listed_itself() -> None:
    rules = allowed(("127.0.0.0/8", "169.254.1.0/24"))
    assert rules.judge("x", IN("127.0.0.5")) == ""
    assert rules.judge("x", IN("169.254.1.9")) == ""
    assert rules.judge("x", IN("169.254.169.254"))
    assert rules.judge("x", IN("::1"))
    assert rules.judge("x", IN("10.0.0.1"))


@pytest.mark.parametrize("entry", ["127.1", "http://x", "a b", "*", "*.", "10.0.0.0/99", "ü.example"])
def test_a_wrong_entry_is_named(entry: str) -> None:
    with pytest.raises(ConfigError, match=r"checks\.allow"):
        allowed((entry,))


SPELLINGS = [
    "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.0.0.01", "0",
    "１２７.０.０.１", "127。0。0。1", "①②⑦.0.0.1", "localhost%00", "127.0.0.1%20", "127.0.0.1\n", " 127.0.0.1", "[::1",
    "::1]", "fe80::1%eth0", "::ffff:127.1", "a..b", "-a.example", "a-.example", "a" * 64 + ".example", "x." * 130,
    "evil.example:80@127.0.0.1", "a\\b", "a/b", "a?b", "a#b", "user@host", "", ".",
    "exa\u202emple.org", "exa\u200bmple", "0x0",
]  # fmt: skip


@pytest.mark.parametrize("text", SPELLINGS)
def test_other_spellings_are_no_hosts(text: str) -> None:
    with pytest.raises(BadValue):
        host(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("db1", ("db1", "")),
        ("DB1.Example.org.:5432", ("db1.example.org", "5432")),
        ("10.0.0.5:9100", ("10.0.0.5", "9100")),
        ("[2001:db8::5]:9100", ("2001:db8::5", "9100")),
        ("2001:DB8:0::5", ("2001:db8::5", "")),
        ("_srv._tcp.example.org", ("_srv._tcp.example.org", "")),
    ],
)
def test_hosts_with_and_without_ports(text: str, found: tuple[str, str]) -> None:
    assert split_address(text) == found


@given(st.ip_addresses(v=4))
def test_no_wrapping_hides_an_address(inner: ipaddress.IPv4Address) -> None:
    number = int(inner)
    forms = [f"::ffff:{inner}", f"64:ff9b::{inner}", f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1"]
    forms += [f"::{inner}"] if number > 1 else []
    for form in forms:
        assert inner in list(wrapped(IN(form))), form


def answering(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    rows: list[Any] = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 80)) for a in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: rows)


def test_only_permitted_addresses_of_a_name_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "169.254.169.254", "10.1.0.9", "127.0.0.1")
    assert resolve("mixed.example.org", 80, OPEN, 1) == (IN("10.1.0.9"),)
    answering(monkeypatch, "169.254.169.254")
    with pytest.raises(Forbidden, match=r"mixed\.example\.org.*169\.254\.169\.254 is link-local"):
        resolve("mixed.example.org", 80, OPEN, 1)


def test_a_resolver_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: [()][: over.wait(5) - 1])
    with pytest.raises(Unresolved, match="not resolved within") as caught:
        resolve("hanging.example.org", 80, OPEN, 0.1)
    over.set()
    assert caught.value.temporary
