"""What a figure must be read with: machine, commit, settings."""

import os
import platform
import sqlite3
import subprocess
from pathlib import Path

import psycopg

from tests.support.source import ROOT


def _first(path: str, start: str) -> str:
    for line in Path(path).read_text().splitlines():
        if line.startswith(start):
            return line.split(":", 1)[1].strip()
    return "unknown"


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def commit() -> str:
    """The commit's short id, with a + when the tree differs from it."""
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + ("+" if git("status", "--porcelain") else "")


def filesystem(path: Path) -> str:
    """The kind of file system that `path` lies on."""
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, found, *_ = line.split()
        if str(path.resolve()).startswith(mount) and len(mount) >= len(best):
            best, kind = mount, found
    return kind


def describe(data: Path) -> dict[str, str]:
    """Machine and program, as lines for the report."""
    memory = int(_first("/proc/meminfo", "MemTotal").split()[0]) // 1024
    return {
        "commit": commit(),
        "processor": f"{_first('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores shared with the generator",
        "memory": f"{memory} MiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "load before": " ".join(f"{one:.1f}" for one in os.getloadavg()),
        "file system": filesystem(data),
        "SQLite": f"{sqlite3.sqlite_version}, journal_mode WAL, synchronous FULL",
    }


def postgresql(url: str) -> str:
    """Version and the settings that decide what a commit costs."""
    names = ("server_version", "fsync", "full_page_writes", "synchronous_commit", "shared_buffers")
    with psycopg.connect(url) as connection:
        values = {}
        for name in names:
            row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
            values[name] = row[0] if row else "?"
    return f"{values.pop('server_version')}, " + ", ".join(f"{name} {value}" for name, value in values.items())


def pss(pid: int) -> float:
    """Proportional set size of a process and its children in MiB."""
    total = 0.0
    for one in [pid, *_children(pid)]:
        lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return total


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *_children(int(child))]
    return found
