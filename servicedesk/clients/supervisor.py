"""Runs one program and nothing else; started as `python -I -S supervisor.py`, with its orders as JSON on stdin.

The program gets no environment, no input, no new privileges, its own session, and limits on processor time, memory,
file size and open files. This process is the reaper of all that the program starts: when the time is over, the output
too long, there are too many processes, or the program ends, everything below is killed, also what detached itself.
Answers one line of JSON: {"code", "signal", "over", "output" (base64), "cut", "error"}.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38


def prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def become_harmless(orders: dict) -> None:  # type: ignore[type-arg]
    """In the child, before the program: what it may not have it cannot get back."""
    os.setsid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    memory = orders["memory"]
    seconds = max(1, int(orders["seconds"]) + 1)
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(limit, (value, value))
    os.umask(0o077)
    os.chdir("/")


def start(orders: dict) -> tuple[int, int]:  # type: ignore[type-arg]
    """(pid, descriptor of its output)."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        os.set_blocking(reading, False)
        return pid, reading
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        os.closerange(3, 65536)
        become_harmless(orders)
        os.execve(orders["argv"][0], orders["argv"], {})  # noqa: S606 - without a shell is the point
    except OSError as error:
        os.write(2, f"{orders['argv'][0]}: {error.strerror}".encode())
    finally:
        os._exit(127)


def descendants(pid: int) -> list[int]:
    """Every process below, also those whose parents are gone: they were handed to us."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        try:
            with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as file:
                children = [int(word) for word in file.read().split()]
        except OSError:
            continue
        found += children
        waiting += children
    return found


def kill_all() -> None:
    """Until nothing is left: a process that forks while it is killed is met again in the next round."""
    for _ in range(1000):
        below = descendants(os.getpid())
        if not below:
            return
        for pid in below:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        reap()
        time.sleep(0.002)


def reap() -> dict[int, int]:
    """Those that ended → their wait status."""
    ended: dict[int, int] = {}
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            ended[pid] = status
    return ended


def watch(orders: dict, pid: int, reading: int) -> tuple[int | None, bytes, str]:  # type: ignore[type-arg]
    """Until it ends or does too much: (wait status, output, what was too much)."""
    end = time.monotonic() + orders["seconds"]
    output, status = bytearray(), None
    while True:
        with contextlib.suppress(OSError):
            if select.select([reading], [], [], 0.02)[0]:
                output += os.read(reading, 65536)
        status = reap().get(pid, status)
        if len(output) > orders["output"]:
            return status, bytes(output), "output"
        if status is not None:
            return status, bytes(output) + rest(reading, orders["output"]), ""
        if time.monotonic() > end:
            return None, bytes(output), "time"
        if len(descendants(os.getpid())) > orders["processes"]:
            return None, bytes(output), "processes"


def rest(reading: int, limit: int) -> bytes:
    found = bytearray()
    with contextlib.suppress(OSError):
        while len(found) <= limit and (part := os.read(reading, 65536)):
            found += part
    return bytes(found)


def main() -> None:
    orders = json.load(sys.stdin)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    prctl(PR_SET_CHILD_SUBREAPER, 1)

    def leave(*_: object) -> None:
        kill_all()
        os._exit(1)

    signal.signal(signal.SIGTERM, leave)
    if os.getppid() == 1 and orders.get("parent") != 1:
        return  # who asked is gone already
    pid, reading = start(orders)
    status, output, over = watch(orders, pid, reading)
    kill_all()
    told = {
        "code": os.waitstatus_to_exitcode(status) if status is not None and not over else None,
        "over": over,
        "output": base64.b64encode(output[: orders["output"]]).decode(),
        "cut": len(output) > orders["output"],
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
