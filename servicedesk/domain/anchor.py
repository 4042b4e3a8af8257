"""Anchors: signed lines in a file outside the database that say how far each chain had come. Pure; the format is final.

A line is canonical JSON: {"at": µs UTC, "heads": {"<incident>": [seq, mac hex]}, "incidents": count, "mark": where the
next look begins, "prev": mac hex of the line before, "mac": hex}. mac = HMAC-SHA256(audit key, "anchor" + the line
without its mac). With them a cut tail and a vanished ticket show even when the database's own heads were adjusted.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .audit import GENESIS, canonical

Head = tuple[int, str]  # seq, mac (hex)


@dataclass(frozen=True, slots=True)
class Anchors:
    """What a file of anchors says: the newest head of every chain, the last count of tickets, and what is wrong."""

    lines: int = 0
    at_us: int = 0
    incidents: int = 0
    heads: Mapping[int, Head] = field(default_factory=dict)
    fault: str | None = None


def line(key: bytes, prev: str, at_us: int, heads: Mapping[int, Head], incidents: int, mark: int) -> dict[str, Any]:
    """A signed line as JSON values; `prev` is the mac of the line before ("" for the first)."""
    body: dict[str, Any] = {
        "at": at_us,
        "heads": {str(number): list(head) for number, head in sorted(heads.items())},
        "incidents": incidents,
        "mark": mark,
        "prev": prev or GENESIS.hex(),
    }
    return body | {"mac": _mac(key, body)}


def parse(text: str) -> dict[str, Any] | None:
    """A line's values; None for a torn line."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) and "mac" in value else None


def read(key: bytes, texts: Iterable[str]) -> Anchors:
    """Follow a file's lines from the first; a line that a crash tore is passed over, its successor follows the one
    before it. Reading ends at the first fault."""
    prev, at_us, incidents, count = GENESIS.hex(), 0, 0, 0
    heads: dict[int, Head] = {}
    for number, text in enumerate(texts, 1):
        value = parse(text)
        if value is None:
            continue
        fault = _fault(key, value, prev)
        if fault:
            return Anchors(count, at_us, incidents, heads, f"line {number} {fault}")
        prev, at_us, incidents, count = value["mac"], value["at"], value["incidents"], count + 1
        heads.update({int(incident): (head[0], head[1]) for incident, head in value["heads"].items()})
    return Anchors(count, at_us, incidents, heads)


def _fault(key: bytes, value: Mapping[str, Any], prev: str) -> str | None:
    body = {name: part for name, part in value.items() if name != "mac"}
    if not hmac.compare_digest(_mac(key, body), str(value["mac"])):
        return "was edited, or signed with another key"
    if value["prev"] != prev:
        return "does not follow the line before it: a line was dropped, inserted or reordered"
    return None


def _mac(key: bytes, body: Mapping[str, Any]) -> str:
    return hmac.digest(key, b"anchor" + canonical(body), "sha256").hex()
