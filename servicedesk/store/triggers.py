"""Triggers that keep the second promise even against raw SQL: honest closing, append-only records.

Each is written once; `statements` renders it for SQLite or PostgreSQL. They are dropped before and created after every
migration (a batch rebuild of a table drops them silently), and `differences` compares them with the catalogue.
A refusal arrives as an IntegrityError whose text begins with "servicedesk:". On PostgreSQL an upsert is refused by the
update trigger; on SQLite REPLACE removes the old row without delete triggers unless recursive_triggers is on, so there
an INSERT of an existing key is refused too. Not covered: forged gate rows, disabled triggers; see `audit verify`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import text

from .db import Tx

PREFIX = "guard_"
REFUSED = "servicedesk:"


@dataclass(frozen=True, slots=True)
class Trigger:
    """BEFORE `event` on `table`, for each row: when `condition` (SQL of both engines) holds, refuse with `message`."""

    name: str
    table: str
    event: str  # INSERT | DELETE | UPDATE | UPDATE OF columns
    condition: str
    message: str
    sqlite_only: bool = False

    @property
    def full_name(self) -> str:
        return PREFIX + self.name


# What must exist before a ticket is `closed`: all of the cycle that the row names.
_GATES = """
    EXISTS (SELECT 1 FROM verification v
      WHERE v.incident_id = NEW.id AND v.cycle = NEW.cycle AND v.verdict = 'pass' AND v.no_new_problem)
    AND EXISTS (SELECT 1 FROM confirmation c
      WHERE c.incident_id = NEW.id AND c.cycle = NEW.cycle AND c.accepted)
    AND EXISTS (SELECT 1 FROM review r
      WHERE r.incident_id = NEW.id AND r.cycle = NEW.cycle AND r.decided_at IS NOT NULL
      AND ((r.status = 'approved' AND EXISTS (SELECT 1 FROM review_approval a WHERE a.review_id = r.id))
        OR (r.status = 'waived' AND r.waived_by IS NOT NULL AND trim(coalesce(r.waiver_reason, '')) <> '')))
"""
_UNGATED = (
    "servicedesk: closed needs a passed verification, an accepted confirmation and an approved or waived review "
    "of this cycle"
)


def _append_only(table: str, *keys: str, erasable: bool = False) -> Iterator[Trigger]:
    words = table.replace("_", " ")
    yield Trigger(f"{table}_update", table, "UPDATE", "TRUE", f"servicedesk: {words} rows are never changed")
    if not erasable:
        yield Trigger(f"{table}_delete", table, "DELETE", "TRUE", f"servicedesk: {words} rows are never deleted")
    yield _no_replace(table, "insert", *keys)


def _no_replace(table: str, name: str, *keys: str) -> Trigger:
    same = " AND ".join(f"x.{key} = NEW.{key}" for key in keys)
    words = table.replace("_", " ")
    return Trigger(
        f"{table}_{name}",
        table,
        "INSERT",
        f"EXISTS (SELECT 1 FROM {table} x WHERE {same})",  # noqa: S608 - our own names
        f"servicedesk: {words} rows are never replaced",
        sqlite_only=True,
    )


TRIGGERS: tuple[Trigger, ...] = (
    Trigger("incident_closed_insert", "incident", "INSERT", f"NEW.status = 'closed' AND NOT ({_GATES})", _UNGATED),
    Trigger(
        "incident_closed_update",
        "incident",
        "UPDATE OF id, status, cycle",
        f"NEW.status = 'closed' AND NOT ({_GATES})",
        _UNGATED,
    ),
    Trigger(
        "incident_cycle",
        "incident",
        "UPDATE OF id, status, cycle",
        "NEW.id <> OLD.id OR NEW.cycle < OLD.cycle OR (OLD.status = 'closed' AND NEW.status = 'closed' "
        "AND NEW.cycle <> OLD.cycle) OR (OLD.status = 'closed' AND NEW.status <> 'closed' AND NEW.cycle = OLD.cycle)",
        "servicedesk: a cycle never goes back; what was closed is reopened into a new cycle",
    ),
    Trigger("incident_delete", "incident", "DELETE", "TRUE", "servicedesk: incident rows are never deleted"),
    _no_replace("incident", "insert", "id"),
    *_append_only("timeline", "incident_id", "seq"),
    *_append_only("timeline_content", "incident_id", "seq", erasable=True),
    *_append_only("verification", "id"),
    *_append_only("confirmation", "id"),
    *_append_only("review_approval", "review_id", "actor_id"),
    Trigger(
        "review_update",
        "review",
        "UPDATE",
        "OLD.status IN ('approved', 'waived') OR NEW.id <> OLD.id OR NEW.incident_id <> OLD.incident_id "
        "OR NEW.cycle <> OLD.cycle OR NEW.version <> OLD.version",
        "servicedesk: an approved or waived review is never changed; a change is a new version",
    ),
    Trigger("review_delete", "review", "DELETE", "TRUE", "servicedesk: review rows are never deleted"),
    _no_replace("review", "insert", "id"),
    _no_replace("review", "version", "incident_id", "version"),
)
# PostgreSQL only: TRUNCATE passes row triggers by.
_TRUNCATE_GUARDED = ("incident", "timeline", "verification", "confirmation", "review", "review_approval")


def create(tx: Tx) -> None:
    """Create every trigger; none may exist (see `drop`)."""
    for _, statement in statements(tx.postgresql):
        tx.conn.exec_driver_sql(statement)


def drop(tx: Tx) -> None:
    """Drop every trigger of ours that the catalogue holds, also those of other versions."""
    for name, table in _existing(tx):
        on = f" ON {table}" if tx.postgresql else ""
        tx.conn.exec_driver_sql(f"DROP TRIGGER {name}{on}")
    if tx.postgresql:
        functions = text(
            "SELECT proname FROM pg_proc "
            "WHERE starts_with(proname, :p) AND pronamespace = current_schema()::regnamespace"
        )
        for (name,) in tx.run(functions, {"p": PREFIX}).all():
            tx.conn.exec_driver_sql(f"DROP FUNCTION {name}()")


def statements(postgresql: bool) -> Iterator[tuple[str, str]]:
    """(name, SQL) of everything that `create` runs, in order."""
    for trigger in TRIGGERS:
        if postgresql and not trigger.sqlite_only:
            yield trigger.full_name + "()", _function(trigger.full_name, trigger.condition, trigger.message)
            yield trigger.full_name, _postgresql(trigger.full_name, trigger.event, trigger.table, "ROW")
        elif not postgresql:
            yield trigger.full_name, _sqlite(trigger)
    for table in _TRUNCATE_GUARDED if postgresql else ():
        name = f"{PREFIX}{table}_truncate"
        yield name + "()", _function(name, "TRUE", f"servicedesk: {table.replace('_', ' ')} rows are never deleted")
        yield name, _postgresql(name, "TRUNCATE", table, "STATEMENT")


def differences(tx: Tx) -> list[str]:
    """What the database's catalogue holds otherwise than `create` made it; empty: all stand and are enabled."""
    wanted = dict(statements(tx.postgresql))
    found = dict(_catalogue_postgresql(tx) if tx.postgresql else _catalogue_sqlite(tx))
    answer = [f"{name} is missing" for name in wanted if name not in found]
    answer += [f"{name} is not of this version" for name in found if name not in wanted]
    return answer + [
        f"{name} was changed" for name in wanted if name in found and _bare(found[name]) != _bare(wanted[name])
    ]


