"""From a database row to a read model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy import func

T = TypeVar("T")


def fill(kind: type[T], row: Mapping[Any, Any], **made: Any) -> T:
    """A read model (a dataclass with slots) from the row's columns of the same names; `made` goes before them."""
    names: tuple[str, ...] = kind.__slots__  # type: ignore[attr-defined]
    return kind(**{name: row[name] for name in names if name not in made}, **made)


def shown_name(people: Any) -> Any:
    """How a user (table or alias) is shown: the display name, else the sign-in name, else ""."""
    return func.coalesce(func.nullif(people.c.display, ""), people.c.name, "")
