"""One read-only question to a PostgreSQL server, as a role that can do nothing else: this is looked at each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# A role that may do more than read is refused, whatever the transaction says: functions could use its rights.
_RIGHTS = """
SELECT r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls,
  (SELECT string_agg(g.rolname, ', ') FROM pg_roles g
    WHERE g.rolname IN ('pg_write_all_data', 'pg_read_server_files', 'pg_write_server_files',
      'pg_execute_server_program', 'pg_signal_backend', 'pg_checkpoint', 'pg_maintain')
    AND pg_has_role(r.oid, g.oid, 'member')),
  (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'
    AND (has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
      OR has_any_column_privilege(c.oid, 'INSERT, UPDATE')) LIMIT 1),
  current_setting('transaction_read_only')
FROM pg_roles r WHERE r.rolname = current_user
"""


class NotAsked(Exception):
    """The question was not put; the sentence says why."""


class Failed(Exception):
    """The server could not be reached or answered with an error."""


@dataclass(frozen=True, slots=True)
class Rows:
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    more: bool


def ask(dsn: str, query: str, parameters: Sequence[str], timeout: float, limit: int) -> Rows:
    """Run one prepared statement in a read-only transaction, rolled back. `%s` in it takes the parameters in order.

    Raises NotAsked (driver missing, rights beyond SELECT), Failed.
    """
    try:
        import psycopg
        import psycopg.conninfo
    except ModuleNotFoundError as error:
        raise NotAsked("PostgreSQL's driver is missing: pip install 'servicedesk[postgres]'") from error
    try:
        psycopg.conninfo.conninfo_to_dict(dsn)
    except psycopg.Error as error:  # what libpq says of it holds parts of the password
        raise NotAsked("its address in checks.sql cannot be read") from error
    milliseconds = max(int(timeout * 1000), 100)
    settings = f"-c default_transaction_read_only=on -c statement_timeout={milliseconds} -c lock_timeout={milliseconds}"
    settings += f" -c idle_in_transaction_session_timeout={milliseconds * 2} -c search_path=pg_catalog,public"
    try:
        with psycopg.connect(
            dsn, connect_timeout=max(int(timeout), 2), options=settings, application_name="servicedesk-check"
        ) as connection:
            connection.read_only = True
            with connection.cursor() as cursor:
                _refuse_rights(cursor)
                # prepare: the extended protocol takes one statement, and no more
                cursor.execute(query.encode(), list(parameters), prepare=True)
                if cursor.description is None:
                    raise NotAsked("the statement answers no rows: only a SELECT can be a check")
                rows = cursor.fetchmany(limit + 1)
                names = tuple(column.name for column in cursor.description)
            connection.rollback()
        return Rows(names, tuple(rows[:limit]), len(rows) > limit)
    except psycopg.Error as error:
        raise Failed(_said(error)) from error


def _refuse_rights(cursor: Any) -> None:
    cursor.execute(_RIGHTS)
    row = cursor.fetchone()
    if row is None:
        raise NotAsked("its role cannot be looked at")
    powerful, groups, table, read_only = row
    if powerful:
        raise NotAsked("its role is more than an ordinary one (superuser, or may create or replicate): use a reader's")
    if groups:
        raise NotAsked(f"its role belongs to {groups}: use a role that may only SELECT")
    if table:
        raise NotAsked(f"its role may change {table}: use a role that may only SELECT")
    if read_only != "on":
        raise NotAsked("the transaction would not be read-only")


def _said(error: Any) -> str:
    """The server's first sentence; what a failed connection says may hold the user's name, never the password."""
    told = getattr(getattr(error, "diag", None), "message_primary", None) or str(error)
    return " ".join(str(told).split("\n")[0].split())[:300]
