"""Templates: what belongs together gets the same one, what does not gets another."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_receivers.syslog.masking import LONGEST, template
from tests.support.source import ROOT

SAMPLES = (ROOT / "tests/samples/syslog/labelled.tsv", ROOT / "tests/samples/syslog/styles.tsv")
Row = tuple[str, str, str]  # group, program, message


def rows(sample: Path) -> list[Row]:
    lines = sample.read_text(encoding="utf-8").splitlines()
    return [(row[0], row[1], row[2]) for line in lines if not line.startswith("#") for row in [line.split("\t", 2)]]


def pairs(counts: Counter[object]) -> int:
    return sum(n * (n - 1) // 2 for n in counts.values())


def quality(sample: Path, key: Callable[[Row], object]) -> tuple[float, float]:
    """(precision, recall) over all pairs of lines: does the key put together what belongs together?"""
    truth, found, both = Counter[object](), Counter[object](), Counter[object]()
    for row in rows(sample):
        truth[row[0]] += 1
        found[key(row)] += 1
        both[row[0], key(row)] += 1
    return pairs(both) / max(pairs(found), 1), pairs(both) / pairs(truth)


@pytest.mark.feature("I18", "I6")
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_quality_on_labelled_lines(sample: Path) -> None:
    assert len(rows(sample)) > 350
    precision, recall = quality(sample, lambda row: (row[1], template(row[2])))
    exact = quality(sample, lambda row: (row[1], row[2]))
    print(f"pair precision {precision:.4f}, recall {recall:.4f}; exact text: recall {exact[1]:.4f}")
    assert precision >= 0.99
    assert recall >= 0.9
    assert exact[1] < 0.3  # the sample is no easy one


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("disk sda1 is full at 2026-11-22T01:02:03Z", "disk sda1 is full at 2026-11-23T05:06:07+01:00"),
        ("user alice logged in from 10.0.0.1 port 22", "user bob logged in from fe80::1 port 4711"),
        ("[ 123.456789] oom", "oom"),
        ('open() "/srv/a b" failed (2: No such file)', 'open() "/srv/c" failed (13: Permission denied)'),
        ("uid=0 euid=1000 tty=ssh", "uid=7 euid= tty="),
        ("id 6f1c2b9e-0000-4c5d-8e9f-001122334455 gone", "id 00000000-1111-2222-3333-444455556666 gone"),
        ("at Sat Jul  9 22:53:19 2005 it began", "at Sun Jul 10 02:03:04 2005 it began"),
        ("flags 0xdead 17 18 19", "flags 0xbeef 1 2"),
        ("https://example.org/a?b=c is away", "https://example.net/ is away"),
        ("mail from a@example.org refused", "mail from b.c@example.net refused"),
        ("took 12 KiB", "took 3 MiB"),
        ("took 12 ms", "took 3 seconds"),
        ("file /var/www/html/robots.txt is gone", "file /srv/a/b is gone"),
        (r"cannot open C:\Windows\a b", r"cannot open D:\x b"),
        ("chrome.exe crashed", "updater.exe crashed"),
        ("isReady= true, done", "isReady= false, done"),
        ("prefetch depth........0", "prefetch depth....1"),
        ("from aa:bb:cc:dd:ee:ff port", "from 00:11:22:33:44:55 port"),
        ("lr:004ed4a4 cr:24002422", "lr:0040f8b4 cr:42000088"),
    ],
)
def test_what_changes_is_masked(one: str, other: str) -> None:
    assert template(one) == template(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("link is up", "link is down"),
        ("Failed password for root from 1.2.3.4", "Accepted password for root from 1.2.3.4"),
        ("check pass; user unknown", "check pass; user authenticated"),
        ("java.io.IOException: Connection reset", "java.net.SocketTimeoutException: Read timed out"),
        ('level=error msg="request failed"', 'level=error msg="queue is full"'),
        ('{"level":"error","msg":"a failed"}', '{"level":"error","msg":"b failed"}'),
        ("12 34", ""),
        ("don't stop", "don't start"),
        ("prefetch depth........0", "prefetch threshold....0"),
        ('10.0.0.1 "GET /a HTTP/1.1" status: 200', '10.0.0.1 "POST /a HTTP/1.1" status: 200'),
        ("vif-plugged:6f1c2b9e-0000-4c5d-8e9f-001122334455", "vif-unplugged:6f1c2b9e-0000-4c5d-8e9f-001122334455"),
        ("I/O error on read", "I/O error on write"),
    ],
)
def test_what_says_something_else_stays_apart(one: str, other: str) -> None:
    assert template(one) != template(other)


def test_a_template_looks_at_so_much_only() -> None:
    assert template("word " * 1_000 + "a") == template("word " * 1_000 + "b")
    assert len(template("word " * 1_000)) <= LONGEST


@given(st.text(max_size=300))
def test_any_text_has_a_template_and_numbers_do_not_change_it(text: str) -> None:
    assert template(text) == template(text)
    assert template(f"count is 1 of {text}"[:900]) == template(f"count is 2 of {text}"[:900])


@pytest.mark.parametrize(
    "piece",
    [
        "x",
        "(",
        '"',
        "a-",
        "user ",
        "/",
        "a=b",
        "1",
        "[ ",
        "from a.b.c.",
        "*",
        "' ",
        'msg="',
        "\\",
        "a.",
        "{",
        "<",
        "=",
        "@",
        ":",
        "/a",
        "a/",
        "com.a",
        "ab:",
        "C:\\a",
        "'a': ",
        "class a.",
        "true ",
        "a{",
        "f ",
        "...1",
    ],
)
def test_no_text_is_slow(piece: str) -> None:
    text = piece * 60_000
    began = time.process_time()
    template(text[: 8 * LONGEST])
    assert time.process_time() - began < 0.25
