"""Writes the JSON Schemas of the files that people write to where they ship.

python -m tools.schemas
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from servicedesk.checks import registry
from servicedesk.files import schemas
from servicedesk.files.playbooks import SHIPPED
from servicedesk.files.policies import DEFAULT

FILES: dict[Path, Callable[[], dict[str, Any]]] = {
    SHIPPED / "schema.json": lambda: schemas.playbook(registry.CHECKS),
    DEFAULT.parent / "policy.schema.json": schemas.policy,
}


def write() -> None:
    """Write every schema to its file."""
    for path, schema in FILES.items():
        path.write_text(schemas.text(schema()), encoding="utf-8")


if __name__ == "__main__":
    write()
