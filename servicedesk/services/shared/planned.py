"""An episode as it is to be written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class Planned:
    """An episode as it is to be written. id 0: a new row."""

    id: int
    starts_at: datetime
    ends_at: datetime | None
    fired: bool
    suspect: bool
    incident_id: int | None
    passed: bool
    changed: bool
    held_until: datetime | None = None

    @property
    def wants(self) -> bool:
        """Did it fire, and no incident carries it yet, and nobody has decided that none needs to?"""
        over = self.ends_at is not None and (self.passed or self.held)
        return self.fired and self.incident_id is None and not over

    @property
    def held(self) -> bool:
        """Did it begin under a maintenance, and has not outlasted that so far?"""
        return self.held_until is not None and (self.ends_at is None or self.ends_at <= self.held_until)
