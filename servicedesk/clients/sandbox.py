"""Running a local command for a check: no shell, no environment, limits, and nothing of it left behind.

The work is done by supervisor.py in a process of its own, so that no limit or signal ever touches the desk itself.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SUPERVISOR = Path(__file__).with_name("supervisor.py")
_GRACE = 5.0  # seconds for the supervisor to start and to clear up


class CannotRun(Exception):
    """The command was not run; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """seconds: of the clock; memory: bytes of address space a process; output: bytes that are kept."""

    seconds: float
    memory: int
    processes: int
    output: int


@dataclass(frozen=True, slots=True)
class Ended:
    """code: exit code, negative for a signal, None when it was stopped for `over`: time, output or processes."""

    code: int | None
    over: str
    output: bytes
    cut: bool


def run(argv: Sequence[str], limits: Limits) -> Ended:
    """Run a program by its absolute path with these arguments. Raises CannotRun."""
    if not argv or not argv[0].startswith("/"):
        raise CannotRun("the program must be named by its absolute path")
    if any("\0" in word for word in argv):
        raise CannotRun("an argument holds a NUL character")
    if not os.access(argv[0], os.X_OK) or not os.path.isfile(argv[0]):
        raise CannotRun(f"{argv[0]} is no program on this machine")
    orders = {
        "argv": list(argv),
        "seconds": limits.seconds,
        "memory": limits.memory,
        "processes": limits.processes,
        "output": limits.output,
        "parent": os.getpid(),
    }
    try:
        done = subprocess.run(  # noqa: S603 - our own program; the command is in its orders, from an allow-list
            [sys.executable, "-I", "-S", str(SUPERVISOR)],
            input=json.dumps(orders).encode(),
            capture_output=True,
            timeout=limits.seconds + _GRACE,
            check=False,
            env={},
            cwd="/",
        )
        told = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise CannotRun("it could not be watched to its end") from error
    except (OSError, ValueError) as error:
        raise CannotRun(f"it could not be started: {error}") from error
    return Ended(told["code"], told["over"], base64.b64decode(told["output"]), told["cut"])
