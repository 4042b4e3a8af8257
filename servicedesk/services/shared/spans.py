"""A span of time as people give it."""

from __future__ import annotations

from datetime import datetime, timedelta

from servicedesk.errors import BadInput


def check(starts_at: datetime, ends_at: datetime, longest: timedelta) -> None:
    """Raises BadInput."""
    if starts_at.tzinfo is None or ends_at.tzinfo is None:
        raise BadInput({"starts_at": "A time needs its zone."})
    if ends_at <= starts_at:
        raise BadInput({"ends_at": "The end comes after the begin."})
    if ends_at - starts_at > longest:
        raise BadInput({"ends_at": f"At most {longest.days} days."})
