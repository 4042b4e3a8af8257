"""The whole database into another one, of the same or the other engine, row by row, and compared afterwards.

Triggers are made after the rows, which they would refuse: a closed ticket stands before its gates. Columns that point
into their own table are filled when all of its rows are there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Table, func, select, text, update
from sqlalchemy import bindparam as param

from servicedesk.errors import ConfigError
from servicedesk.store import schema, triggers
from servicedesk.store.db import Database, Priority, Tx
from servicedesk.store.tables import metadata

BATCH = 500


def copy(source: Database, target: Database) -> dict[str, int]:
    """Copy everything; answers the rows of each table. Nobody writes to the source meanwhile: senders are told 503.

    One transaction on the target: all or nothing. Raises ConfigError (the target is not empty, or holds other rows
    afterwards), SchemaMismatch (the source is not at the program's schema).
    """

    def whole(old: Tx) -> dict[str, int]:
        if problem := schema.mismatch(schema.stamp(old)):
            raise ConfigError(f"what is to be copied: {problem}")
        return target.write(lambda new: _copy(old, new))

    return source.write(whole, Priority.DELIVERY)


def _copy(old: Tx, new: Tx) -> dict[str, int]:
    schema.lock(new)
    if schema.stamp(new) is not None:
        raise ConfigError("the target is not empty: copy into a new database")
    if old.postgresql:
        old.run(text("LOCK TABLE setting, delivery, incident, timeline IN SHARE MODE"))
    metadata.create_all(new.conn)
    counts = {table.name: _table(old, new, table) for table in metadata.sorted_tables}
    if new.postgresql:
        _sequences(new)
    triggers.create(new)
    schema.put_stamp(new)
    differing = [t.name for t in metadata.sorted_tables if digest(old, t) != digest(new, t)]
    if differing:
        raise ConfigError(f"the copy differs from the original in {', '.join(differing)}: nothing was kept")
    return counts


def _table(old: Tx, new: Tx, table: Table) -> int:
    own = [c.name for c in table.columns if any(key.column.table is table for key in c.foreign_keys)]
    key = table.primary_key.columns.keys()
    count = 0
    pointing: list[dict[str, Any]] = []
    for batch in _rows(old, table):
        rows = [dict(row._mapping) for row in batch]
        pointing += [{f"of_{k}": r[k] for k in key} | {c: r[c] for c in own} for r in rows if any(r[c] for c in own)]
        new.run(table.insert(), [row | dict.fromkeys(own) for row in rows])
        count += len(rows)
    if pointing:
        here = [table.c[k] == param(f"of_{k}") for k in key]
        new.run(update(table).where(*here).values({c: param(c) for c in own}), pointing)
    return count


def _rows(tx: Tx, table: Table) -> Iterator[Sequence[Any]]:
    """In the order of the primary key, which both engines sort alike where it is numbers or bytes."""
    result = tx.conn.execution_options(yield_per=BATCH).execute(select(table).order_by(*table.primary_key.columns))
    yield from result.partitions(BATCH)


def digest(tx: Tx, table: Table) -> str:
    """A digest of all rows of a table, whatever their order: the sum of the rows' own."""
    total = 0
    for batch in _rows(tx, table):
        for row in batch:
            total += int.from_bytes(hashlib.sha256(repr([_plain(v) for v in row]).encode()).digest()[:16], "big")
    return f"{total % (1 << 128):032x}"


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def _sequences(tx: Tx) -> None:
    """The next ids come after those that were copied."""
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is None:
            continue
        name = tx.run(select(func.pg_get_serial_sequence(f'"{table.name}"', column.name))).scalar()
        last = tx.run(select(func.max(column))).scalar()
        if name and last:
            tx.run(select(func.setval(name, last)))
