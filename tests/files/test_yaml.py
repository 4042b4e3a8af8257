"""YAML as people mean it: 1.2 core values, strictness, and errors that name the place."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.errors import FileError
from servicedesk.files import yaml


def said(text: str) -> Any:
    return yaml.parse(text, "f.yaml").data


def refused(text: str) -> FileError:
    with pytest.raises(FileError) as caught:
        yaml.parse(text, "f.yaml")
    return caught.value


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("17:30", "17:30"),
        ("1:2:3", "1:2:3"),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("off", "off"),
        ("2026-11-21", "2026-11-21"),
        ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"),
        ("0123", 123),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("0o17", 15),
        ("0x1F", 31),
        ("-7", -7),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("=", "="),
        ("<<", "<<"),
        ('"17"', "17"),
        ("'true'", "true"),
        ("1.2.3", "1.2.3"),
        ("+", "+"),
        ("9" * 101, "9" * 101),  # not a number that anybody meant; and int() of long text is slow
    ],
)
def test_plain_values_are_those_of_yaml_1_2(written: str, meant: Any) -> None:
    value = said(f"key: {written}")["key"]
    assert (value, type(value)) == (meant, type(meant))


def test_not_a_number_is_a_float() -> None:
    assert str(said("key: .nan")["key"]) == "nan"


def test_keys_are_text() -> None:
    assert said("1: a\ntrue: b\n~: c\n17:30: d") == {"1": "a", "true": "b", "~": "c", "17:30": "d"}


def test_block_texts_keep_their_lines() -> None:
    assert said("a: |\n  one\n  two\nb: >-\n  three\n  four\n") == {"a": "one\ntwo\n", "b": "three four"}


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("a: &x 1\nb: 2", 1, "anchor &x"),
        ("a: 1\nb: *x", 2, "alias *x"),
        ("a: !!python/object:os.system x", 1, "tag !!python/object:os.system"),
        ("a: !mine x", 1, "tag !mine"),
        ("a: ! x", 1, "tag !"),
        ("a: 1\nb: 2\na: 3", 3, "twice (first on line 1)"),
        ("a:\n  b: 1\n  b: 2", 3, "twice (first on line 2)"),
        ("? [a]\n: 1", 1, "cannot be a key"),
        ("? {a: 1}\n: 1", 1, "cannot be a key"),
        ("a: 1\n---\nb: 2", 2, "second document"),
        ("a: [1,\n b", 3, "not valid YAML"),
        ("a:\n\tb: 1", 2, "spaces, not tabs"),
        ("a: b: c", 1, "not valid YAML"),
    ],
)
def test_refuses_with_the_line(text: str, line: int, word: str) -> None:
    error = refused(text)
    assert (error.file, error.line) == ("f.yaml", line)
    assert word in error.message


def test_refuses_control_characters() -> None:
    assert "not valid YAML" in refused("a: \x00").message


def test_refuses_deep_nesting_without_exhausting_the_stack() -> None:
    assert "deep" in refused("[" * 100_000).message
    assert said("[" * yaml.MAX_DEPTH + "]" * yaml.MAX_DEPTH)


def test_an_alias_bomb_is_refused_at_its_first_anchor() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"{c}: &{c} [*{p}, *{p}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True))
    assert refused(bomb).line == 1


def test_an_empty_file_says_nothing() -> None:
    assert said("") is None
    assert said("# only a comment\n") is None


def test_a_byte_order_mark_is_not_content(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert yaml.load(file).data == {"a": 1}


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes("é".encode("latin-1"))
    (tmp_path / "large").write_bytes(b"#" * (yaml.MAX_BYTES + 1))
    for name, word in (("absent", "cannot be read"), ("latin", "UTF-8"), ("large", "MiB"), (".", "cannot be read")):
        with pytest.raises(FileError, match=word) as caught:
            yaml.load(tmp_path / name)
        assert caught.value.file == str(tmp_path / name)


leaves = (
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
) | st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]))
trees = st.recursive(
    leaves, lambda t: st.lists(t, max_size=4) | st.dictionaries(st.text("abc", max_size=3), t), max_leaves=12
)


@given(trees)
def test_json_is_read_as_json(tree: Any) -> None:
    """JSON is a part of YAML 1.2, so what json writes must come back."""
    assert said(json.dumps(tree, ensure_ascii=False)) == tree


@given(st.text(st.sampled_from(list("ab1:-[]{},\n \t#&*!|>'\"%@`?~.\\\x00é")), max_size=40))
def test_any_text_is_read_or_refused_by_name(text: str) -> None:
    try:
        told = yaml.parse(text, "f.yaml").place(()).file
    except FileError as error:
        told = error.file
    assert told == "f.yaml"


# --- laying one document over another --------------------------------------------------------------------------------


def laid(base: str, over: str) -> yaml.Document:
    return yaml.merge(yaml.parse(base, "base"), yaml.parse(over, "over"))


def test_mappings_merge_lists_and_values_are_replaced_null_takes_away() -> None:
    merged = laid("a: {x: 1, y: [1, 2], z: 3}\nb: 1", "a: {y: [9], z: null, w: {q: 1}}")
    assert merged.data == {"a": {"x": 1, "y": [9], "w": {"q": 1}}, "b": 1}


def test_places_are_those_of_the_file_that_said_it() -> None:
    merged = laid("a:\n  x: 1\n  y:\n    - 1\n", "\na:\n  y:\n    - 5\n    - 6\n")
    assert merged.place(("a", "x")) == yaml.Place("base", 2)
    assert merged.place(("a", "y", 1)) == yaml.Place("over", 5)
    assert merged.place(("a", "nothing", "there")) == yaml.Place("over", 2)
