"""The shipped JSON Schemas are those of the code, and say the same as the reader."""

import re
from pathlib import Path
from typing import Any

import pytest

from servicedesk.checks.registry import CHECKS
from servicedesk.files import playbooks, policies, schemas, yaml
from tools import schemas as shipped

PLAYBOOK, POLICY = schemas.playbook(CHECKS), schemas.policy()


def fits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Does a value fit? Knows the part of JSON Schema 2020-12 that our schemas use, and fails on any other."""
    rest = dict(schema)
    for note in ("description", "title", "default", "examples", "$schema", "$defs"):
        rest.pop(note, None)
    if "$ref" in rest:
        return fits(value, root["$defs"][rest["$ref"].rsplit("/", 1)[1]], root)
    if "anyOf" in rest:
        return any(fits(value, option, root) for option in rest["anyOf"])
    if "enum" in rest:
        return value in rest["enum"]
    return _KINDS[rest.pop("type")](value, rest, root)


def _object(value: Any, rest: dict[str, Any], root: dict[str, Any]) -> bool:
    parts, other = rest.pop("properties", {}), rest.pop("additionalProperties", True)
    needed = rest.pop("required", [])
    assert not rest
    return (
        isinstance(value, dict)
        and set(needed) <= set(value)
        and all(
            fits(v, parts[k], root) if k in parts else isinstance(other, dict) and fits(v, other, root)
            for k, v in value.items()
        )
    )


def _array(value: Any, rest: dict[str, Any], root: dict[str, Any]) -> bool:
    first, items = rest.pop("prefixItems", []), rest.pop("items", {})
    low, high = rest.pop("minItems", 0), rest.pop("maxItems", 10**6)
    assert not rest
    return (
        isinstance(value, list)
        and low <= len(value) <= high
        and all(fits(v, first[i] if i < len(first) else items, root) for i, v in enumerate(value))
    )


def _string(value: Any, rest: dict[str, Any], _root: dict[str, Any]) -> bool:
    low, high, pattern = rest.pop("minLength", 0), rest.pop("maxLength", 10**9), rest.pop("pattern", "")
    assert not rest
    return isinstance(value, str) and low <= len(value) <= high and re.search(pattern, value) is not None


def _integer(value: Any, rest: dict[str, Any], _root: dict[str, Any]) -> bool:
    low, high = rest.pop("minimum", -(10**9)), rest.pop("maximum", 10**9)
    assert not rest
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _number(value: Any, rest: dict[str, Any], _root: dict[str, Any]) -> bool:
    low, high = rest.pop("minimum", -(10**9)), rest.pop("maximum", 10**9)
    assert not rest
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


_KINDS: dict[str, Any] = {
    "number": _number,
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "boolean": lambda value, _rest, _root: isinstance(value, bool),
    "null": lambda value, _rest, _root: value is None,
}


@pytest.mark.feature("P8")
@pytest.mark.parametrize("path", shipped.FILES, ids=lambda p: p.name)
def test_the_shipped_schema_is_the_code_s(path: Path) -> None:
    """Run `python -m tools.schemas` after a change of the types."""
    assert path.read_text(encoding="utf-8") == schemas.text(shipped.FILES[path]())


def test_write_writes_exactly_those(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = {tmp_path / path.name: schema for path, schema in shipped.FILES.items()}
    monkeypatch.setattr(shipped, "FILES", moved)
    shipped.write()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["policy.schema.json", "schema.json"]


def test_the_default_policy_fits() -> None:
    assert fits(yaml.load(policies.DEFAULT).data, POLICY, POLICY)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("schema: 1", True),
        ("schema: 1\nalerts: {join_window: 1h30m}\ncategories: {mail: null, sap: {en: SAP, fr: SAP}}", True),
        ("solo_mode: true", False),
        ("schema: 1\nalerts: {join_window: soon}", False),
        ("schema: 1\nalerts: {join_window: ''}", False),
        ("schema: 1\nreview: {due: {full: {1: 3 days}}}", True),
        ("schema: 1\nreview: {due: {full: {1: 3 weeks}}}", False),
        ("schema: 1\npriority: {matrix: [[1, 2, 3], [2, 3, 4], [3, 4, 9]]}", False),
        ("schema: 1\nalrts: {}", False),
        ("schema: 1\nsolo_mode: yes", False),
    ],
)
def test_the_policy_s_schema_judges_files_as_the_reader_does(text: str, good: bool, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(text, encoding="utf-8")
    try:
        policies.load(file)
        read = True
    except policies.FileError:
        read = False
    assert (read, fits(yaml.parse(text, "f").data, POLICY, POLICY)) == (good, good)


@pytest.mark.parametrize("file", playbooks.find(playbooks.SHIPPED), ids=lambda f: f.stem)
def test_every_shipped_playbook_fits(file: Path) -> None:
    assert fits(yaml.load(file).data, PLAYBOOK, PLAYBOOK)


def test_the_playbook_s_schema_refuses_what_is_not_known() -> None:
    good = {"schema": 1, "id": "a", "title": "A", "steps": [{"id": "s", "title": "S", "instruction": "x"}]}
    assert fits(good, PLAYBOOK, PLAYBOOK)
    for bad in ({"verify": {}}, {"id": "A"}, {"steps": []}, {"match": [{"lables": "x"}]}, {"schema": 3}):
        assert not fits(good | bad, PLAYBOOK, PLAYBOOK)
