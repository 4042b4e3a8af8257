"""Waiting for a condition with a deadline: the only way a test waits."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TookTooLong(AssertionError):
    """The condition did not become true before the deadline."""


def wait_until(condition: Callable[[], T], deadline: float = 30.0, what: str = "", every: float = 0.02) -> T:
    """Calls `condition` until it answers something true and returns that; after `deadline` seconds fails.

    `what` names the thing waited for in the failure; the last answer stands there too.
    An exception in `condition` is not caught: catch there what is expected.
    """
    end = time.monotonic() + deadline
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() >= end:
            raise TookTooLong(f"waited {deadline:g} s for {what or condition!r}; last answer: {answer!r}")
        time.sleep(every)
