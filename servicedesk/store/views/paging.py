"""Keyset paging: a page is the rows after the last one that was seen, never "row 10,000 and following"."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from servicedesk.errors import BadInput

T = TypeVar("T")
MAX_LIMIT = 500
Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items in order, and the cursor of the next page (None: this was the last)."""

    items: tuple[T, ...]
    next: str | None = None


def cursor_of(*values: int | str | None) -> str:
    """The sort key of the last row as an opaque text, safe in an address."""
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).decode().rstrip("=")


def read_cursor(text: str, *kinds: type) -> Values | None:
    """The sort key again; None for "". Raises BadInput when it is not a cursor of this list."""
    if not text:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        values = msgspec.json.decode(raw, type=list[int | str | None], strict=True)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise BadInput({"cursor": "is not a cursor of this list: start again without it"}) from error
    fits = len(values) == len(kinds) and all(v is None or isinstance(v, k) for v, k in zip(values, kinds, strict=True))
    if not fits:
        raise BadInput({"cursor": "is not a cursor of this list: start again without it"})
    return tuple(values)


def check_limit(limit: int) -> int:
    if not 1 <= limit <= MAX_LIMIT:
        raise BadInput({"limit": f"must be 1 to {MAX_LIMIT}"})
    return limit


def page_of(rows: list[T], limit: int, key: Any) -> Page[T]:
    """Of `limit + 1` rows that were asked for: the page, and whether there is another. key(row) -> cursor values."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page(tuple(shown), cursor_of(*key(shown[-1])) if more and shown else None)
