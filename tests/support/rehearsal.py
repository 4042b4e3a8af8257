"""Attempts that are judged and then rolled back: thousands of them on one database, none leaves a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from servicedesk.desk import Desk
from servicedesk.errors import Busy
from servicedesk.store.db import Database, Priority, Tx


class Undone(Busy):
    """The change went through; it is rolled back now."""


@contextmanager
def rehearse(desk: Desk, monkeypatch: pytest.MonkeyPatch, inspect: Callable[[Tx], None]) -> Iterator[None]:
    """Within: every change that would be committed is shown to `inspect` in its transaction, then undone."""
    real = Database.write

    def write(db: Database, change: Callable[[Tx], Any], priority: Priority = Priority.PERSON) -> Any:
        def seen(tx: Tx) -> None:
            change(tx)
            inspect(tx)
            raise Undone

        return real(db, seen, priority)

    with monkeypatch.context() as patched:
        patched.setattr(Database, "write", write)
        yield
