"""Any bytes through framing, RELP, parsing, rules, templates and times: no exception, and time linear in the length.

    python -m tests.support.syslog_fuzz [--inputs 1000000] [--seed 1]

Inputs are pieces of real lines and of what has broken parsers before, put together, cut, repeated and damaged.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from alert_receivers.syslog.framing import Framer
from alert_receivers.syslog.masking import LONGEST, template
from alert_receivers.syslog.message import elements, parse
from alert_receivers.syslog.relp import ProtocolError, Session
from alert_receivers.syslog.times import sent_at
from servicedesk.domain.syslog_rules import Ruleset
from servicedesk.files import rules

PIECES = (
    b"<13>", b"<191>", b"<999>", b"<", b">", b"1 ", b"2026-11-21T21:02:43.123456+01:00 ", b"Nov 21 21:02:43 ", b"- ",
    b"*Mar  1 00:00:00.003: ", b"%LINK-3-UPDOWN: ", b"host ", b"app[123]: ", b"app: ", b'[a@1 b="c\\"\\]"] ', b"[a b=",
    b'"', b"\\", b"]", b"[", b"\xef\xbb\xbf", b"\x00", b"\x1b[31m", b"\xff\xfe", b"\xe2\x80\xae", b"\n", b"\r\n",
    b"#012",
    b"5 <13>a", b"99999999 ", b"0 ", b"1 open 0\n", b"2 syslog 5 hello\n", b"3 close 0\n", b"9" * 20, b"a" * 40, b"=",
    b"user root from 10.0.0.1 port 22", b"key=value ", b"/var/log/x ", b"C:\\x\\y ", b"(", b")", b"{", b"}", b"'", b"`",
    b"00:11:22:33:44:55 ", b"6f1c2b9e-0000-4c5d-8e9f-001122334455 ", b"0xdeadbeef ", b"https://a/b?c=d ", b"a@b.c ",
    b"com.a.b.c/x ", b"depth.......0 ", b"last message repeated 3 times", b"true ", b"\xf0\x9f\x94\xa5", b"12 KiB ",
    b"::1 ", b"GET /a HTTP/1.1", b"Message forwarded from x: ", b"[ID 1 a.b] ", b"[ 12.5] ", b"CEF:0|a|b|",
)  # fmt: skip
NOW = datetime(2026, 11, 22, tzinfo=UTC)
RULES = Ruleset(rules.lint([rules.SHIPPED])[0])


def inputs(seed: int) -> Iterator[bytes]:
    """Without end; most are short."""
    rng = random.Random(seed)
    while True:
        parts = [rng.choice(PIECES) for _ in range(rng.randrange(1, 14))]
        if rng.random() < 0.05:
            parts.append(rng.choice(PIECES) * rng.randrange(2, 60))
        made = bytearray(b"".join(parts))
        for _ in range(rng.randrange(3)):
            made[rng.randrange(len(made))] = rng.randrange(256)
        yield bytes(made[: rng.randrange(1, len(made) + 1)] if rng.random() < 0.2 else made)


def check(raw: bytes) -> None:
    """What every input goes through. Raises what must not be raised."""
    for frame in framed(raw):
        line(frame)
    session = Session(4_096)
    try:
        for frame, token in session.feed(raw):
            line(frame.data)
            session.done(token)
    except ProtocolError:
        pass
    line(raw)


def framed(raw: bytes) -> list[bytes]:
    """The same frames, whole or in two pieces."""
    whole, halved = Framer(4_096), Framer(4_096)
    frames = whole.feed(raw) + whole.end()
    half = len(raw) // 2
    assert frames == halved.feed(raw[:half]) + halved.feed(raw[half:]) + halved.end()
    return [frame.data for frame in frames]


def line(raw: bytes) -> None:
    """One message: its parts can be shown, judged and stored."""
    message = parse(raw)
    shown = (message.host, message.app, message.pid, message.msgid, message.stamp)
    assert all(text.isprintable() or (_is_other(text) and not {"\n", "\t"} & set(text)) for text in shown), shown
    assert message.text.replace("\n", "").replace("\t", "").isprintable() or _is_other(message.text)
    assert 0 <= message.facility <= 23
    assert 0 <= message.severity <= 7
    message.text.encode()
    RULES.judge(message)
    assert len(template(message.text)) <= 2 * LONGEST
    elements(message.data)
    assert sent_at(message.stamp, message.zone, message.unset, NOW, UTC) <= NOW


def _is_other(text: str) -> bool:
    """Characters that Python does not call printable and that do no harm: other spaces, unassigned ones."""
    return not any(c in text for c in "\x00\x07\x1b\x7f\x9b\u202e\u2066\u200f\ufeff")


def slowest(length: int, seed: int) -> float:
    """Seconds of processor time of the slowest of the pieces, repeated up to `length`."""
    worst = 0.0
    for piece in PIECES:
        raw = piece * (length // len(piece) + 1)
        began = time.process_time()
        check(raw[:length])
        worst = max(worst, time.process_time() - began)
    return worst


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--inputs", type=int, default=1_000_000)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    began, worst = time.process_time(), 0.0
    for number, raw in enumerate(inputs(asked.seed)):
        if number >= asked.inputs:
            break
        before = time.process_time()
        try:
            check(raw)
        except Exception:
            print(f"input {number}: {raw!r}", file=sys.stderr)
            raise
        worst = max(worst, time.process_time() - before)
    seconds = time.process_time() - began
    each = seconds / max(asked.inputs, 1) * 1e6
    print(f"{asked.inputs} inputs, no exception; {each:.0f} µs each, the slowest {worst * 1000:.1f} ms")
    for length in (4_096, 65_536):
        print(f"a piece repeated to {length} bytes: at most {slowest(length, asked.seed) * 1000:.1f} ms")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
