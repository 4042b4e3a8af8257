"""Is there room? Senders are told 503 before a full disk could cost anything; people hear of it much earlier."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

from servicedesk.desk import Desk
from servicedesk.errors import Busy

LOW, FULL = 0.10, 0.02  # shares of the disk that are free: an alert about ourselves; 503 to senders
FRESH = 1.0  # seconds that an answer is good for

_mutex = threading.Lock()
_known: dict[Path, tuple[float, float]] = {}


def folders(desk: Desk) -> list[Path]:
    """Where this process writes: the data folder, and the folder of SQLite's file."""
    database = desk.db.url.database
    own = [desk.config.data_path]
    return own if desk.db.postgresql or not database else [*own, Path(database).absolute().parent]


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
