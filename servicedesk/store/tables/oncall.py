"""On-call schedules, absences, escalation policies, and the proof of every page: who was told when, and who was not."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, text

from ..types import Digest, Id, Json, UtcTime
from .base import metadata

_DUE = text("due_at IS NOT NULL")
_QUEUED = text("state = 'queued'")

schedule = Table(
    "schedule",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("team_id", ForeignKey("team.id"), index=True),
    Column("timezone", Text, nullable=False),
    Column("layers", Json, nullable=False),  # list of domain.oncall.LayerForm, people as user ids
    Column("feed_hash", Digest, unique=True),  # SHA-256 of the calendar feed's secret; NULL: no feed
    Column("made_by", ForeignKey("user_account.id")),
    Column("created_at", UtcTime, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    sqlite_autoincrement=True,
)

schedule_override = Table(
    "schedule_override",
    metadata,
    Column("id", Id, primary_key=True),
    Column("schedule_id", ForeignKey("schedule.id"), nullable=False),
    Column("user_id", ForeignKey("user_account.id"), nullable=False, index=True),
    Column("starts_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("uid", Text, nullable=False, server_default=""),  # of the calendar entry that it came from
    Column("made_by", ForeignKey("user_account.id")),
    Column("created_at", UtcTime, nullable=False),
    Column("cancelled_at", UtcTime),
    Index("ix_schedule_override_time", "schedule_id", "ends_at"),
    sqlite_autoincrement=True,
)

absence = Table(
    "absence",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", ForeignKey("user_account.id"), nullable=False),
    Column("starts_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False),
    Column("deputy_id", ForeignKey("user_account.id")),
    Column("reason", Text, nullable=False, server_default=""),
    Column("made_by", ForeignKey("user_account.id")),
    Column("created_at", UtcTime, nullable=False),
    Column("cancelled_at", UtcTime),
    Column("hand_over", Boolean, nullable=False, server_default="1"),  # open tickets: to the deputy, else the queue
    Column("handed_at", UtcTime),  # when they went
    Index("ix_absence_time", "user_id", "ends_at"),
    sqlite_autoincrement=True,
)

# One person's rules: working hours, quiet hours, channels, skills, cap.
person_rule = Table(
    "person_rule",
    metadata,
    Column("user_id", ForeignKey("user_account.id"), primary_key=True),
    Column("body", Json, nullable=False),  # domain.people_rules.PersonRules
)

# Automatic assignment of a team's tickets.
team_rule = Table(
    "team_rule",
    metadata,
    Column("team_id", ForeignKey("team.id"), primary_key=True),
    Column("body", Json, nullable=False),  # domain.assignment.TeamRules
    Column("last_user_id", ForeignKey("user_account.id")),  # whose turn it was
)

# A ticket that was assigned by the system, for the daily cap.
auto_assignment = Table(
    "auto_assignment",
    metadata,
    Column("id", Id, primary_key=True),
    Column("incident_id", ForeignKey("incident.id"), nullable=False, index=True),
    Column("user_id", ForeignKey("user_account.id"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Index("ix_auto_assignment_user", "user_id", "at"),
    sqlite_autoincrement=True,
)

escalation_policy = Table(
    "escalation_policy",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("body", Json, nullable=False),  # domain.escalation.Policy
    Column("made_by", ForeignKey("user_account.id")),
    Column("created_at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

# Whose tickets a policy is for: one policy a team, one a service; the service's wins.
escalation_use = Table(
    "escalation_use",
    metadata,
    Column("id", Id, primary_key=True),
    Column("policy_id", ForeignKey("escalation_policy.id"), nullable=False, index=True),
    Column("team_id", ForeignKey("team.id"), unique=True),
    Column("service_id", ForeignKey("service.id"), unique=True),
    sqlite_autoincrement=True,
)

# Where the paging of a ticket stands. due_at: when it is looked at next; NULL: nothing more to do.
escalation = Table(
    "escalation",
    metadata,
    Column("incident_id", ForeignKey("incident.id"), primary_key=True),
    Column("policy_id", ForeignKey("escalation_policy.id"), nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("policy", Json, nullable=False),  # the body as it was when this run began
    Column("cycle", Integer, nullable=False),
    Column("run", Integer, nullable=False, server_default="1"),  # a further one for each episode or expired answer
    Column("takes_over", Integer),  # the first of the runs by another policy that this one goes on from
    Column("state", Text, nullable=False),  # paging | acknowledged | recovered | exhausted | over
    Column("reason", Text, nullable=False, server_default=""),
    Column("began_at", UtcTime, nullable=False),
    Column("began_seq", Integer, nullable=False),  # head of the timeline then: a later act of a person acknowledges
    Column("round", Integer, nullable=False, server_default="1"),
    Column("step", Integer, nullable=False, server_default="0"),  # the next one to execute, from 0
    Column("due_at", UtcTime),
    Index("ix_escalation_due", "due_at", sqlite_where=_DUE, postgresql_where=_DUE),
)

# The proof: one row for each (incident, run, round, step, target, channel).
page_step = Table(
    "page_step",
    metadata,
    Column("id", Id, primary_key=True),
    Column("dedup", Text, nullable=False, unique=True),  # (incident, run, round, step, target, user, channel)
    Column("incident_id", ForeignKey("incident.id"), nullable=False, index=True),
    Column("cycle", Integer, nullable=False),
    Column("run", Integer, nullable=False),
    Column("policy_id", ForeignKey("escalation_policy.id")),
    Column("policy_version", Integer, nullable=False),
    Column("round", Integer, nullable=False),
    Column("step", Integer, nullable=False),  # from 1; 0: nobody answered, the leads are told
    Column("target_kind", Text, nullable=False),  # schedule | person | team | channel | leads
    Column("target_name", Text, nullable=False),  # as the policy names it
    Column("user_id", ForeignKey("user_account.id")),  # whom it came down to; NULL: nobody, or a channel
    Column("channel", Text, nullable=False, server_default=""),
    Column("address", Text, nullable=False, server_default=""),
    Column("due_at", UtcTime, nullable=False),
    Column("digest_at", UtcTime),  # it waits for the digest of this time
    Column("state", Text, nullable=False),  # queued | sent | failed | skipped
    Column("reason", Text, nullable=False, server_default=""),  # why it is so, in a sentence
    Column("outbox_id", ForeignKey("outbox.id"), index=True),  # a digest carries many steps
    Column("created_at", UtcTime, nullable=False),
    Column("settled_at", UtcTime),  # when it was sent, failed or skipped
    Index("ix_page_step_queued", "due_at", sqlite_where=_QUEUED, postgresql_where=_QUEUED),
    Index("ix_page_step_user", "user_id", "due_at"),
    sqlite_autoincrement=True,
)
