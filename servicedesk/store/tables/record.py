"""Timeline (hash-chained, append-only), outbox, settings."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, text

from ..types import Digest, Id, Json, UtcTime
from .base import metadata

# incident_id 0 is the administration log: the same chain for users, roles, tokens, policies, rules, playbooks.
timeline = Table(
    "timeline",
    metadata,
    Column("incident_id", Id, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),
    Column("actor_id", Id),  # NULL: the system
    Column("actor_role", Text, nullable=False),
    Column("rule", Text, nullable=False, server_default=""),
    Column("content_digest", Digest, nullable=False),
    Column("prev", Digest, nullable=False),
    Column("mac", Digest, nullable=False),
    # For the anchors: what grew lately. BRIN is nearly free; on SQLite, where rowids tell it, the index stays empty.
    Index("ix_timeline_at", "at", postgresql_using="brin", sqlite_where=text("at IS NULL")),
)

# Content and salt apart from the chain: erasing a person removes them and the chain still verifies.
timeline_content = Table(
    "timeline_content",
    metadata,
    Column("incident_id", Id, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("salt", LargeBinary(16), nullable=False),
    Column("content", Json, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Id, primary_key=True),
    Column("dedup", Text, nullable=False, unique=True),  # idempotency key: one notice per (subject, event, target)
    Column("incident_id", ForeignKey("incident.id"), index=True),
    Column("event", Text, nullable=False),  # opened | assigned | refired | unassigned | review_due | confirm | …
    Column("channel", Text, nullable=False),  # email | webhook
    Column("target", Text, nullable=False),  # address, or the name of the configured webhook
    Column("payload", Json, nullable=False),
    Column("state", Text, nullable=False, server_default="pending"),  # pending sent failed skipped held digested
    Column("created_at", UtcTime, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("leased_by", Text),
    Column("lease_until", UtcTime),
    Column("sent_at", UtcTime),
    Column("provider_id", Text),
    Column("maybe_duplicate", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    Index(
        "ix_outbox_pending",
        "due_at",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "ix_outbox_held",
        "due_at",
        sqlite_where=text("state = 'held'"),
        postgresql_where=text("state = 'held'"),
    ),
    Index(
        "ix_outbox_failed",
        "created_at",
        sqlite_where=text("state = 'failed'"),
        postgresql_where=text("state = 'failed'"),
    ),
    sqlite_autoincrement=True,
)

setting = Table(
    "setting",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Json, nullable=False),
)
