"""Rules judge lines: all expressions in one pass, the first rule that fits decides."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.domain.syslog_rules import Rule, Ruleset, Threshold, Verdict, groups_of, problems


@dataclass(frozen=True)
class Line:
    text: str = ""
    severity: int = 6
    facility: int = 3
    host: str = "db1"
    app: str = "sshd"


def rule(name: str = "r", **parts: object) -> Rule:
    return Rule(id=name, title=name, **parts)  # type: ignore[arg-type]


def verdict(line: Line, *rules: Rule) -> tuple[str, str]:
    found: Verdict = Ruleset(rules).judge(line)
    return found.kind, found.rule.id if found.rule else ""


@pytest.mark.feature("I18")
@pytest.mark.parametrize(
    ("parts", "fits"),
    [
        ({}, True),
        ({"severities": frozenset({6})}, True),
        ({"severities": frozenset({0, 1, 2})}, False),
        ({"facilities": frozenset({3, 4})}, True),
        ({"facilities": frozenset({4})}, False),
        ({"hosts": ("DB1",)}, True),
        ({"hosts": ("db*",)}, True),
        ({"hosts": ("db?", "x")}, True),
        ({"hosts": ("web*",)}, False),
        ({"hosts": ("d.1",)}, False),
        ({"apps": ("cron", "SSHD")}, True),
        ({"apps": ("cron",)}, False),
        ({"messages": ("fail(ed|ure)",)}, True),
        ({"messages": ("nothing", "disk")}, True),
        ({"messages": ("Failed",)}, False),
        ({"messages": ("(?i)FAILED",)}, True),
        ({"messages": ("failed",), "excludes": ("sda",)}, False),
        ({"messages": ("failed",), "excludes": ("sdb",)}, True),
        ({"excludes": ("sda",)}, False),
        ({"messages": ("failed",), "apps": ("cron",)}, False),
    ],
)
def test_filters(parts: dict[str, object], fits: bool) -> None:
    line = Line("disk sda failed")
    assert verdict(line, rule(**parts)) == (("fire", "r") if fits else ("ignore", ""))


def test_the_first_rule_that_fits_decides() -> None:
    line = Line("disk failed", severity=3)
    quiet, loud, rest = (
        rule("quiet", messages=("disk",), action="ignore"),
        rule("loud", messages=("failed",)),
        rule("rest"),
    )
    assert verdict(line, quiet, loud, rest) == ("ignore", "quiet")
    assert verdict(line, loud, quiet, rest) == ("fire", "loud")
    assert verdict(line, rest, quiet, loud) == ("fire", "rest")
    assert verdict(line, replace(quiet, apps=("cron",)), rest) == ("fire", "rest")
    assert verdict(line) == ("ignore", "")


@pytest.mark.feature("I18")
def test_a_recovery_is_told_with_its_groups() -> None:
    link = rule(messages=(r"Interface (?P<port>\S+) down",), recoveries=(r"Interface (?P<port>\S+) up",))
    rules = Ruleset([replace(link, severities=frozenset({3}))])
    down, up = rules.judge(Line("Interface Gi0/1 down", 3)), rules.judge(Line("Interface Gi0/1 up", 5))
    assert (down.kind, groups_of(down, "Interface Gi0/1 down")) == ("fire", {"port": "Gi0/1"})
    assert (up.kind, groups_of(up, "Interface Gi0/1 up")) == ("recover", {"port": "Gi0/1"})
    assert rules.judge(Line("Interface Gi0/1 down", 5)).kind == "ignore"


def test_groups_that_took_no_part_are_empty() -> None:
    either = Ruleset([rule(messages=(r"disk (?P<disk>\w+)|fan (?P<fan>\w+)",))])
    assert groups_of(either.judge(Line("größer: fan two")), "größer: fan two") == {"disk": "", "fan": "two"}


WORDS = ["error", "fail", "link", "down", "up", "disk", "panic", "ssh", "denied", "timeout", "kernel", "unit", "crc"]


def patterns(count: int) -> list[str]:
    rng = random.Random(7)
    shapes = [
        "{a} .*{b}",
        "(?i){a}[-_ ]{b}",
        r"{a}(?:{b}|{c})\d+",
        r"\b{a}\b.*\b{c}{i}\b",
        r"rule{i} \S+ {b}",
        "^{a} {b}",
        "{c}$",
        r"\d{{3,}} {a}",
    ]
    made = []
    for i in range(count):
        a, b, c = rng.sample(WORDS, 3)
        made.append(rng.choice(shapes).format(a=a, b=b, c=c, i=i))
    return made


@pytest.mark.feature("I18")
@given(
    st.lists(
        st.one_of(
            st.sampled_from(WORDS),
            st.sampled_from([w.upper() for w in WORDS]),
            st.integers(0, 600).map(lambda n: f"rule{n}"),
            st.text(max_size=4),
        ),
        max_size=25,
    ),
    st.sampled_from([" ", "-", "_", ""]),
)
def test_one_pass_finds_what_each_expression_finds_alone(words: list[str], between: str) -> None:
    text = between.join(words)
    alone = next((i for i, p in enumerate(COMPILED) if p.search(text.encode("utf-8", "replace")) is not None), None)
    found = RULES.judge(Line(text.encode("utf-8", "replace").decode()))
    assert (found.rule.id if found.rule else None) == (None if alone is None else f"r{alone}")


PATTERNS = patterns(500)
COMPILED = [re2.compile(p) for p in PATTERNS]
RULES = Ruleset([rule(f"r{i}", messages=(p,)) for i, p in enumerate(PATTERNS)])


@pytest.mark.feature("I18")
@pytest.mark.parametrize("evil", ["(a+)+$", "(a|a)*b", "(.*a){12}", "(x+x+)+y", r"(?:a?){50}a{50}"])
def test_no_expression_stalls_the_process(evil: str) -> None:
    try:
        rules = Ruleset([rule(messages=(evil,))])
    except ValueError:
        return  # refused: found in an empty line, or too large
    began = time.process_time()
    rules.judge(Line("a" * 60_000 + "x" * 4_000))
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize("pattern", ["(", "a**", "(?=look)", r"\1", "", "x*", "^", "a{1000}{1000}", "y" * 3_000])
def test_expressions_that_do_not_work_are_refused_with_a_sentence(pattern: str) -> None:
    found = list(problems(rule(messages=(pattern,))))
    assert found
    assert found[0][0] == ("message", 0)
    with pytest.raises(ValueError):
        Ruleset([rule(messages=(pattern,))])


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"messages": ("x",), "key": ("host", "port")}, ("key", 1)),
        ({"messages": ("x",), "summary": "{nothing}"}, ("summary",)),
        ({"messages": ("(?P<p>x)",), "recoveries": ("y",), "key": ("template",)}, ("key", 0)),
        ({"recoveries": ("y",)}, ("recovery",)),
        ({"threshold": Threshold(3, timedelta(minutes=1), "port")}, ("threshold", "distinct")),
        ({"action": "ignore", "silence": timedelta(minutes=1)}, ("action",)),
    ],
)
def test_what_does_not_fit_together(parts: dict[str, object], place: tuple[str | int, ...]) -> None:
    assert place in [where for where, _ in problems(rule(**parts))]


def test_too_many_rules_are_refused() -> None:
    with pytest.raises(ValueError):
        Ruleset([rule(f"r{i}") for i in range(2_001)])
