"""One message in every dialect that senders speak."""

from __future__ import annotations

import pytest

from alert_receivers.syslog.masking import template
from alert_receivers.syslog.message import NO_PRI, clean, elements, is_repeat, parse

# (as sent, form, facility, severity, host, app, pid, text)
DIALECTS = [
    # RFC 5424, its own examples
    (
        b"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' failed for lonvick",
        ("5424", 4, 2, "mymachine.example.com", "su", "", "'su root' failed for lonvick"),
    ),
    (
        b"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
        ("5424", 20, 5, "192.0.2.1", "myproc", "8710", "%% It's time to make the do-nuts."),
    ),
    (
        b'<165>1 2003-10-11T22:14:15.003Z h evntslog - ID47 [a@1 iut="3"][b@1 class="high"] An entry',
        ("5424", 20, 5, "h", "evntslog", "", "An entry"),
    ),
    (b"<13>1 - - - - - -", ("5424", 1, 5, "", "", "", "")),
    (b"<13>1 2026-01-01T00:00:00Z h a p m [broken text", ("5424", 1, 5, "h", "a", "p", "[broken text")),
    (b'<13>1 2026-01-01T00:00:00Z h a - - [x y="a\\]\\"b"] text', ("5424", 1, 5, "h", "a", "", "text")),
    # RFC 3164, its own examples, and what relays make of it
    (
        b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
        ("3164", 4, 2, "mymachine", "su", "", "'su root' failed for lonvick on /dev/pts/8"),
    ),
    (b"<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!", ("3164", 1, 5, "10.0.0.99", "", "", "Use the BFG!")),
    (
        b"<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: %% It's time",
        ("3164", 20, 5, "mymachine", "myproc", "10", "%% It's time"),
    ),
    (b"<13>2026-11-21T21:02:43.123456+01:00 vm rig: hello", ("3164", 1, 5, "vm", "rig", "", "hello")),
    (b"<13>2026-11-21 21:02:43 vm rig[7]: hello", ("3164", 1, 5, "vm", "rig", "7", "hello")),
    (b"<38>Nov 21 21:02:43 sshd[123]: no host", ("3164", 4, 6, "", "sshd", "123", "no host")),
    (b"<38>Nov 21 21:02:43 2026 host app: year behind", ("3164", 4, 6, "host", "app", "", "year behind")),
    (b"<38>NOV 21 21:02:43 host app: upper case", ("3164", 4, 6, "host", "app", "", "upper case")),
    (b"<38>Nov 21 21:02:43 h s[1]: [ID 800047 auth.info] solaris", ("3164", 4, 6, "h", "s", "1", "solaris")),
    (b"<13>Nov 21 21:02:43 fe80::1 app: six", ("3164", 1, 5, "fe80::1", "app", "", "six")),
    (b"<13>Nov 21 21:02:43 h Microsoft Word[14463]: spaces", ("3164", 1, 5, "h", "Microsoft Word", "14463", "spaces")),
    (b"<86>Jun 14 15:16:01 combo sshd(pam_unix)[19939]: x", ("3164", 10, 6, "combo", "sshd(pam_unix)", "19939", "x")),
    (b"<13>Nov 21 21:02:43 Message forwarded from h1: app[3]: aix", ("3164", 1, 5, "h1", "app", "3", "aix")),
    (b"<13>Nov  1 01:02:03 NAS app: capitals", ("3164", 1, 5, "NAS", "app", "", "capitals")),
    (b"<13>NOV 1 01:02:03 NAS app: capitals", ("3164", 1, 5, "NAS", "app", "", "capitals")),
    (b"<13>Nov  1 01:02:03 UTC nas app: zone", ("3164", 1, 5, "nas", "app", "", "zone")),
    (b"<13>app: only a tag", ("3164", 1, 5, "", "app", "", "only a tag")),
    (b"<13>no header at all", ("3164", 1, 5, "", "", "", "no header at all")),
    (
        b"<13>Nov 21 21:02:43 h averylongprogramname-with-more[1 cut tag",
        ("3164", 1, 5, "h", "averylongprogramname-with-more", "", "cut tag"),
    ),
    # network gear
    (
        b"<189>123: *Mar  1 00:00:00.003: %SYS-5-CONFIG_I: Configured from console",
        ("3164", 23, 5, "", "SYS-5-CONFIG_I", "", "Configured from console"),
    ),
    (
        b"<187>45: r1: Nov 21 2026 21:02:43.003 UTC: %LINK-3-UPDOWN: Interface Gi0/1, changed state to down",
        ("3164", 23, 3, "r1", "LINK-3-UPDOWN", "", "Interface Gi0/1, changed state to down"),
    ),
    (b"<190>000001: ios1: 000002: Mar  1 18:48:50.483 UTC: %A-5-B: x", ("3164", 23, 6, "ios1", "A-5-B", "", "x")),
    (b"<187>42: .Nov 21 21:02:43.123 CET: %A-5-B: x", ("3164", 23, 3, "", "A-5-B", "", "x")),
    (b"<189>21: 2w3d: %SYS-5-RESTART: System restarted", ("3164", 23, 5, "", "SYS-5-RESTART", "", "System restarted")),
    (b"<189>21: 00:00:46: %A-5-B: x", ("3164", 23, 5, "", "A-5-B", "", "x")),
    (b"<166>Nov 21 2026 21:02:43: %ASA-6-302013: Built", ("3164", 20, 6, "", "ASA-6-302013", "", "Built")),
    (b"<166>Nov 21 2026 21:02:43 asa1 : %ASA-6-302013: Built", ("3164", 20, 6, "asa1", "ASA-6-302013", "", "Built")),
    (b"<164>:Nov 21 21:02:43 EST: %ASA-4-106023: Deny", ("3164", 20, 4, "", "ASA-4-106023", "", "Deny")),
    (b"<166>%ASA-6-302013: Built", ("3164", 20, 6, "", "ASA-6-302013", "", "Built")),
    (
        b"<189>: 2026 Nov 21 21:02:43.123 UTC: %ETHPORT-5-IF_DOWN: Interface Ethernet1/1 is down",
        ("3164", 23, 5, "", "ETHPORT-5-IF_DOWN", "", "Interface Ethernet1/1 is down"),
    ),
    (
        b"<189>12: router RP/0/RSP0/CPU0:Nov 21 21:02:43.123 UTC: ifmgr[123]: %PKT-LINK-3-UPDOWN : x",
        ("3164", 23, 5, "router", "ifmgr", "123", "%PKT-LINK-3-UPDOWN : x"),
    ),
    (
        b"<189>Nov 21 2026 21:02:43 HW %%01IFNET/4/LINK_STATE(l)[0]:The line protocol",
        ("3164", 23, 5, "HW", "01IFNET/4/LINK_STATE", "", "The line protocol"),
    ),
    (
        b"<188>Nov 21 21:02:43 10.0.0.2 00077 ports: port 12 off",
        ("3164", 23, 4, "10.0.0.2", "ports", "", "port 12 off"),
    ),
    (b"<30>interface,info ether1 link down", ("3164", 3, 6, "", "", "", "interface,info ether1 link down")),
    # without priority
    (b"*Mar  1 00:00:46.003: %LINK-3-UPDOWN: x", ("3164", 1, 5, "", "LINK-3-UPDOWN", "", "x")),
    (b"%LINK-3-UPDOWN: x", ("3164", 1, 5, "", "LINK-3-UPDOWN", "", "x")),
    (b"2026 Nov 21 21:02:43 switch %A-5-B: x", ("3164", 1, 5, "switch", "A-5-B", "", "x")),
    (b"Nov 21 21:02:43 host app[1]: x", ("3164", 1, 5, "host", "app", "1", "x")),
    # neither
    (b"hello world", ("raw", 1, 5, "", "", "", "hello world")),
    (b"<999>x", ("raw", 1, 5, "", "", "", "<999>x")),
    (b"", ("raw", 1, 5, "", "", "", "")),
    (b"\xff\xfe\x00bin", ("raw", 1, 5, "", "", "", "\\xff\\xfe#000bin")),
]


