"""Writes the kinds of checks and their keys into docs/checks.md, from the checks themselves.

python -m tools.check_reference
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from servicedesk.checks.check import Check, Options
from servicedesk.checks.registry import CHECKS

PAGE = Path(__file__).resolve().parents[1] / "docs/checks.md"
BEGIN, END = "<!-- kinds: written by `make docs` -->", "<!-- end of kinds -->"


def kinds() -> str:
    """Every kind of check, with a table of its keys."""
    return "\n\n".join("\n".join(_kind(check)) for check in CHECKS.values())


def _kind(check: Check) -> Iterator[str]:
    yield f"### `{check.name}`: {check.title}"
    yield ""
    yield check.description
    if check.reads:
        yield "Configuration: " + ", ".join(f"`{key}`" for key in check.reads) + "."
    yield ""
    yield "| key | needed | what it says |"
    yield "|---|---|---|"
    common = set(Options.__struct_fields__)
    properties: dict[str, Any] = msgspec.json.schema_components([check.options])[1][check.options.__name__]
    for name, shape in properties["properties"].items():
        if name != "type" and name not in common:
            yield f"| `{name}` | {'yes' if name in properties['required'] else 'no'} | {_says(shape)} |"


def _says(shape: dict[str, Any]) -> str:
    told = str(shape.get("description", "") or _inner(shape, "description"))
    choices = [str(c) for c in shape.get("enum", ()) if c != ""]
    if choices:
        told = f"{told.rstrip('.')}: {', '.join(f'`{c}`' for c in choices)}."
    default = shape.get("default")
    if default not in (None, "", False, [], {}):
        shown = ", ".join(map(str, default)) if isinstance(default, list | tuple) else str(default)
        told += f" Default `{shown}`"
    return told.replace("|", "\\|")


def _inner(shape: dict[str, Any], key: str) -> str:
    return next((str(option[key]) for option in shape.get("anyOf", ()) if key in option), "")


def page(text: str) -> str:
    """The page with the kinds as the code has them."""
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{kinds()}\n\n{END}{rest.partition(END)[2]}"


def main() -> None:
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
