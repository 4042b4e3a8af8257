"""SQL: one SELECT on a configured PostgreSQL connection, read-only in every way that the server knows.

Values from labels are parameters of the prepared statement, never a part of its text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta

from servicedesk.checks.check import UNIT, Check, Options, Problem, Unit, World, asked, inconclusive, judged
from servicedesk.clients import postgresql
from servicedesk.domain.checks import FAIL, INCONCLUSIVE, MAX_ROWS, PASS, Ask, Result, expectation_problem
from servicedesk.domain.parameters import SLOT, Parameter, Values

_CELL = 200


class SqlOptions(Options, frozen=True, tag="sql"):
    """Ask a PostgreSQL server."""

    connection: Annotated[str, Meta(min_length=1, description="A name of checks.sql in the configuration.")]
    query: Annotated[
        str,
        Meta(min_length=1, max_length=10_000, description="One SELECT; ${values} become parameters, without quotes."),
    ]
    expect: Annotated[
        str, Meta(description="A comparison with the first value of the first row; or `some` or `empty` rows.")
    ] = ""
    unit: Annotated[Unit, UNIT] = ""


def _problems(options: SqlOptions, _parameters: Mapping[str, Parameter]) -> Iterator[Problem]:
    if wrong := expectation_problem(options.expect, ("some", "empty")):
        yield "expect", wrong
    if not options.query.lstrip(" \n\t(").lower().startswith(("select", "with", "show", "table", "values")):
        yield "query", "must be a SELECT"
    if "'${" in options.query or '"${' in options.query:
        yield "query", "write ${value} without quotes: it becomes a parameter of the statement"


def _ask(options: SqlOptions, values: Values, _parameters: Mapping[str, Parameter]) -> Ask:
    given: list[str] = []

    def parameter(slot: Any) -> str:
        if slot[2] is None:
            return "${"
        given.append(values.need(slot[2]))
        return "%s"

    query = SLOT.sub(parameter, options.query.replace("%", "%%")).strip()
    data = {"connection": options.connection, "query": query, "given": given}
    data |= {"expect": options.expect, "unit": options.unit}
    told = f"with {', '.join(map(repr, given))}" if given else ""
    expected = f"expected: {options.expect}" if options.expect else ""
    shown = (f"ask the connection {options.connection}: {options.query.strip()}", told, expected)
    return asked("sql", f"sql {options.connection}", options, data, shown)


def connections(entries: tuple[str, ...]) -> dict[str, str]:
    """`checks.sql` by name."""
    pairs = (entry.partition(":") for entry in entries)
    return {name.strip(): dsn.strip() for name, _, dsn in pairs}


def _run(data: Mapping[str, Any], world: World) -> Result:
    dsn = connections(world.config.checks.sql).get(data["connection"])
    if dsn is None:
        return inconclusive(f"There is no connection {data['connection']!r}: name it in checks.sql.", again=False)
    try:
        found = postgresql.ask(dsn, data["query"], data["given"], world.deadline.left, MAX_ROWS)
    except postgresql.NotAsked as error:
        return inconclusive(f"Not asked: {error}.", again=False)
    except postgresql.Failed as error:
        return inconclusive(f"The server cannot say: {error}")
    rows = tuple(tuple(_cell(value) for value in row) for row in found.rows)
    verdict, summary, value = _judged(data, found)
    return Result(verdict, summary, "", found.columns, rows, (), data["unit"], value)


def _judged(data: Mapping[str, Any], found: postgresql.Rows) -> tuple[str, str, float | None]:
    count = f"{len(found.rows)}{' or more' if found.more else ''} row{'' if len(found.rows) == 1 else 's'}"
    value = _number(found.rows[0][0]) if found.rows else None
    if data["expect"] in ("", "some", "empty"):
        good = data["expect"] == "" or bool(found.rows) == (data["expect"] == "some")
        return (PASS if good else FAIL), count + ("" if good else f", expected {data['expect']}"), value
    if value is None:
        return INCONCLUSIVE, f"{count}, the first value is no number", None
    verdict, told = judged(data["expect"], value, data["unit"])
    return verdict, f"{found.columns[0]} = {told}", value


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return float(value)
    try:
        return float(value.total_seconds() if hasattr(value, "total_seconds") else value)
    except (TypeError, ValueError):
        return None


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


CHECK = Check(
    name="sql",
    title="SQL (PostgreSQL)",
    description="Runs one SELECT as a role that may do nothing else, in a read-only transaction with a time limit.",
    options=SqlOptions,
    ask=_ask,
    run=_run,
    problems=_problems,
    reads=("checks.sql",),
    missing=lambda config: "" if config.checks.sql else "checks.sql",
)
