"""Is there room? Senders are told 503 before a full disk could cost anything; people hear of it much earlier."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

from servicedesk.desk import Desk
from servicedesk.errors import Busy

FULL = 0.02  # share of the disk that is free: 503 to senders
FRESH = 1.0  # seconds that an answer is good for

_mutex = threading.Lock()
_known: dict[Path, tuple[float, float]] = {}


def folders(desk: Desk) -> list[Path]:
    """Where this process writes: the data folder, and the folder of SQLite's file."""
    database = desk.db.url.database
    own = [desk.config.data_path]
    return own if desk.db.postgresql or not database else [*own, Path(database).absolute().parent]


def backup_folder(desk: Desk) -> Path | None:
    """Where nightly backups go; None: none are made."""
    kept = desk.config.backup
    if not kept.at:
        return None
    if kept.folder:
        return Path(kept.folder).expanduser()
    return None if desk.db.postgresql else desk.config.data_path / "backups"


def shares(desk: Desk) -> dict[Path, float]:
    """Share of free space, 0 to 1, by folder; folders of one disk once."""
    found: dict[int, Path] = {}
    for folder in folders(desk):
        found.setdefault((folder if folder.exists() else folder.parent).stat().st_dev, folder)
    return {folder: _free(folder) for folder in found.values()}


def free_share(desk: Desk) -> float:
    """The smallest share of free space of the disks that the desk writes to, 0 to 1."""
    return min(_free(folder) for folder in folders(desk))


def require_room(desk: Desk) -> None:
    """Raises Busy when less than 2 % is free."""
    free = free_share(desk)
    if free < FULL:
        raise Busy(f"only {free:.1%} of the disk is free")


def _free(folder: Path) -> float:
    now = time.monotonic()
    with _mutex:
        at, share = _known.get(folder, (-FRESH, 1.0))
        if now - at < FRESH:
            return share
        usage = shutil.disk_usage(folder if folder.exists() else folder.parent)
        share = usage.free / usage.total if usage.total else 1.0
        _known[folder] = (now, share)
        return share
