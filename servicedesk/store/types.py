"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Integer, LargeBinary, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(at: datetime) -> int:
    """An aware time as integer microseconds since 1970-01-01 UTC (exact, unlike a float timestamp)."""
    return (at - EPOCH) // _MICROSECOND


def from_us(us: int) -> datetime:
    """The inverse of `to_us`: an aware UTC time."""
    return EPOCH + timedelta(microseconds=us)


class UtcTime(TypeDecorator[datetime]):
    """Aware UTC datetime in Python, BIGINT microseconds in the database: sorts and compares alike everywhere."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_us(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_us(value)


class Json(TypeDecorator[Any]):
    """JSON as text, so that both engines return what was stored, byte for byte; NUL must be escaped before."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Any:
        return None if value is None else msgspec.json.decode(value)


Id = BigInteger().with_variant(Integer, "sqlite")  # AUTOINCREMENT needs INTEGER on SQLite
Digest = LargeBinary(32)
