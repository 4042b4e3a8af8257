"""When lines come faster than they are stored, what else works in that process gives way, for a second at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

from servicedesk.desk import Desk

LONGEST = 1.0  # seconds: under a flood without end a slice a second is still applied
PAUSE = 0.02
_asked: WeakKeyDictionary[Desk, Callable[[], bool]] = WeakKeyDictionary()
_never = threading.Event()


def watch(desk: Desk, is_pressed: Callable[[], bool]) -> None:
    """From now on this says whether a listener of this process is behind."""
    _asked[desk] = is_pressed


def give_way(desk: Desk, longest: float = LONGEST) -> None:
    """Returns at once where no listener is behind, else when it has caught up or after `longest` seconds."""
    is_pressed = _asked.get(desk)
    if is_pressed is None or not is_pressed():
        return
    end = time.monotonic() + longest
    while time.monotonic() < end and is_pressed():
        _never.wait(PAUSE)
