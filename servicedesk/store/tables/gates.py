"""The records that guards read: verification, confirmation, review, actions, tasks, playbook runs."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint, text

from ..types import Id, Json, UtcTime
from .base import metadata


def _incident() -> Column[int]:
    return Column("incident_id", ForeignKey("incident.id"), nullable=False, index=True)


def _actor(name: str = "actor_id") -> Column[int]:
    return Column(name, ForeignKey("user_account.id"))


verification = Table(  # append-only
    "verification",
    metadata,
    Column("id", Id, primary_key=True),
    _incident(),
    Column("cycle", Integer, nullable=False),
    Column("verdict", Text, nullable=False),  # pass | fail | inconclusive
    Column("kind", Text, nullable=False),  # person | quiet_window | playbook
    Column("tested", Text, nullable=False),
    Column("evidence", Text, nullable=False, server_default=""),
    Column("no_new_problem", Boolean, nullable=False),
    _actor(),
    Column("at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

confirmation = Table(  # append-only
    "confirmation",
    metadata,
    Column("id", Id, primary_key=True),
    _incident(),
    Column("cycle", Integer, nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("kind", Text, nullable=False),  # requester | link | phone | implicit | lead | quiet_window
    Column("comment", Text, nullable=False, server_default=""),
    _actor(),
    Column("at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

review = Table(  # immutable once approved or waived
    "review",
    metadata,
    Column("id", Id, primary_key=True),
    _incident(),
    Column("version", Integer, nullable=False),
    Column("cycle", Integer, nullable=False),
    Column("status", Text, nullable=False),  # draft | in_review | changes_requested | approved | waived | superseded
    Column("depth", Text, nullable=False),  # micro | lite | full
    Column("body", Json, nullable=False),
    Column("author_id", ForeignKey("user_account.id")),  # who wrote first
    Column("authors", Json, nullable=False),  # ids of everybody who wrote in this version
    Column("reviewer_id", ForeignKey("user_account.id")),
    Column("change_request", Text),
    Column("waiver_reason", Text),
    Column("waived_by", ForeignKey("user_account.id")),
    Column("self_reviewed", Boolean, nullable=False, server_default="0"),
    Column("row_version", Integer, nullable=False, server_default="1"),
    Column("created_at", UtcTime, nullable=False),
    Column("submitted_at", UtcTime),
    Column("decided_at", UtcTime),
    Column("due_at", UtcTime),
    Column("reminded_at", UtcTime),
    UniqueConstraint("incident_id", "version"),
    Index(
        "ix_review_pending",
        "due_at",
        sqlite_where=text("decided_at IS NULL"),
        postgresql_where=text("decided_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

review_approval = Table(  # append-only; P1 needs two
    "review_approval",
    metadata,
    Column("review_id", ForeignKey("review.id"), primary_key=True),
    Column("actor_id", ForeignKey("user_account.id"), primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("self_reviewed", Boolean, nullable=False, server_default="0"),
)

action_item = Table(
    "action_item",
    metadata,
    Column("id", Id, primary_key=True),
    _incident(),
    Column("title", Text, nullable=False),
    Column("type", Text, nullable=False, server_default=""),  # prevent | detect | mitigate | process | document
    Column("owner_id", ForeignKey("user_account.id"), index=True),
    Column("due_at", UtcTime),
    Column("blocking", Boolean, nullable=False, server_default="0"),
    Column("tracking", Text, nullable=False, server_default=""),
    Column("status", Text, nullable=False, server_default="open"),  # open in_progress done wont_do ineffective
    Column("reason", Text, nullable=False, server_default=""),
    Column("proof", Text, nullable=False, server_default=""),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

task = Table(
    "task",
    metadata,
    Column("id", Id, primary_key=True),
    _incident(),
    Column("title", Text, nullable=False),
    Column("assignee_id", ForeignKey("user_account.id"), index=True),
    Column("due_at", UtcTime),
    Column("mandatory", Boolean, nullable=False, server_default="0"),
    Column("status", Text, nullable=False, server_default="open"),  # open | done | skipped
    Column("reason", Text, nullable=False, server_default=""),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

second_person_request = Table(
    "second_person_request",
    metadata,
    Column("id", Id, primary_key=True),
    _incident(),
    Column("cycle", Integer, nullable=False),
    Column("kind", Text, nullable=False),  # override_unconfirmed (G5) | cancellation (M9 of P1/P2)
    Column("reason", Text, nullable=False),
    Column("payload", Json),
    Column("status", Text, nullable=False, server_default="asked"),  # asked | approved | refused | expired
    Column("asked_by", ForeignKey("user_account.id"), nullable=False),
    Column("asked_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("decided_by", ForeignKey("user_account.id")),
    Column("decided_at", UtcTime),
    Column("comment", Text, nullable=False, server_default=""),
    Column("self_reviewed", Boolean, nullable=False, server_default="0"),
    Index("ix_second_person_request_open", "status", "id"),
    sqlite_autoincrement=True,
)

playbook_version = Table(
    "playbook_version",
    metadata,
    Column("hash", String(64), primary_key=True),  # SHA-256 (hex) of the source text
    Column("playbook", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)

playbook_run = Table(
    "playbook_run",
    metadata,
    Column("id", Id, primary_key=True),
    Column("incident_id", ForeignKey("incident.id"), nullable=False),
    Column("playbook", Text, nullable=False),
    Column("hash", ForeignKey("playbook_version.hash"), nullable=False),
    Column("attached_at", UtcTime, nullable=False),
    Column("attached_by", ForeignKey("user_account.id")),  # NULL: matched by the system
    Column("labels", Json),  # of the alert that it was attached for: those that its parameters name
    Column("helped", Boolean),  # what a person said on resolving; NULL: nobody was asked or answered
    Column("helped_step", Text),  # the step that helped most
    Column("helped_by", ForeignKey("user_account.id")),
    Column("helped_at", UtcTime),
    UniqueConstraint("incident_id", "playbook"),
    sqlite_autoincrement=True,
)

# One row per step at attachment, so that guard G4 is one query.
playbook_step = Table(
    "playbook_step",
    metadata,
    Column("run_id", ForeignKey("playbook_run.id"), primary_key=True),
    Column("step", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("mandatory", Boolean, nullable=False),
    Column("outcome", Text),  # done | skipped | failed; NULL: not yet
    Column("branch", Text),  # of a decision: the one that was taken
    Column("left_out", Boolean, nullable=False, server_default="0"),  # skipped because another branch was taken
    Column("note", Text, nullable=False, server_default=""),
    _actor(),
    Column("at", UtcTime),
)