@pytest.mark.feature("I2")
@pytest.mark.parametrize(("raw", "expected"), DIALECTS, ids=[raw[:40].decode("latin-1") for raw, _ in DIALECTS])
def test_dialects(raw: bytes, expected: tuple[object, ...]) -> None:
    m = parse(raw)
    assert (m.form, m.facility, m.severity, m.host, m.app, m.pid, m.text) == expected


def test_what_has_no_priority_is_user_notice() -> None:
    m = parse(b"plain")
    assert m.facility * 8 + m.severity == NO_PRI == 13
    assert not m.has_pri
    assert parse(b"<34>Oct 11 22:14:15 h su: x").has_pri


def test_structured_data_is_kept_and_read() -> None:
    data = '[timeQuality tzKnown="1"][meta sequenceId="7"][x@1 a="c\\]\\"\\\\" empty=""]'
    m = parse(f"<13>1 2026-01-01T00:00:00Z h a - ID1 {data} text".encode())
    assert (m.data, m.msgid, m.text) == (data, "ID1", "text")
    assert elements(m.data) == {
        "timeQuality": {"tzKnown": "1"},
        "meta": {"sequenceId": "7"},
        "x@1": {"a": 'c]"\\', "empty": ""},
    }


def test_the_unset_clock_of_a_router_is_marked() -> None:
    assert parse(b"<189>1: *Mar  1 00:00:00.003: %A-5-B: x").unset
    assert not parse(b"<189>1: .Mar  1 00:00:00.003: %A-5-B: x").unset


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("multi#012line#011tab", "multi\nline\ttab"),
        ("multi\nline\ttab", "multi\nline\ttab"),
        ("\x1b[31mred", "#033[31mred"),
        ("#033[31mred", "#033[31mred"),
        ("nul\x00end", "nul#000end"),
        ("right\u202eto left", "right\\u202eto left"),
        ("c1 \x9b31m", "c1 \\x9b31m"),
        (" leading and line end \r\n", "leading and line end"),
        ("größer 日本語 🔥", "größer 日本語 🔥"),
    ],
)
def test_hostile_signs_are_visible(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_names_hold_no_line_end() -> None:
    assert parse(b"<13>1 2026-01-01T00:00:00Z h\x1b[2J a\tb - - - x").host == "h#033[2J"


def test_repetitions_are_known() -> None:
    assert is_repeat(parse(b"<13>Nov 21 21:02:43 h last message repeated 3 times"))
    assert is_repeat(parse(b"<13>Nov 21 21:02:43 h app: message repeated 2 times: [ x]"))
    assert not is_repeat(parse(b"<13>Nov 21 21:02:43 h app: the last message repeated itself"))


@pytest.mark.feature("I2", "I6")
def test_the_same_words_give_the_same_message_by_every_format() -> None:
    """As rsyslog 8.2302, syslog-ng 3.38 and logger 2.38 write one message."""
    forms = [
        b"<27>Nov 21 21:03:18 vm pay[1234]: multi#012line failed: 10.0.0.7:5432",
        b"<27>2026-11-21T21:03:18.273113+00:00 vm pay[1234]: multi#012line failed: 10.0.0.9:1",
        b"<27>1 2026-11-21T21:03:18.273113+00:00 vm pay 1234 - -  multi#012line failed: 10.0.0.7:5432\n",
        b'<27>1 2026-11-21T21:03:18Z vm pay 99 - [timeQuality tzKnown="1"] multi\nline failed: 10.0.0.7:5432',
        b'<27>1 2026-11-21T21:03:18Z vm pay 99 - [meta sequenceId="5"] \xef\xbb\xbfmulti\nline failed: 10.0.0.7:5432',
        b"<27>1 - vm pay - - - multi\r\nline failed: 10.0.0.7:5432 ",
    ]
    keys = {(m.facility, m.severity, m.host, m.app, template(m.text)) for m in map(parse, forms)}
    assert keys == {(3, 3, "vm", "pay", "multi line failed: *")}
