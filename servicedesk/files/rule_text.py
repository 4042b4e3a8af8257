"""Writing a syslog rule as a file that people can go on with: YAML, one rule, checked before it is kept."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from servicedesk.domain.syslog_drafts import Draft
from servicedesk.domain.syslog_rules import Rule
from servicedesk.errors import BadInput, Conflict, FileError

from . import rules

_IN_MATCH = ("app", "host", "message")
_PLAIN = ("severity", "service", "category", "recovery", "silence", "explain")
_GIVES = {"alert": "fire", "record": "fire", "keep": "keep", "ignore": "ignore"}


def text_of(draft: Draft, by: str = "") -> str:
    """The file. by: who made it, for its first line."""
    return "\n".join([*_head(by), "schema: 1", "syslog:", *_rule(draft)]) + "\n"


def _head(by: str) -> Iterator[str]:
    if by:
        yield f"# Made on the page “Syslog” by {' '.join(by.split())}."


def _rule(draft: Draft) -> Iterator[str]:
    yield f"  - id: {_quoted(draft.id)}"
    yield f"    title: {_quoted(draft.title)}"
    match = {name: getattr(draft, name) for name in _IN_MATCH if getattr(draft, name)}
    if match:
        yield "    match:"
        yield from (f"      {name}: {_quoted(value)}" for name, value in match.items())
    yield f"    action: {_quoted(draft.action)}"
    yield from (f"    {name}: {_quoted(getattr(draft, name))}" for name in _PLAIN if getattr(draft, name))
    if draft.count is not None or draft.within:
        yield f"    threshold: {{count: {draft.count or 0}, within: {_quoted(draft.within)}}}"
    if draft.line and draft.line.isprintable() and draft.action in _GIVES:
        yield "    tests:"
        yield f"      - {{line: {_quoted(draft.line)}, gives: {_GIVES[draft.action]}}}"


def _quoted(text: Any) -> str:
    """A JSON text is a YAML one."""
    return json.dumps(str(text), ensure_ascii=False)


def check(draft: Draft) -> Rule:
    """The rule that this would be. Raises BadInput, which names the field."""
    try:
        (rule,) = rules.parse(text_of(draft), "rule")
    except FileError as error:
        raise BadInput({_field(error.key): error.message}) from error
    return rule


def _field(key: str) -> str:
    """Which field of the form a key of the file is about."""
    last = key.replace("]", "").replace("[", ".").split(".")
    names = [part for part in last if part in Draft.__slots__ or part == "threshold"]
    return "count" if names[-1:] == ["threshold"] else names[-1] if names else ""


def write(folder: Path, draft: Draft, by: str) -> Path:
    """Keep it as `<id>.yaml`; whole or not at all. Raises BadInput, Conflict."""
    check(draft)
    target = folder / f"{draft.id}.yaml"
    if target.exists():
        raise Conflict(f"There is a file {target.name} already: choose another name for the rule.")
    new = folder / f".{draft.id}.new"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        new.write_text(text_of(draft, by), encoding="utf-8")
        os.replace(new, target)
    except OSError as error:
        raise Conflict(f"The rule cannot be written to {target}: {error.strerror or error}.") from error
    return target
