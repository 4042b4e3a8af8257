"""Matchers read as Alertmanager 0.27 and later read them; a real Alertmanager (amtool) is asked, too."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servicedesk.domain.matchers import (
    MAX_LENGTH,
    Matcher,
    MatcherError,
    match_all,
    matcher,
    parse_matcher,
    parse_matchers,
)
from tests.support import missing


def read(text: str) -> list[tuple[str, str, str]]:
    return [(m.name, m.op, m.value) for m in parse_matchers(text)]


# The cases of Alertmanager's own tests (matcher/parse, pkg/labels, matcher/compat), by behaviour.
READS = [
    ("", []),
    ("{}", []),
    ("{foo=bar}", [("foo", "=", "bar")]),
    ("{foo=bar,}", [("foo", "=", "bar")]),
    ("{foo!=bar}", [("foo", "!=", "bar")]),
    ("{foo=~[a-z]+}", [("foo", "=~", "[a-z]+")]),
    ("{foo!~[a-z]+}", [("foo", "!~", "[a-z]+")]),
    ("foo=bar", [("foo", "=", "bar")]),
    ("foo=bar,", [("foo", "=", "bar")]),
    (' { foo = "bar" , bar != "baz" , } ', [("foo", "=", "bar"), ("bar", "!=", "baz")]),
    ('foo="bar",bar!="baz"', [("foo", "=", "bar"), ("bar", "!=", "baz")]),
    ("{foo=🙂bar}", [("foo", "=", "🙂bar")]),
    ('{"foo"="bar"}', [("foo", "=", "bar")]),
    ('{"foo"=~"[a-z]+",}', [("foo", "=~", "[a-z]+")]),
    # UTF-8 names, bare and quoted, with Go's escapes in quotes
    ('{"service name"="a b"}', [("service name", "=", "a b")]),
    ("Ω!=x", [("Ω", "!=", "x")]),
    ("0leading.dot=x", [("0leading.dot", "=", "x")]),
    (r'{"foo"="\xf0\x9f\x99\x82"}', [("foo", "=", "🙂")]),
    (r'{"foo"="\U0001f642\u00e9"}', [("foo", "=", "🙂é")]),
    (r'{"foo"="bar\t\"x\"\\\101"}', [("foo", "=", 'bar\t"x"\\A')]),
    (r'{"a\"b"=c}', [('a"b', "=", "c")]),
    # where the classic grammar can read the text, it wins: \n, \" and \\ are its only escapes
    (r'foo="a\tb"', [("foo", "=", r"a\tb")]),
    (r'foo="a\nb\\c\"d"', [("foo", "=", 'a\nb\\c"d')]),
    (r'instance=~"\d+\.example\.org"', [("instance", "=~", r"\d+\.example\.org")]),
    (r"foo=bar\n", [("foo", "=", "bar\n")]),
    ("foo=", [("foo", "=", "")]),
    ('foo=""', [("foo", "=", "")]),
    ("foo=a b=c", [("foo", "=", "a b=c")]),
    ("foo=~a{2}", [("foo", "=~", "a{2")]),  # the last brace counts as the closing one, there as here: use quotes
    ('foo=~"a{2}"', [("foo", "=~", "a{2}")]),
    ("foo=:x:", [("foo", "=", ":x:")]),
    ("ns:name=x", [("ns:name", "=", "x")]),
    ('foo="a,b"', [("foo", "=", "a,b")]),
    ('foo="a\nb"', [("foo", "=", "a\nb")]),
    ("foo=bar}", [("foo", "=", "bar")]),
    ("{foo=bar", [("foo", "=", "bar")]),
]  # fmt: skip

REFUSES = [
    (",", 1, "a label name is expected"),
    ("{,}", 2, "a label name is expected"),
    ('{"foo"="bar"', 13, "the closing } is missing"),
    ('"foo"="bar"}', 12, "a comma is expected"),
    ('{"foo"="bar"}x', 14, "nothing more is expected"),
    ("=x", 1, "a label name is expected"),
    ("foo", 4, "one of = != =~ !~ is expected"),
    ("foo~bar", 4, "one of = != =~ !~ is expected"),
    ('"foo"=', 7, "a value is expected"),
    ('"foo"=,', 7, "a value is expected"),
    ('foo="a" b', 9, "a comma is expected"),
    ('{foo=:"bar"}', 7, "a comma or } is expected"),
    ('"foo', 1, "the closing double quote is missing"),
    ('foo="bar', 5, "the closing double quote is missing"),
    ('"a b"="x\ny"', 7, "the closing double quote is missing"),
    (r'"a b"="c\w"', 9, r"the escape \w is not known"),
    (r'"a b"="\u00e"', 8, r"the escape \u is not known"),
    (r'"a b"="\ud800"', 8, r"the escape \ud800 is not known"),
    (r'"a b"="\400"', 8, r"the escape \400 is not known"),
    (r'"a b"="\x9"', 8, r"the escape \x is not known"),
    (r'{"foo"="\xf0\x9f"}', 8, "not valid UTF-8"),
    ('foo=~"("', 6, "missing ): ("),
    ('foo=~"a)|(b"', 6, "unexpected )"),
    ('foo=~"(?=x)"', 6, "invalid perl operator"),
    ("foo=~(", 6, "missing ): ("),
    ('"a b"=~"["', 8, "missing ]"),
]  # fmt: skip


@pytest.mark.feature("P1")
@pytest.mark.parametrize(("text", "found"), READS)
def test_reads(text: str, found: list[tuple[str, str, str]]) -> None:
    assert read(text) == found


@pytest.mark.feature("P1")
@pytest.mark.parametrize(("text", "column", "message"), REFUSES)
def test_refuses_with_the_position(text: str, column: int, message: str) -> None:
    with pytest.raises(MatcherError) as caught:
        parse_matchers(text)
    assert (caught.value.column, caught.value.text) == (column, text)
    assert message in caught.value.message
    assert f"column {column}" in str(caught.value)


def test_exactly_one() -> None:
    assert parse_matcher('a="b"') == matcher("a", "=", "b")
    for text in ("", "{}", 'a="b",c="d"'):
        with pytest.raises(MatcherError, match="one matcher is expected"):
            parse_matcher(text)


def test_a_very_long_text_is_refused_and_not_shown_whole() -> None:
    with pytest.raises(MatcherError, match="longer than") as caught:
        parse_matchers("a=" + "x" * MAX_LENGTH)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "labels", "holds"),
    [
        ('a="b"', {"a": "b"}, True),
        ('a="b"', {"a": "c"}, False),
        ('a="b"', {}, False),
        ('a=""', {}, True),
        ('a!="b"', {}, True),
        ('a!=""', {}, False),
        ('a=~"b.*"', {"a": "bcd"}, True),
        ('a=~"b"', {"a": "bcd"}, False),
        ('a=~"c|b"', {"a": "b"}, True),
        ('a=~"a|ab"', {"a": "ab"}, True),
        ('a=~".*"', {}, True),
        ('a=~".+"', {}, False),
        ('a=~"|x"', {}, True),
        ('a!~"b.*"', {"a": "bcd"}, False),
        ('a!~"b.*"', {}, True),
        ('a=~"x.y"', {"a": "x\ny"}, False),
        ('a=~"(?s)x.y"', {"a": "x\ny"}, True),
        ('a=~"x"', {"a": "x\n"}, False),
        ('a=~"(?i)é"', {"a": "É"}, True),
        ('a=~"x..z"', {"a": "xé🙂z"}, True),
        ('a=~"x."', {"a": "x\ud800"}, True),
        ('a="b", c!~"d|e"', {"a": "b", "c": "f"}, True),
        ('a="b", c!~"d|e"', {"a": "b", "c": "e"}, False),
        ("{}", {}, True),
    ],
)
def test_matches(text: str, labels: dict[str, str], holds: bool) -> None:
    assert match_all(parse_matchers(text), labels) is holds


def test_a_hostile_expression_takes_linear_time() -> None:
    """`(a+)+$` takes Python's own re longer than anybody waits."""
    assert not parse_matcher('a=~"(a+)+$"').matches({"a": "a" * 50_000 + "!"})
    with pytest.raises(MatcherError, match="invalid repetition size"):
        parse_matchers('a=~"((((x{1000}){1000}){1000}){1000})"')


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
values = st.text(st.characters(codec="utf-8"), max_size=12)
plain = st.builds(
    matcher, st.from_regex(r"[a-z_:][a-z0-9_:]{0,5}", fullmatch=True), st.sampled_from(["=", "!="]), values
)


