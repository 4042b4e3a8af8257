"""Alerts that wait for others: what is to be looked at again, which tickets they may join, storms."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, text

from ..types import Digest, Id, Json, UtcTime
from .base import metadata

# Correlation digests to look at again, appended by whoever changes something there. No unique key: nobody waits here.
gathering = Table(
    "gathering",
    metadata,
    Column("id", Id, primary_key=True),
    Column("digest", Digest, nullable=False),
    Column("since", UtcTime, nullable=False),  # the earliest start that changed
    Column("rule", Text, nullable=False),  # the id of the rule that decides about its alerts
    Index("ix_gathering_digest", "digest"),
    sqlite_autoincrement=True,
)

# Which alerts may be attached to a ticket: their attach digests.
reach = Table(
    "reach",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("incident_id", ForeignKey("incident.id"), primary_key=True, index=True),
    Column("rule", Text, nullable=False),
    Column("guests", Boolean, nullable=False, server_default="0"),  # such an alert was attached to it
    Index("ix_reach_guests", "digest", sqlite_where=text("guests"), postgresql_where=text("guests")),
)

# How many tickets one alert name of a source has opened lately, and the ticket that takes the rest of a storm.
storm = Table(
    "storm",
    metadata,
    Column("digest", Digest, primary_key=True),  # SHA-256 of (source, alertname)
    Column("source", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("opened", Json, nullable=False),  # when, in microseconds: the newest, up to the threshold
    Column("incident_id", ForeignKey("incident.id")),  # the storm's own ticket
    Column("until", UtcTime),  # it takes more until then
    Column("taken", Integer, nullable=False, server_default="0"),  # alerts that it took
)

# How often a team was paged lately.
page_budget = Table(
    "page_budget",
    metadata,
    Column("team_id", Id, primary_key=True, autoincrement=False),  # 0: tickets without a team
    Column("paged", Json, nullable=False),  # when, in microseconds: the newest, up to the budget
    Column("digest_at", UtcTime),  # when the newest digest of what exceeds it goes out
)
