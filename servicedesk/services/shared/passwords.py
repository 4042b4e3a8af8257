"""Passwords by Argon2id (OWASP: 19 MiB, 2 passes); two hashes at a time at most: each takes 19 MiB and 40 ms."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from servicedesk.errors import BadInput, Busy

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 10, 200
_slots = threading.BoundedSemaphore(2)
_WAIT = 10.0  # seconds for a slot


def make(password: str, name: str) -> str:
    """The hash to store. Raises BadInput (too short, too long, the name itself), Busy (too many at a time)."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadInput({"password": f"must have {SHORTEST} to {LONGEST} characters"})
    if password.strip().lower() == name.lower() or len(set(password)) < 4:
        raise BadInput({"password": "is too easy to guess"})
    with _slot():
        return _hasher().hash(password.encode("utf-8", "surrogateescape"))


def check(hashed: str | None, password: str) -> bool:
    """Is it the password? As slow for an account that does not exist (None) as for one that does. Raises Busy."""
    from argon2.exceptions import InvalidHashError, VerificationError

    with _slot():
        try:
            _hasher().verify(hashed or _nobody(), password[:LONGEST].encode("utf-8", "surrogateescape"))
        except (VerificationError, InvalidHashError):
            return False
    return hashed is not None and len(password) <= LONGEST


@contextmanager
def _slot() -> Iterator[None]:
    if not _slots.acquire(timeout=_WAIT):
        raise Busy("Too many people sign in at this moment: try again.")
    try:
        yield
    finally:
        _slots.release()


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


@cache
def _nobody() -> str:
    return _hasher().hash(b"nobody has this password")