def _sqlite(trigger: Trigger) -> str:
    return (
        f"CREATE TRIGGER {trigger.full_name} BEFORE {trigger.event} ON {trigger.table} WHEN {trigger.condition} "
        f"BEGIN SELECT RAISE(ABORT, '{trigger.message}'); END"
    )


def _postgresql(name: str, event: str, table: str, each: str) -> str:
    return f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH {each} EXECUTE FUNCTION {name}()"


def _function(name: str, condition: str, message: str) -> str:
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN "
        f"IF {condition} THEN RAISE EXCEPTION '{message}' USING ERRCODE = 'check_violation'; END IF; "
        "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $body$"
    )


def _existing(tx: Tx) -> list[tuple[str, str]]:
    if tx.postgresql:
        query = (
            "SELECT t.tgname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "WHERE NOT t.tgisinternal AND starts_with(t.tgname, :p) AND c.relnamespace = current_schema()::regnamespace"
        )
    else:
        query = "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' AND substr(name, 1, length(:p)) = :p"
    return [(name, table) for name, table in tx.run(text(query), {"p": PREFIX})]


def _catalogue_sqlite(tx: Tx) -> Iterator[tuple[str, str]]:
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND substr(name, 1, length(:p)) = :p"
    yield from ((name, sql) for name, sql in tx.run(text(query), {"p": PREFIX}))


def _catalogue_postgresql(tx: Tx) -> Iterator[tuple[str, str]]:
    query = (
        "SELECT t.tgname, t.tgenabled, pg_get_triggerdef(t.oid, true), p.proname, p.prosrc FROM pg_trigger t "
        "JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid "
        "WHERE NOT t.tgisinternal AND starts_with(t.tgname, :p) AND c.relnamespace = current_schema()::regnamespace"
    )
    for name, enabled, definition, function, source in tx.run(text(query), {"p": PREFIX}):
        yield name, definition if enabled in ("O", "A") else f"disabled {definition}"
        yield f"{function}()", f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $body${source}$body$"


def _bare(sql: str) -> str:
    return " ".join(sql.split())
