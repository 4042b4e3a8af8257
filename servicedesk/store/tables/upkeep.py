"""What the desk does to keep itself well: how much raw mail it holds, when a chore last ran."""

from sqlalchemy import Boolean, Column, Integer, Table, Text

from ..types import Id, Json, UtcTime
from .base import metadata

# One row a kind of deliveries (alerts, syslog): what is held, and what was pruned. Locked by who counts or prunes.
delivery_stock = Table(
    "delivery_stock",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("counted_upto", Id, nullable=False),  # deliveries up to this id are counted below
    Column("count", Id, nullable=False),
    Column("bytes", Id, nullable=False),  # of compressed bodies
    Column("passed_upto", Id, nullable=False),  # what could be pruned up to this id is
    Column("passed_on", UtcTime, nullable=False),  # when that began at 0
    Column("pruned", Id, nullable=False, server_default="0"),  # ever
    Column("pruned_bytes", Id, nullable=False, server_default="0"),
)

# A chore that one node does for all: backup, restore test.
chore = Table(
    "chore",
    metadata,
    Column("name", Text, primary_key=True),
    Column("next_at", UtcTime, nullable=False),
    Column("ran_at", UtcTime),
    Column("ok", Boolean),  # how the last run ended; NULL: it runs, or never did
    Column("detail", Text, nullable=False, server_default=""),
    Column("failures", Integer, nullable=False, server_default="0"),  # in a row
)

# Refused requests of senders, by sender ("": not known) and reason: one run, until there is a long enough pause.
refusal = Table(
    "refusal",
    metadata,
    Column("source", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("count", Id, nullable=False),
    Column("began_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
)

# What is or was wrong with the desk itself, as its own alerts tell it. Locked by who tells a change.
trouble = Table(
    "trouble",
    metadata,
    Column("name", Text, primary_key=True),  # of the alert
    Column("subject", Text, primary_key=True),
    Column("labels", Json, nullable=False),
    Column("summary", Text, nullable=False),
    Column("began_at", UtcTime),  # NULL: it was never told
    Column("ended_at", UtcTime),  # NULL: it lasts
    Column("seen_at", UtcTime, nullable=False),
)
