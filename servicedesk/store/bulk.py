"""Many rows in one statement, the fastest way that each engine knows.

PostgreSQL: one JSON parameter, unpacked by `jsonb_to_recordset` (several times faster than lists of parameters).
SQLite: `executemany`, and VALUES for look-ups. Rows are tuples of Python values in the order of the columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import Boolean, Column, Integer, LargeBinary, Table

from servicedesk.store.db import Tx
from servicedesk.store.types import Json, UtcTime, to_us

Row = Sequence[Any]


def insert_rows(tx: Tx, table: Table, columns: tuple[str, ...], rows: Sequence[Row], or_ignore: bool = False) -> None:
    """INSERT. or_ignore: a row whose unique key exists already is left out."""
    if rows:
        _run(tx, _insert(tx.postgresql, table, columns, or_ignore), table, columns, rows)


def upsert_rows(tx: Tx, table: Table, columns: tuple[str, ...], rows: Sequence[Row], keys: tuple[str, ...]) -> None:
    """INSERT; where a row with the same `keys` exists, its other columns are set. No key twice in `rows`."""
    if rows:
        _run(tx, _upsert(tx.postgresql, table, columns, keys), table, columns, rows)


def update_rows(tx: Tx, table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """UPDATE by the first column, which is unique; the others are set to the values given."""
    if rows:
        _run(tx, _update(tx.postgresql, table, columns), table, columns, rows)


def look_up(tx: Tx, table: Table, columns: tuple[str, ...], rows: Sequence[Row], sql: str) -> list[Any]:
    """Rows of a SELECT that reads the given rows as table `x` with the columns of `table` that are named.

    sql: everything from SELECT on, the same on both engines; `x` is where the rows stand.
    """
    if not rows:
        return []
    typed = [(name, _kind(table.c[name])) for name in columns]
    if tx.postgresql:
        given = ", ".join(f"{_unpacked(name, kind)} AS {name}" for name, kind in typed)
        statement = f"WITH x AS MATERIALIZED (SELECT {given} FROM {_recordset(typed)}) {sql}"  # noqa: S608
        return list(tx.conn.exec_driver_sql(statement, (_json(columns, _plain(table, columns, rows)),)))
    marks = ", ".join(["(" + ", ".join("?" * len(columns)) + ")"] * len(rows))
    statement = f"WITH x({', '.join(columns)}) AS (VALUES {marks}) {sql}"
    return list(tx.conn.exec_driver_sql(statement, tuple(v for row in _plain(table, columns, rows) for v in row)))


def _run(tx: Tx, statement: str, table: Table, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    plain = _plain(table, columns, rows)
    if tx.postgresql:
        tx.conn.exec_driver_sql(statement, (_json(columns, plain),))
    else:
        tx.conn.exec_driver_sql(statement, plain)


@cache
def _insert(postgresql: bool, table: Table, columns: tuple[str, ...], or_ignore: bool) -> str:
    names = ", ".join(columns)
    ignore = " ON CONFLICT DO NOTHING" if or_ignore else ""
    if not postgresql:
        return f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' * len(columns))}){ignore}"  # noqa: S608
    typed = [(name, _kind(table.c[name])) for name in columns]
    values = ", ".join(_unpacked(name, kind) for name, kind in typed)
    return f"INSERT INTO {table.name} ({names}) SELECT {values} FROM {_recordset(typed)}{ignore}"  # noqa: S608


@cache
def _upsert(postgresql: bool, table: Table, columns: tuple[str, ...], keys: tuple[str, ...]) -> str:
    sets = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in keys)
    insert = _insert(postgresql, table, columns, or_ignore=False)
    return f"{insert} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sets}"


@cache
def _update(postgresql: bool, table: Table, columns: tuple[str, ...]) -> str:
    key, others = columns[0], columns[1:]
    if not postgresql:
        sets = ", ".join(f"{name} = ?{i}" for i, name in enumerate(others, 2))
        return f"UPDATE {table.name} SET {sets} WHERE {key} = ?1"  # noqa: S608
    typed = [(name, _kind(table.c[name])) for name in columns]
    sets = ", ".join(f"{name} = {_unpacked(name, kind)}" for name, kind in typed[1:])
    return f"UPDATE {table.name} AS t SET {sets} FROM {_recordset(typed)} WHERE t.{key} = {_unpacked(*typed[0])}"  # noqa: S608


def _recordset(typed: Iterable[tuple[str, str]]) -> str:
    as_sent = ", ".join(f"{name} {'text' if kind == 'bytea' else kind}" for name, kind in typed)
    return f"jsonb_to_recordset(%s::jsonb) AS r({as_sent})"


def _unpacked(name: str, kind: str) -> str:
    return f"decode(r.{name}, 'base64')" if kind == "bytea" else f"r.{name}"


def _kind(column: Column[Any]) -> str:
    """The PostgreSQL type that carries a column's values."""
    kind = column.type
    if isinstance(kind, LargeBinary):
        return "bytea"
    if isinstance(kind, Boolean):
        return "boolean"
    return "bigint" if isinstance(kind, UtcTime | Integer) else "text"


def _json(columns: tuple[str, ...], rows: Iterable[Row]) -> str:
    return _text([dict(zip(columns, row, strict=True)) for row in rows])  # bytes become base64


def _plain(table: Table, columns: tuple[str, ...], rows: Iterable[Row]) -> list[tuple[Any, ...]]:
    """Times as microseconds, JSON as text: what the column types of store.types do for single rows."""
    convert: list[tuple[int, Callable[[Any], Any]]] = []
    for i, name in enumerate(columns):
        kind = table.c[name].type
        if isinstance(kind, UtcTime):
            convert.append((i, _time))
        elif isinstance(kind, Json):
            convert.append((i, _text))
    answer = []
    for row in rows:
        values = list(row)
        for i, function in convert:
            if values[i] is not None:
                values[i] = function(values[i])
        answer.append(tuple(values))
    return answer


def _time(value: datetime) -> int:
    return to_us(value)


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
