"""The incident row: what is true now. How it came about is in the timeline."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, text

from ..types import Digest, Id, Json, UtcTime
from .base import metadata

_OPEN = text("status NOT IN ('closed', 'cancelled')")
_MAJOR, _TEST = text("major"), text("test")
_NOT_NULL_DUE = text("due_at IS NOT NULL")
_UNASSIGNED = text("unassigned_due_at IS NOT NULL")
_LADDER = text("ladder_due_at IS NOT NULL")
_LOOK = text("next_look_at IS NOT NULL")

incident = Table(
    "incident",
    metadata,
    Column("id", Id, primary_key=True),  # shown as INC-<id>
    Column("type", Text, nullable=False),  # incident | request | question
    Column("status", Text, nullable=False),
    Column("cycle", Integer, nullable=False, server_default="1"),
    Column("version", Integer, nullable=False, server_default="1"),  # row version (G11)
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("category", Text, nullable=False, server_default=""),
    Column("tags", Json),
    Column("impact", Integer),
    Column("urgency", Integer),
    Column("priority", Integer),
    Column("top_priority", Integer),  # the highest it ever had (lowest number)
    Column("major", Boolean, nullable=False, server_default="0"),
    Column("data_loss", Boolean, nullable=False, server_default="0"),
    Column("service_id", ForeignKey("service.id"), index=True),
    Column("service_label", Text, nullable=False, server_default=""),  # as the sender named it, or "unknown"
    Column("team_id", ForeignKey("team.id")),
    Column("owner_id", ForeignKey("user_account.id")),
    Column("requester_id", ForeignKey("user_account.id"), index=True),
    Column("channel", Text, nullable=False, server_default=""),  # monitor | portal | phone | api | cli
    Column("source", Text, nullable=False, server_default=""),
    Column("labels", Json),
    Column("correlation", Digest),
    Column("creation", Json),  # {"rule": …, "answer": …, "reason": …}
    Column("waiting_on", Text, nullable=False, server_default="none"),  # requester | agent | none
    Column("occurrences", Integer, nullable=False, server_default="0"),  # episodes
    Column("first_seen", UtcTime),
    Column("last_seen", UtcTime),
    Column("started_at", UtcTime),  # start of the first episode
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("acknowledged_at", UtcTime),
    Column("hold_reason", Text),
    Column("hold_until", UtcTime),
    Column("next_look_at", UtcTime),
    Column("resolved_at", UtcTime),
    Column("resolver_id", ForeignKey("user_account.id")),  # NULL with resolved_at set: the system
    Column("resolution_code", Text),
    Column("cause_class", Text),
    Column("resolution_notes", Text),
    Column("explanation", Text),  # G10: the closing explanation for the requester
    Column("cancel_reason", Text),
    Column("closed_at", UtcTime),
    Column("auto_recovered", Boolean, nullable=False, server_default="0"),
    Column("recovered_at", UtcTime),  # when the last member recovered; NULL while any fires
    Column("suspect_at", UtcTime),  # last suspect observation, while a member is suspect
    Column("quiet_from", UtcTime),  # the quiet window starts at the latest of resolve, recovery, suspect
    Column("due_at", UtcTime),  # when the system judges M5 again
    Column("unassigned_due_at", UtcTime),
    # Two clocks that know nothing of each other: the reminder ladder (somebody waits for the requester), and ageing.
    Column("ladder_from", UtcTime),  # when the requester was asked; NULL: no ladder runs
    Column("ladder_step", Integer, nullable=False, server_default="0"),  # rungs that are done
    Column("ladder_due_at", UtcTime),  # when the next one is
    Column("activity_at", UtcTime),  # the last act of a person; NULL: none since it was created
    Column("stale_step", Integer, nullable=False, server_default="0"),  # how often it was told since then
    Column("stale_due_at", UtcTime),  # when it is told again; NULL: the first time, by activity_at
    Column("recurrence_of", ForeignKey("incident.id")),
    Column("merged_into", ForeignKey("incident.id")),
    Column("parent_id", ForeignKey("incident.id"), index=True),
    Column("test", Boolean, nullable=False, server_default="0"),  # made by the test of a sender: outside all figures
    Column("self_reviewed", Boolean, nullable=False, server_default="0"),
    Column("head_seq", Integer, nullable=False, server_default="0"),
    Column("head_mac", Digest),
    # Queue: "new and in progress first", then priority, then newest.
    Index("ix_incident_status", "status", "priority", "id"),
    Index("ix_incident_correlation", "correlation", "started_at"),
    Index("ix_incident_owner", "owner_id", "status", "id"),
    Index("ix_incident_team", "team_id", "status", "id"),
    # Filters of the queue that find little, in its order.
    Index("ix_incident_source", "source", "status", "priority", "id"),
    Index("ix_incident_service_label", "service_label", "status", "priority", "id"),
    Index("ix_incident_category", "category", "status", "priority", "id"),
    Index("ix_incident_major", "status", "priority", "id", sqlite_where=_MAJOR, postgresql_where=_MAJOR),
    Index("ix_incident_test", "status", "priority", sqlite_where=_TEST, postgresql_where=_TEST),
    Index("ix_incident_due", "due_at", sqlite_where=_NOT_NULL_DUE, postgresql_where=_NOT_NULL_DUE),
    Index("ix_incident_unassigned", "unassigned_due_at", sqlite_where=_UNASSIGNED, postgresql_where=_UNASSIGNED),
    Index("ix_incident_ladder", "ladder_due_at", sqlite_where=_LADDER, postgresql_where=_LADDER),
    Index("ix_incident_look", "next_look_at", sqlite_where=_LOOK, postgresql_where=_LOOK),
    Index("ix_incident_open", "priority", "id", sqlite_where=_OPEN, postgresql_where=_OPEN),
    postgresql_with={"fillfactor": 70},  # room for the new version of a row beside the old one
    sqlite_autoincrement=True,
)

# Which alerts an incident carries. `declared_*`: the resolver says that an alert which cannot clear is over (G5).
member = Table(
    "member",
    metadata,
    Column("incident_id", ForeignKey("incident.id"), primary_key=True),
    Column("alert_id", ForeignKey("alert.id"), primary_key=True, index=True),
    Column("added_at", UtcTime, nullable=False),
    Column("declared_ended_at", UtcTime),
    Column("declared_ended_by", ForeignKey("user_account.id")),
)
