"""Syslog beside the alerts: what is kept of lines, thresholds, shares of hosts, listeners and their figures."""

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, Table, Text, text

from ..types import Digest, Id, Json, UtcTime
from .base import metadata

# One row an alert that is born from lines. digest: the alert's.
syslog_alert = Table(
    "syslog_alert",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("app", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("lines", Id, nullable=False),  # all that were applied
    Column("kept", Id, nullable=False),  # of them as examples, overwritten ones included: names the next slot
    Column("body", LargeBinary),  # the event that ends it, for rules that take silence for the end (JSON)
    Column("silent_at", UtcTime),  # when silence ends it
    Index(
        "ix_syslog_alert_silent",
        "silent_at",
        sqlite_where=text("silent_at IS NOT NULL"),
        postgresql_where=text("silent_at IS NOT NULL"),
    ),
)

# Lines kept with their alert: the first five, and a ring of the newest.
syslog_example = Table(
    "syslog_example",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("delivery_id", Id, nullable=False),
    Column("at", UtcTime, nullable=False),  # as its sender says, where that can be true
    Column("arrived_at", UtcTime, nullable=False),
    Column("host", Text, nullable=False),
    Column("app", Text, nullable=False),
    Column("facility", Integer, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("raw", Text, nullable=False),
)

# The newest lines of each key whose rule has a threshold.
syslog_window = Table(
    "syslog_window",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("moments", Json, nullable=False),  # [[µs, value], …] in the order of time
    Column("expires_at", UtcTime, nullable=False, index=True),
)

# How many new tickets a host has raised in an hour.
syslog_share = Table(
    "syslog_share",
    metadata,
    Column("digest", Digest, primary_key=True),  # SHA-256 of the host's name
    Column("host", Text, nullable=False),
    Column("hour", UtcTime, nullable=False),
    Column("count", Integer, nullable=False),
)

# One life of a listening process: what lies between two of them on a node is a gap.
syslog_run = Table(
    "syslog_run",
    metadata,
    Column("id", Id, primary_key=True),
    Column("node", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("addresses", Json, nullable=False),  # [[transport, host, port], …]
    Column("started_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("ended", Boolean, nullable=False, server_default="0"),  # it said good-bye
    Column("counts", Json, nullable=False),  # since its start, as alert_receivers.syslog.listener.Counts says
    Column("problem", Text, nullable=False, server_default=""),
    Index("ix_syslog_run_seen", "seen_at"),
    sqlite_autoincrement=True,
)

# Lines a minute by sender and program, and by why they were not stored.
syslog_minute = Table(
    "syslog_minute",
    metadata,
    Column("minute", UtcTime, primary_key=True),
    Column("host", Text, primary_key=True),
    Column("app", Text, primary_key=True),
    Column("reason", Text, primary_key=True),  # "": stored
    Column("lines", Id, nullable=False),
)

# What lines look like, those that are not stored too: counted where they are sampled.
syslog_template = Table(
    "syslog_template",
    metadata,
    Column("digest", Digest, primary_key=True),  # SHA-256 of (program, template)
    Column("app", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("severity", Integer, nullable=False),  # the worst
    Column("reason", Text, nullable=False),  # of the newest: "": stored
    Column("rule", Text, nullable=False),
    Column("host", Text, nullable=False),  # of the example
    Column("example", Text, nullable=False),  # a whole line
    Column("lines", Id, nullable=False),
    Column("first_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Index("ix_syslog_template_last", "last_at"),
    Index("ix_syslog_template_lines", "lines", "digest"),
)
