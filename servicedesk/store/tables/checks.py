"""What the desk asks by itself: questions of playbooks, their runs, fixes under observation, silences."""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from ..types import Digest, Id, Json, UtcTime
from .base import metadata

_WAITING = text("state = 'waiting'")
_JOINED = text("state = 'joined'")
_IN_FLIGHT = text("state IN ('queued', 'running')")
_WATCHED = text("state = 'watching'")
_SET = text("state IN ('asked', 'active')")

# One execution of one question. Asks with the same digest share it: at most one is in flight (unique index).
check_run = Table(
    "check_run",
    metadata,
    Column("id", Id, primary_key=True),
    Column("digest", Digest, nullable=False),  # SHA-256 of what is asked
    Column("type", Text, nullable=False),  # the kind of check
    Column("target", Text, nullable=False),  # whose budget it uses
    Column("request", Json, nullable=False),  # exactly what is asked; no secrets
    Column("shown", Json, nullable=False),  # the same for people: lines
    Column("state", Text, nullable=False),  # queued | running | done | cancelled
    Column("priority", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("leased_by", Text),
    Column("lease_until", UtcTime),
    Column("started_at", UtcTime),  # of the newest try
    Column("ended_at", UtcTime),
    Column("seconds", Float),
    Column("verdict", Text),  # pass | fail | inconclusive
    Column("summary", Text, nullable=False, server_default=""),
    Column("found", Json),  # {"columns", "rows", "series", "unit", "value"}
    Column("output", LargeBinary),  # zlib of the details
    Column("output_size", Integer, nullable=False, server_default="0"),  # bytes before it was cut
    Column("output_cut", Boolean, nullable=False, server_default="0"),
    Index("uq_check_run_in_flight", "digest", unique=True, sqlite_where=_IN_FLIGHT, postgresql_where=_IN_FLIGHT),
    Index("ix_check_run_due", "priority", "id", sqlite_where=_IN_FLIGHT, postgresql_where=_IN_FLIGHT),
    Index("ix_check_run_digest", "digest", "ended_at"),
    Index("ix_check_run_started", "started_at"),
    sqlite_autoincrement=True,
)

# Somebody's question: of a step of a playbook on a ticket, of its verification, or of a preview (no ticket).
check_ask = Table(
    "check_ask",
    metadata,
    Column("id", Id, primary_key=True),
    Column("incident_id", ForeignKey("incident.id")),
    Column("run_id", ForeignKey("playbook_run.id")),
    Column("hash", ForeignKey("playbook_version.hash"), nullable=False),
    Column("step", Text, nullable=False),  # id of the step; "verify:" + id of the check
    Column("purpose", Text, nullable=False),  # diagnosis | baseline | verify | person | preview
    Column("labels", Json),  # of a preview; else those of the playbook's run
    Column("cycle", Integer),
    Column("observation_id", ForeignKey("observation.id")),
    Column("look", Integer),  # which look of the observation
    Column("priority", Integer, nullable=False),
    Column("state", Text, nullable=False),  # waiting | joined | done | cancelled
    Column("check_run_id", ForeignKey("check_run.id")),
    Column("asked_by", ForeignKey("user_account.id")),  # NULL: the desk itself
    Column("asked_at", UtcTime, nullable=False),
    Column("done_at", UtcTime),
    Index("ix_check_ask_waiting", "priority", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
    Index("ix_check_ask_joined", "check_run_id", sqlite_where=_JOINED, postgresql_where=_JOINED),
    Index("ix_check_ask_run", "run_id", "step", "id"),
    Index("ix_check_ask_incident", "incident_id", "id"),
    Index("ix_check_ask_observation", "observation_id", "look"),
    sqlite_autoincrement=True,
)

# A claimed fix under observation: one for each playbook with a verify section, in each cycle.
observation = Table(
    "observation",
    metadata,
    Column("id", Id, primary_key=True),
    Column("incident_id", ForeignKey("incident.id"), nullable=False),
    Column("run_id", ForeignKey("playbook_run.id"), nullable=False),
    Column("cycle", Integer, nullable=False),
    Column("state", Text, nullable=False),  # watching | passed | failed | inconclusive | void
    Column("begun_at", UtcTime, nullable=False),
    Column("soak", Integer, nullable=False),  # seconds
    Column("due_at", UtcTime, nullable=False),  # of the next look
    Column("look", Integer, nullable=False, server_default="0"),  # looks begun
    Column("looking", Boolean, nullable=False, server_default="0"),  # the newest look is under way
    Column("failing", Integer, nullable=False, server_default="0"),  # looks that failed in a row
    Column("told", Boolean, nullable=False, server_default="0"),  # that it is inconclusive, on the timeline
    Column("reason", Text, nullable=False, server_default=""),  # the newest look in a sentence
    Column("looked_at", UtcTime),
    Column("ended_at", UtcTime),
    UniqueConstraint("run_id", "cycle"),
    Index("ix_observation_due", "due_at", sqlite_where=_WATCHED, postgresql_where=_WATCHED),
    Index("ix_observation_incident", "incident_id", "cycle"),
    sqlite_autoincrement=True,
)

# Silences set in the Alertmanager from a ticket.
silence = Table(
    "silence",
    metadata,
    Column("id", Id, primary_key=True),
    Column("incident_id", ForeignKey("incident.id"), nullable=False, index=True),
    Column("silence_id", String(64)),  # as the Alertmanager names it; NULL until it has answered
    Column("labels", Json, nullable=False),  # every alert with all of these is silenced
    Column("reason", Text, nullable=False, server_default=""),
    Column("actor_id", ForeignKey("user_account.id")),
    Column("state", Text, nullable=False),  # asked | active | expired | failed
    Column("created_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("error", Text),
    Index("ix_silence_set", "state", "id", sqlite_where=_SET, postgresql_where=_SET),
    sqlite_autoincrement=True,
)
