"""What senders said: raw deliveries, events, alerts, episodes. No index on anything that every repeat changes."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, UniqueConstraint, text

from ..types import Digest, Id, Json, UtcTime
from .base import metadata

delivery = Table(
    "delivery",
    metadata,
    Column("id", Id, primary_key=True),  # the receive order; never used twice
    Column("receiver", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("content_type", Text, nullable=False, server_default=""),
    Column("received_at", UtcTime, nullable=False),
    Column("body", LargeBinary, nullable=False),  # zlib
    Column("size", Integer, nullable=False),  # bytes before compression
    Column("state", Text, nullable=False, server_default="stored"),  # stored | done | dead
    Column("applied_upto", Integer, nullable=False, server_default="0"),  # events of it that are applied
    Column("events", Integer),  # how many it holds, once parsed
    Column("truncated", Integer, nullable=False, server_default="0"),  # truncatedAlerts as sent
    Column("error", Text),
    Column("done_at", UtcTime),
    Index("ix_delivery_open", "id", sqlite_where=text("state = 'stored'"), postgresql_where=text("state = 'stored'")),
    Index("ix_delivery_dead", "id", sqlite_where=text("state = 'dead'"), postgresql_where=text("state = 'dead'")),
    sqlite_autoincrement=True,
)

# One event of a delivery that could not be applied; a delivery that does not parse at all is state = 'dead'.
dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", Id, primary_key=True),
    Column("delivery_id", ForeignKey("delivery.id"), nullable=False),
    Column("idx", Integer, nullable=False),  # -1: the whole delivery
    Column("error", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("cleared_at", UtcTime),
    UniqueConstraint("delivery_id", "idx"),
    Index(
        "ix_dead_letter_open",
        "at",
        sqlite_where=text("cleared_at IS NULL"),
        postgresql_where=text("cleared_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

alert = Table(
    "alert",
    metadata,
    Column("id", Id, primary_key=True),
    Column("digest", Digest, nullable=False, unique=True),  # SHA-256 of (source, key)
    Column("source", Text, nullable=False),
    Column("key", Digest, nullable=False),
    Column("fingerprint", Text, nullable=False, server_default=""),  # as sent: shown, never trusted
    Column("name", Text, nullable=False),
    Column("labels", Json, nullable=False),
    Column("annotations", Json, nullable=False),
    Column("summary", Text, nullable=False, server_default=""),
    Column("generator_url", Text, nullable=False, server_default=""),
    Column("severity", Text, nullable=False, server_default=""),
    Column("clears", Boolean, nullable=False),
    Column("status", Text, nullable=False),  # firing | suspect | recovered | unconfirmed
    Column("starts_at", UtcTime, nullable=False),  # of the newest episode
    Column("ends_at", UtcTime),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("last_seq", Id, nullable=False),  # delivery of the newest observation
    Column("count", Integer, nullable=False),  # observations
    Column("suspect_due_at", UtcTime),
    Column("confirmed_seq", Id),  # observations up to here are confirmed to be true
    Column("incident_id", ForeignKey("incident.id"), index=True),  # the newest incident it belongs to
    Column("correlation", Digest),  # which siblings it has
    Column("decision", Text, nullable=False, server_default=""),  # why there is (no) ticket
    Column("rule", Text, nullable=False, server_default=""),  # the correlation rule that decides about it
    Column("waits", Text),  # group: for its like, or a ticket to join | window: for the end of a maintenance
    Column("waits_until", UtcTime),  # end of that maintenance
    Column("window_id", Id, index=True),  # which maintenance or suppression
    Column("flapping_since", UtcTime),
    Column("flap_ends_at", UtcTime),  # when it counts as quiet again
    Column("lacks", Integer, nullable=False, server_default="0"),  # 1 severity, 2 service, 4 runbook_url
    Column("checked_at", UtcTime),  # for records without a ticket: when a person or rule judged them
    Column("check_mark", Text),  # misuse | malfunction | noise | known
    Index(
        "ix_alert_suspect",
        "suspect_due_at",
        sqlite_where=text("suspect_due_at IS NOT NULL"),
        postgresql_where=text("suspect_due_at IS NOT NULL"),
    ),
    Index("ix_alert_fingerprint", "fingerprint"),
    Index("ix_alert_name", "name", "id"),
    Index(
        "ix_alert_waits",
        "correlation",
        sqlite_where=text("waits = 'group'"),
        postgresql_where=text("waits = 'group'"),
    ),
    Index(
        "ix_alert_waits_until",
        "waits_until",
        sqlite_where=text("waits_until IS NOT NULL"),
        postgresql_where=text("waits_until IS NOT NULL"),
    ),
    Index(
        "ix_alert_flapping",
        "flap_ends_at",
        sqlite_where=text("flap_ends_at IS NOT NULL"),
        postgresql_where=text("flap_ends_at IS NOT NULL"),
    ),
    Index("ix_alert_lacks", "name", "lacks", sqlite_where=text("lacks > 0"), postgresql_where=text("lacks > 0")),
    Index(
        "ix_alert_to_check",
        "id",
        sqlite_where=text("incident_id IS NULL AND checked_at IS NULL"),
        postgresql_where=text("incident_id IS NULL AND checked_at IS NULL"),
    ),
    postgresql_with={"fillfactor": 70},  # room for the new version of a row beside the old one
    sqlite_autoincrement=True,
)

event = Table(
    "event",
    metadata,
    Column("id", Id, primary_key=True),
    Column("digest", Digest, nullable=False, unique=True),  # (source, key, status, starts_at, ends_at)
    Column("alert_id", ForeignKey("alert.id"), nullable=False),
    Column("status", Text, nullable=False),  # firing | resolved
    Column("starts_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime),
    Column("first_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Column("first_seq", Id, nullable=False),
    Column("last_seq", Id, nullable=False),
    Column("count", Integer, nullable=False),
    Index("ix_event_alert", "alert_id", "starts_at"),
    postgresql_with={"fillfactor": 70},  # room for the new version of a row beside the old one
    sqlite_autoincrement=True,
)

episode = Table(
    "episode",
    metadata,
    Column("id", Id, primary_key=True),
    Column("alert_id", ForeignKey("alert.id"), nullable=False),
    Column("incident_id", ForeignKey("incident.id"), index=True),
    Column("starts_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime),
    Column("fired", Boolean, nullable=False),  # ever seen firing
    Column("suspect", Boolean, nullable=False, server_default="0"),
    Column("passed", Boolean, nullable=False, server_default="0"),  # it ended, and needs no ticket for good
    Column("held_until", UtcTime),  # it began under a maintenance that lasts until then: no ticket if it ends before
    Index("ix_episode_alert", "alert_id", "starts_at"),
    sqlite_autoincrement=True,
)

# One row per correlation digest: the incident that siblings join, and until when. Locked by who opens or joins.
correlation = Table(
    "correlation",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("incident_id", ForeignKey("incident.id")),
    Column("began_at", UtcTime),  # start of the incident's first episode
    Column("until", UtcTime),
    Column("latest_start", UtcTime),
)
