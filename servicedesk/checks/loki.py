"""Loki: how many lines a LogQL query finds, and the newest of them.

Tested against recorded answers of Loki's documented API, not against a running Loki.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from msgspec import Meta

from servicedesk.checks.check import Check, Options, Problem, World, asked, inconclusive, judged, place_of, types_of
from servicedesk.clients.api import Unanswered
from servicedesk.clients.loki import Logs, query_range
from servicedesk.domain import queries
from servicedesk.domain.checks import MAX_ROWS, MAX_SERIES, Ask, Result, Series, expectation_problem
from servicedesk.domain.parameters import Parameter, Values
from servicedesk.domain.policy import parse_duration

_LINE = 500


class LokiOptions(Options, frozen=True, tag="loki"):
    """Ask the configured Loki."""

    query: Annotated[str, Meta(min_length=1, max_length=5000, description="A LogQL query; ${values} in double quotes.")]
    since: Annotated[str, Meta(description="How far it looks back, such as 15m.")] = "15m"
    limit: Annotated[int, Meta(ge=1, le=1000, description="Lines that are fetched at most.")] = 100
    expect: Annotated[str, Meta(description="A comparison with the number of lines, such as `== 0`.")] = ""


def _problems(options: LokiOptions, parameters: Mapping[str, Parameter]) -> Iterator[Problem]:
    if wrong := queries.problem(options.query, types_of(parameters)):
        yield "query", wrong
    if wrong := expectation_problem(options.expect):
        yield "expect", wrong
    try:
        parse_duration(options.since)
    except ValueError as error:
        yield "since", str(error)


def _ask(options: LokiOptions, values: Values, parameters: Mapping[str, Parameter]) -> Ask:
    query = queries.fill(options.query, values, types_of(parameters)).strip()
    data = {"query": query, "since": options.since, "limit": options.limit, "expect": options.expect}
    shown = (
        f"ask Loki: {query}",
        f"over the last {options.since}",
        f"expected: {options.expect} lines" if options.expect else "",
    )
    return asked("loki", "loki", options, data, shown)


def _run(data: Mapping[str, Any], world: World) -> Result:
    length = parse_duration(data["since"]).total_seconds()
    begin = world.now - length
    try:
        found = query_range(world.config.loki, data["query"], begin, world.now, data["limit"], world.deadline.left)
    except Unanswered as error:
        return inconclusive(f"Loki cannot say: {error}")
    if found.series:
        return _measured(data, found)
    verdict, told = judged(data["expect"], len(found.lines))
    more = " or more" if len(found.lines) >= data["limit"] else ""
    summary = told.replace(str(len(found.lines)), f"{len(found.lines)}{more} lines in {data['since']}", 1)
    rows = tuple((_clock(line.at), line.text[:_LINE]) for line in found.lines[:MAX_ROWS])
    details = "\n".join(f"{_clock(line.at)} {line.text}" for line in found.lines)
    return Result(verdict, summary, details, ("time (UTC)", "line"), rows, value=len(found.lines))


def _measured(data: Mapping[str, Any], found: Logs) -> Result:
    lines = tuple(Series(_name(labels), points) for labels, points in found.series[:MAX_SERIES])
    last = sum(points[-1][1] for _, points in found.series if points)
    verdict, told = judged(data["expect"], last)
    return Result(verdict, told, series=lines, value=last)


def _name(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{k}={v}" for k, v in sorted(labels.items())) or "value"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


CHECK = Check(
    name="loki",
    title="Loki",
    description="Asks the configured Loki for log lines, counts them and shows the newest.",
    options=LokiOptions,
    ask=_ask,
    run=_run,
    problems=_problems,
    reads=("loki.url", "loki.username", "loki.password", "loki.token", "loki.ca_file", "loki.tenant"),
    missing=lambda config: "" if config.loki.url else "loki.url",
    share=10,
    explain=lambda _data, config: place_of(config.loki, "/loki/api/v1/query_range"),
)