@given(st.lists(plain, max_size=4))
def test_what_is_written_is_read_back(matchers: list[Matcher]) -> None:
    assert parse_matchers("{" + ",".join(map(str, matchers)) + "}") == tuple(matchers)


@given(names, values)
def test_any_name_can_be_written_in_quotes(name: str, value: str) -> None:
    quoted = ["".join(f"\\U{ord(c):08x}" for c in text) for text in (name, value)]
    assert read(f'{{"{quoted[0]}"="{quoted[1]}"}}') == [(name, "=", value)]


@given(st.sampled_from([m for text, _ in READS for m in parse_matchers(text)]), st.dictionaries(st.just("foo"), values))
def test_each_operator_denies_its_opposite(m: Matcher, labels: dict[str, str]) -> None:
    opposite = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}
    assert m.matches(labels) is not matcher(m.name, opposite[m.op], m.value).matches(labels)  # type: ignore[arg-type]


@given(st.text(st.sampled_from(list("ab1=!~\"\\,{}() \n|.*é'`\x00\ud800")), max_size=25))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        column = len(parse_matchers(text)) and 1
    except MatcherError as error:
        column = error.column
    assert 0 <= column <= len(text) + 1


# --- the real thing --------------------------------------------------------------------------------------------------


def amtool(folder: Path, texts: list[str]) -> str:
    """The routes of a configuration with these matchers, as amtool shows them; "" where it refuses them."""
    config = folder / "alertmanager.yml"
    route = f"route: {{receiver: r, routes: [{{receiver: r, matchers: {json.dumps(texts)}}}]}}\n"
    config.write_text(route + "receivers: [{name: r}]\n", encoding="utf-8")
    command = [missing.program("amtool"), "config", "routes", "show", f"--config.file={config}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    return done.stdout if done.returncode == 0 else ""


def as_shown(found: list[Matcher]) -> str:
    """amtool sorts matchers by name, then value."""
    ordered = sorted(found, key=lambda m: (m.name, m.value, ["=", "!=", "=~", "!~"].index(m.op)))
    return "{" + ",".join(map(str, ordered)) + "}"


CLASSIC = [text for text, _ in READS if text.strip(" {},") and '{"' not in text and text[0] not in "Ω0 "]


@pytest.mark.real
@pytest.mark.parametrize("text", [t for t in CLASSIC if t not in ("foo=", "{foo=🙂bar}")])
def test_the_real_alertmanager_reads_the_same(text: str, tmp_path: Path) -> None:
    """Debian's 0.25 has the classic grammar only, and later versions let that one win where it can read the text."""
    shown = amtool(tmp_path, [text])
    if not shown:  # what 0.25 cannot read is of the later grammar
        assert re.search(r"[^\x00-\x7f]", text) or '"' in text.split("=")[0]
        return
    assert as_shown(list(parse_matchers(text))) in shown


pieces = st.sampled_from(
    [
        "a",
        "b_1",
        "=~",
        "!=",
        '"',
        '"',
        ",",
        "{",
        "}",
        "\\",
        "\\n",
        '\\"',
        " ",
        ".*",
        "[a-z]",
        "|",
        "é",
        "\t",
        ":",
        "\\d",
    ]
)
words = st.lists(pieces, max_size=5).map("".join)
texts = st.builds(
    lambda name, op, value, quoted, more: f'{name}{op}"{value}"{more}' if quoted else f"{name}{op}{value}{more}",
    st.sampled_from(["a", " b_1 ", "x:y", "é"]),
    st.sampled_from(["=", "!=", " =~ ", "!~"]),
    words,
    st.booleans(),
    st.sampled_from(["", ",", "}", ',c="d"']),
)


@pytest.mark.real
@given(text=texts)
@settings(max_examples=60)
def test_whatever_the_real_alertmanager_reads_is_read_the_same(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shown = amtool(tmp_path_factory.mktemp("amtool"), [text])
    if shown:
        assert as_shown(list(parse_matchers(text))) in shown
