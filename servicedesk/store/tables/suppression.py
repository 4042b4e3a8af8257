"""Maintenance windows and suppressions: planned ahead, recurring, for a service or for what matchers fit."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text

from ..types import Id, Json, UtcTime
from .base import metadata

maintenance_window = Table(
    "maintenance_window",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Text, nullable=False),  # maintenance | suppression
    Column("title", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("service_id", ForeignKey("service.id"), index=True),
    Column("matchers", Text, nullable=False, server_default=""),  # as Alertmanager reads them
    Column("source", Text, nullable=False, server_default=""),
    Column("starts_at", UtcTime, nullable=False),  # of the first time
    Column("minutes", Integer, nullable=False),  # how long each time lasts
    Column("recurrence", Text, nullable=False, server_default=""),  # RFC 5545 RRULE
    Column("timezone", Text, nullable=False, server_default="UTC"),  # in which it recurs
    Column("over_at", UtcTime),  # end of the last time; NULL: it recurs for ever
    Column("cancelled_at", UtcTime),
    Column("made_by", ForeignKey("user_account.id")),
    Column("created_at", UtcTime, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    Index("ix_maintenance_window_over", "over_at"),
    sqlite_autoincrement=True,
)

# Who must be heard from: an Alertmanager's Watchdog, or whatever pings.
heartbeat = Table(
    "heartbeat",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", Text, nullable=False, unique=True),  # for pings: 32 random letters; for a Watchdog: what names it
    Column("kind", Text, nullable=False),  # ping | watchdog
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False, server_default=""),
    Column("peer", Text, nullable=False, server_default=""),  # of a Watchdog: the Alertmanager's external address
    Column("every", Integer, nullable=False),  # seconds between beats; of a Watchdog learnt from the last ones
    Column("grace", Integer, nullable=False),  # seconds that a beat may be late
    Column("service", Text, nullable=False, server_default=""),
    Column("severity", Text, nullable=False, server_default=""),
    Column("gaps", Json),  # seconds between the last beats
    Column("first_at", UtcTime),
    Column("last_at", UtcTime),
    Column("count", Id, nullable=False, server_default="0"),
    Column("due_at", UtcTime, index=True),  # silent from then on; NULL: it waits for the first beat, or is paused
    Column("silent_since", UtcTime),
    Column("paused", Boolean, nullable=False, server_default="0"),
    Column("made_by", ForeignKey("user_account.id")),
    Column("created_at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)
