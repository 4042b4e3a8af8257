"""What came from whom: deliveries rolled up in steps of time, so that nobody counts all of them. Written by a job."""

from sqlalchemy import Column, Integer, Table, Text

from ..types import Id, UtcTime
from .base import metadata

# One row a step of time, source and receiver. Steps of several lengths, each for a plot: a page reads about a hundred.
traffic = Table(
    "traffic",
    metadata,
    Column("seconds", Integer, primary_key=True, autoincrement=False),  # how long the step is
    Column("began_at", UtcTime, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("receiver", Text, primary_key=True),
    Column("deliveries", Id, nullable=False),
    Column("bytes", Id, nullable=False),  # as sent
    Column("events", Id, nullable=False),  # entries of their bodies
    Column("dead", Id, nullable=False),  # deliveries that could not be read at all
    Column("lag_sum", Id, nullable=False),  # milliseconds from received to applied, of all deliveries
    Column("lag_max", Id, nullable=False),
)

# Who ever sent anything.
sender = Table(
    "sender",
    metadata,
    Column("source", Text, primary_key=True),
    Column("receiver", Text, primary_key=True),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("deliveries", Id, nullable=False),  # ever
    Column("events", Id, nullable=False),
    Column("truncated", Id, nullable=False, server_default="0"),  # alerts that it cut off, ever
    Column("truncated_at", UtcTime),  # when it last did
)

# How far deliveries are rolled up. One row, locked by who rolls on.
traffic_mark = Table(
    "traffic_mark",
    metadata,
    Column("name", Text, primary_key=True),
    Column("upto", Id, nullable=False),  # deliveries up to this id are in the tables above
)
