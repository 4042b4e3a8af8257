"""What does not fit the types is named by file, line and key, in words that a person knows."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.errors import FileError
from servicedesk.files import yaml
from servicedesk.files.typed import convert


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    port: int = 0


class Outer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    inner: Inner
    items: tuple[Inner, ...] = ()
    named: dict[str, Inner] = {}
    numbers: dict[int, bool] = {}
    either: str | Inner = ""


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [
        ("inner: {name: a}\nitms: []", 2, "itms", "'itms' is not a known key: did you mean 'items'?"),
        ("inner:\n  name: a\n  prt: 1", 3, "inner.prt", "'prt' is not a known key: did you mean 'port'?"),
        ("inner: {name: a}\nzzz: 1", 2, "zzz", "'zzz' is not a known key: remove it, or use one of inner, items"),
        ("inner: {}", 1, "inner", "the key 'name' is missing: add it"),
        ("\n\ninner: {name: 5}", 3, "inner.name", "expected text, got a whole number"),
        (
            "inner: {name: a}\nitems:\n  - {name: x}\n  - {name: y, port: z}",
            4,
            "items[1].port",
            "expected a whole number",
        ),
        ("inner: {name: a}\nnamed:\n  x: {name: b}\n  y:\n    port: 1", 4, "named.y", "the key 'name' is missing"),
        ("inner: {name: a}\nnamed:\n  x: {name: b}\n  y: {name: c, q: 1}", 4, "named.y.q", "'q' is not a known key"),
        ("inner: {name: a}\nnumbers:\n  1: true\n  x: true", 4, "numbers.x", "expected a whole number, got text"),
        ("inner: {name: a}\nnumbers:\n  1: true\n  2: maybe", 4, "numbers.2", "expected true or false, got text"),
        ("inner: {name: a}\neither: {nme: a}", 2, "either.nme", "did you mean 'name'?"),
        ("- 1", 1, "", "expected a mapping, got a list"),
    ],
)
def test_what_does_not_fit_is_named(text: str, line: int, key: str, message: str) -> None:
    with pytest.raises(FileError) as caught:
        convert(yaml.parse(text, "f.yaml"), Outer)
    assert (caught.value.file, caught.value.line, caught.value.key) == ("f.yaml", line, key)
    assert message in caught.value.message


def test_what_fits_is_typed() -> None:
    found = convert(yaml.parse("inner: {name: a}\nnumbers: {7: true}\neither: {name: b}", "f"), Outer)
    assert found == Outer(Inner("a"), numbers={7: True}, either=Inner("b"))


names = st.sampled_from(["inner", "items", "named", "numbers", "either", "name", "port", "1", "x`y - at `$.z`", "é"])
leaves = st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from(["a", "1", ""])
trees = st.recursive(leaves, lambda t: st.lists(t, max_size=3) | st.dictionaries(names, t, max_size=4), max_leaves=10)


@given(trees | st.dictionaries(names, trees).map(lambda d: {"inner": {"name": "a"}} | d))
def test_whatever_stands_in_a_file_is_typed_or_refused_at_its_place(tree: Any) -> None:
    document = yaml.parse(msgspec.json.encode(tree).decode(), "f.yaml")
    try:
        place = ("f.yaml", 1 if convert(document, Outer) else 0)
    except FileError as error:
        place = (error.file, error.line or 0)
    assert place == ("f.yaml", 1)
