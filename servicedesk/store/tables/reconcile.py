"""What is known of sources by asking their own programs."""

from sqlalchemy import Column, ForeignKey, Table, Text

from ..types import UtcTime
from .base import metadata

# One row per source that is asked; locked by who asks.
reconciliation = Table(
    "reconciliation",
    metadata,
    Column("source", Text, primary_key=True),
    Column("alive_at", UtcTime, nullable=False),  # when the desk last ran
    Column("down_from", UtcTime),  # the desk did not run from then on, and what happened is not looked up yet
    Column("next_at", UtcTime, nullable=False),
    Column("looked_at", UtcTime),  # the last whole answer
    Column("error", Text, nullable=False, server_default=""),  # why the last look gave none
)

# Alerts that fire here and that their source does not know any more.
missing_alert = Table(
    "missing_alert",
    metadata,
    Column("alert_id", ForeignKey("alert.id"), primary_key=True),
    Column("since", UtcTime, nullable=False),
)
