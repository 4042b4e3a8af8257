"""Users, teams, services, tokens, sessions."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from ..types import Digest, Id, Json, UtcTime
from .base import metadata

user = Table(
    "user_account",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),  # sign-in name
    Column("display", Text, nullable=False, server_default=""),
    Column("email", Text, nullable=False, server_default=""),
    Column("roles", Json, nullable=False),  # list of: requester agent lead reviewer admin
    Column("password_hash", Text),
    Column("language", Text, nullable=False, server_default=""),
    Column("active", Boolean, nullable=False, server_default="1"),
    Column("failed_logins", Integer, nullable=False, server_default="0"),
    Column("locked_until", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Index("ix_user_account_email", "email"),
    sqlite_autoincrement=True,
)

team = Table(
    "team",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("email", Text, nullable=False, server_default=""),
    Column("handover", Text, nullable=False, server_default=""),  # "channel:place" where its new tickets are announced
    Column("created_at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

# Words of a notice that an admin has written; team "" for everybody's, else the name of the team that has its own.
message_template = Table(
    "message_template",
    metadata,
    Column("event", Text, primary_key=True),
    Column("language", Text, primary_key=True),
    Column("team_id", Integer, primary_key=True, autoincrement=False),  # 0: everybody's
    Column("subject", Text, nullable=False),
    Column("lead", Text, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
)

team_member = Table(
    "team_member",
    metadata,
    Column("team_id", ForeignKey("team.id"), primary_key=True),
    Column("user_id", ForeignKey("user_account.id"), primary_key=True, index=True),
    Column("lead", Boolean, nullable=False, server_default="0"),
)

service = Table(
    "service",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("team_id", ForeignKey("team.id"), nullable=False, index=True),
    Column("criticality", Integer, nullable=False, server_default="2"),  # impact 1 (high) .. 3 (low)
    Column("description", Text, nullable=False, server_default=""),
    Column("created_at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

token = Table(
    "token",
    metadata,
    Column("id", String(24), primary_key=True),  # the public half: sd_<id>_<secret>
    Column("name", Text, nullable=False),
    Column("user_id", ForeignKey("user_account.id"), index=True),  # NULL: a service token (--service NAME)
    Column("secret_hash", Digest, nullable=False),  # SHA-256 of a 256-bit random secret
    Column("scopes", Json, nullable=False),  # list of: ingest read work review admin
    Column("source", Text, nullable=False, server_default=""),  # "" = the receiver's name
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("last_used_at", UtcTime),
    Column("revoked_at", UtcTime),
)

session = Table(
    "session",
    metadata,
    Column("id_hash", Digest, primary_key=True),  # SHA-256 of the cookie's value
    Column("user_id", ForeignKey("user_account.id"), nullable=False, index=True),
    Column("csrf", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("agent", Text, nullable=False, server_default=""),
)

# Signed, expiring, single-purpose links: first sign-in, confirmation by mail. Only the hash is stored.
signin_link = Table(
    "link",
    metadata,
    Column("id_hash", Digest, primary_key=True),
    Column("purpose", Text, nullable=False),  # "signin" | "confirm"
    Column("user_id", ForeignKey("user_account.id")),
    Column("incident_id", Id, index=True),
    Column("cycle", Integer),
    Column("expires_at", UtcTime, nullable=False),
    Column("used_at", UtcTime),
)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("digest", Digest, primary_key=True),  # of (actor, key)
    Column("request_digest", Digest, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False, index=True),
)
