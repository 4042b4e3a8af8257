"""The nightly backup: made, restored for a trial, and old ones thrown away. Its failure is an alarm of the desk."""

from __future__ import annotations

import shutil
from datetime import datetime, time, timedelta
from functools import partial
from pathlib import Path

import structlog

from servicedesk import __version__
from servicedesk.desk import Desk
from servicedesk.errors import ConfigError
from servicedesk.services.shared import disk
from servicedesk.store import backup, chores, restore, schema

CHORE = "backup"
ROOM = 0.15  # of the disk must be free before one is begun

log = structlog.get_logger("servicedesk.backup")


def run_due(desk: Desk) -> int:
    """Make the backup when it is night and no other node did; answers 1 when it was made. A job. Raises Busy."""
    target = disk.backup_folder(desk)
    if target is None:
        return 0
    following = _next(desk.config.backup.at, desk.now())
    if not desk.write(partial(chores.take, name=CHORE, first=following, following=following)):
        return 0
    ok, detail = _make(desk, target)
    desk.write(partial(chores.ended, name=CHORE, ok=ok, detail=detail))
    (log.info if ok else log.error)("nightly backup", ok=ok, detail=detail)
    return int(ok)


def save(desk: Desk, target: Path, without_key: bool = False) -> Path:
    """One backup, made and checked; answers its file. Raises ConfigError."""
    names = ["anchors.log"] if without_key else ["anchors.log", "audit.key"]
    extra = {name: desk.config.data_path / name for name in names}
    with desk.read() as tx:
        facts = {"program": __version__, "schema": schema.stamp(tx)}
    made = backup.write(desk.db, target, extra, facts, desk.now())
    if faults := backup.check(made):
        raise ConfigError(f"the backup {made} is not whole: {'; '.join(faults)}")
    return made


def _make(desk: Desk, target: Path) -> tuple[bool, str]:
    try:
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        usage = shutil.disk_usage(target)
        if usage.free < usage.total * ROOM:
            return False, f"only {usage.free / usage.total:.0%} of the disk of {target} is free"
        made = save(desk, target)
        if faults := restore.trial(made, target, desk.now()):
            return False, f"{made.name} was made, but cannot be restored: {'; '.join(faults)}"
        gone = rotate(target, desk.config.backup.keep)
    except (ConfigError, OSError) as error:
        return False, str(error)
    return True, f"{made.name} ({made.stat().st_size:,} bytes), restored for a trial; {gone} old ones thrown away"


def rotate(target: Path, keep: int) -> int:
    """Throw away all but the newest; answers how many went. Only files that are named as ours are."""
    found = sorted(target.glob("servicedesk-*T*Z.tar"))
    old = found[: max(len(found) - max(keep, 1), 0)]
    for path in old:
        path.unlink()
    return len(old)


def _next(at: str, now: datetime) -> datetime:
    """The next time that it is that time of day (UTC). Raises ConfigError."""
    try:
        wanted = time.fromisoformat(at)
    except ValueError as error:
        raise ConfigError(f"backup.at: {at!r} is no time of day such as 02:30") from error
    due = now.replace(hour=wanted.hour, minute=wanted.minute, second=0, microsecond=0)
    return due if due > now else due + timedelta(days=1)
