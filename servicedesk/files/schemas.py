"""JSON Schemas of the files that people write, for editors and other tools.

`python -m tools.schemas` writes them to where they ship; a test compares them with the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from servicedesk.domain.checks import CheckKind
from servicedesk.domain.policy import Days, Duration, Policy
from servicedesk.files.playbook_format import PlaybookFile, PlaybookFile2, StepFile2, VerifyCheckFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def playbook(kinds: Mapping[str, CheckKind]) -> dict[str, Any]:
    """The schema of a playbook file, of either schema number, with the keys of each kind of check."""
    options = [kind.options for kind in kinds.values()]
    (second, first, *checks), parts = msgspec.json.schema_components(
        [PlaybookFile2, PlaybookFile, *options], ref_template="#/$defs/{name}"
    )
    for holder in (StepFile2, VerifyCheckFile):
        part = parts[holder.__name__]
        was = part["properties"]["check"]
        may_be_absent = any(option.get("type") == "null" for option in was.get("anyOf", ()))
        one = {"anyOf": [*checks, *([{"type": "null"}] if may_be_absent else [])]}
        part["properties"]["check"] = one | {k: v for k, v in was.items() if k in ("default", "description")}
    title = "Service desk playbook"
    return {"$schema": DIALECT, "title": title, "anyOf": [second, first], "$defs": parts}


def policy() -> dict[str, Any]:
    """The schema of a policy file: only `schema` is needed, everything else may be left to the defaults or be null."""
    found = msgspec.json.schema(Policy, schema_hook=_own_types)
    sections = {name: _optional(part) for name, part in found["$defs"].items()}
    sections["Policy"]["required"] = ["schema"]
    title = "Service desk policy, schema 1"
    return {"$schema": DIALECT, "title": title, "$ref": found["$ref"], "$defs": sections}


def _own_types(kind: type) -> dict[str, Any]:
    if kind is Duration:
        return {
            "type": "string",
            "pattern": "^(?=.)([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$",
            "examples": ["10m", "1h30m", "7d"],
        }
    if kind is Days:
        return {
            "type": "string",
            "pattern": "^[0-9]+ (business )?days?$",
            "examples": ["3 days", "5 business days"],
        }
    raise NotImplementedError(kind)


def _optional(section: dict[str, Any]) -> dict[str, Any]:
    """Nothing is required in a file that is laid over the defaults, and null takes an entry of a mapping away."""
    section = {key: value for key, value in section.items() if key != "required"}
    section["properties"] = {name: _nullable(part) for name, part in section["properties"].items()}
    return section


def _nullable(part: dict[str, Any]) -> dict[str, Any]:
    entries = part.get("additionalProperties")
    if isinstance(entries, dict):
        return part | {"additionalProperties": {"anyOf": [_nullable(entries), {"type": "null"}]}}
    return part


def text(schema: dict[str, Any]) -> str:
    """The schema as its file holds it."""
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"
