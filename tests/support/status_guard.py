"""Watches every statement that tests run in this process: an incident's status is updated in one place only."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, event

STATUS = re.compile(r"\s*UPDATE\s+\"?incident\"?\s+SET\b(?P<set>.*?)(\bWHERE\b|$)", re.IGNORECASE | re.DOTALL)
WRITER = "servicedesk/services/shared/transition.py"
# These run what others hand them; the migrations move rows as a whole.
CARRIERS = ("servicedesk/store/db.py", "servicedesk/desk.py", "servicedesk/store/migrations/")
_watchers: list[list[str]] = []


def clock() -> datetime:
    return datetime.now(UTC)


def sets_status(sql: str) -> bool:
    """Is this an UPDATE of the incident table that assigns the column `status`?"""
    match = STATUS.match(sql)
    return bool(match and re.search(r"(^|[\s,(\"])status\"?\s*=", match["set"]))


def forbidden(sql: str, files: list[str]) -> bool:
    """Does code of ours (`files`: the stack, innermost first) other than the transition assign the status?"""
    if not sets_status(sql) or any(file.endswith(WRITER) for file in files):
        return False
    ours = (file for file in files if "/servicedesk/" in file and "/site-packages/" not in file)
    return any(not any(carrier in file for carrier in CARRIERS) for file in ours)


def _stack() -> list[str]:
    found, frame = [], sys._getframe(2)
    while frame is not None:
        found.append(frame.f_code.co_filename)
        frame = frame.f_back  # type: ignore[assignment]
    return found


def _watch(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
    if not sets_status(statement):
        return
    for seen in _watchers:
        seen.append(statement)
    assert not forbidden(statement, _stack()), f"only {WRITER} assigns an incident's status, not: {statement}"


def install() -> None:
    """From now on every engine of this process is watched."""
    event.listen(Engine, "before_cursor_execute", _watch)


@contextmanager
def watching(seen: list[str]) -> Iterator[None]:
    """Collects the statements that assign a status while the block runs."""
    _watchers.append(seen)
    try:
        yield
    finally:
        _watchers.remove(seen)
