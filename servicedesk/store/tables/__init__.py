"""All tables. Import the nouns from here: `from servicedesk.store.tables import incident, timeline`."""

from .base import metadata
from .checks import check_ask, check_run, observation, silence
from .gates import (
    action_item,
    confirmation,
    playbook_run,
    playbook_step,
    playbook_version,
    review,
    review_approval,
    second_person_request,
    task,
    verification,
)
from .gathering import gathering, reach, storm
from .intake import alert, correlation, dead_letter, delivery, episode, event
from .oncall import (
    absence,
    auto_assignment,
    escalation,
    escalation_policy,
    escalation_use,
    page_step,
    person_rule,
    schedule,
    schedule_override,
    team_rule,
)
from .people import idempotency_key, service, session, signin_link, team, team_member, token, user
from .reconcile import missing_alert, reconciliation
from .record import outbox, setting, timeline, timeline_content
from .suppression import heartbeat, maintenance_window
from .syslog import (
    syslog_alert,
    syslog_example,
    syslog_minute,
    syslog_run,
    syslog_share,
    syslog_template,
    syslog_window,
)
from .ticket import incident, member
from .upkeep import chore, delivery_stock

__all__ = [
    "absence",
    "action_item",
    "alert",
    "auto_assignment",
    "check_ask",
    "check_run",
    "chore",
    "confirmation",
    "correlation",
    "dead_letter",
    "delivery",
    "delivery_stock",
    "episode",
    "escalation",
    "escalation_policy",
    "escalation_use",
    "event",
    "gathering",
    "heartbeat",
    "idempotency_key",
    "incident",
    "maintenance_window",
    "member",
    "metadata",
    "missing_alert",
    "observation",
    "outbox",
    "page_step",
    "person_rule",
    "playbook_run",
    "playbook_step",
    "playbook_version",
    "reach",
    "reconciliation",
    "review",
    "review_approval",
    "schedule",
    "schedule_override",
    "second_person_request",
    "service",
    "session",
    "setting",
    "signin_link",
    "silence",
    "storm",
    "syslog_alert",
    "syslog_example",
    "syslog_minute",
    "syslog_run",
    "syslog_share",
    "syslog_template",
    "syslog_window",
    "task",
    "team",
    "team_member",
    "team_rule",
    "timeline",
    "timeline_content",
    "token",
    "user",
    "verification",
]
