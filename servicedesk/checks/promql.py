"""PromQL: what the configured Prometheus answers to a query, now (a table) or over a time (a plot)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta

from servicedesk.checks.check import UNIT, Check, Options, Problem, Unit, World, asked, inconclusive, place_of, types_of
from servicedesk.clients.api import Unanswered
from servicedesk.clients.prometheus import Sample, instant, over_time
from servicedesk.domain import queries
from servicedesk.domain.checks import (
    FAIL,
    INCONCLUSIVE,
    MAX_ROWS,
    MAX_SERIES,
    PASS,
    Ask,
    Result,
    Series,
    expectation,
    expectation_problem,
    number,
)
from servicedesk.domain.parameters import Parameter, Values
from servicedesk.domain.policy import parse_duration

POINTS = 120
NO_SERIES = "no series: does the metric exist, do the labels fit?"


class PromqlOptions(Options, frozen=True, tag="promql"):
    """Ask the configured Prometheus."""

    query: Annotated[
        str, Meta(min_length=1, max_length=5000, description="A PromQL query; ${values} in double quotes.")
    ]
    expect: Annotated[
        str, Meta(description="`< 0.9` and the like, which every series must fulfil; `some` or `empty`.")
    ] = ""
    of: Annotated[Literal["all", "any"], Meta(description="Whether all series must fulfil it, or any of them.")] = "all"
    empty: Annotated[
        Literal["pass", "fail", "inconclusive"],
        Meta(description="The verdict when no series, or none but NaN, is there."),
    ] = "inconclusive"
    range: Annotated[
        str, Meta(description="Plot this long a time up to now, such as 3h; the last values are judged.")
    ] = ""
    unit: Annotated[Unit, UNIT] = ""


def _problems(options: PromqlOptions, parameters: Mapping[str, Parameter]) -> Iterator[Problem]:
    if wrong := queries.problem(options.query, types_of(parameters)):
        yield "query", wrong
    if wrong := expectation_problem(options.expect, ("some", "empty")):
        yield "expect", wrong
    if options.range:
        try:
            parse_duration(options.range)
        except ValueError as error:
            yield "range", str(error)


def _ask(options: PromqlOptions, values: Values, parameters: Mapping[str, Parameter]) -> Ask:
    query = " ".join(queries.fill(options.query, values, types_of(parameters)).split("\n")).strip()
    data = {"query": query} | {n: getattr(options, n) for n in ("expect", "of", "empty", "range", "unit")}
    shown = (
        f"ask Prometheus: {query}",
        f"over the last {options.range}" if options.range else "",
        f"expected: {options.of + ' ' if options.expect not in ('some', 'empty') else ''}{options.expect}"
        if options.expect
        else "",
    )
    return asked("promql", "prometheus", options, data, shown)


def _run(data: Mapping[str, Any], world: World) -> Result:
    api, left = world.config.prometheus, world.deadline.left
    try:
        if data["range"]:
            length = parse_duration(data["range"]).total_seconds()
            step = max(15.0, math.ceil(length / POINTS))
            found = over_time(api, data["query"], world.now - length, world.now, step, left)
        else:
            found = instant(api, data["query"], left)
    except Unanswered as error:
        return inconclusive(f"Prometheus cannot say: {error}")
    lasts = [(s, s.points[-1][1]) for s in found if s.points]
    known = [(s, value) for s, value in lasts if not math.isnan(value)]
    verdict, summary = _judged(data, known, nothing=len(known) < len(lasts))
    rows = tuple((_label(s), number(value, data["unit"])) for s, value in lasts[:MAX_ROWS])
    series = tuple(_line(s) for s in found[:MAX_SERIES]) if data["range"] else ()
    return Result(verdict, summary, "", ("series", "value"), rows, series, data["unit"], _value(lasts))


def _judged(data: Mapping[str, Any], lasts: Sequence[tuple[Sample, float]], nothing: bool) -> tuple[str, str]:
    """nothing: some series had no value (NaN, such as 0 / 0 where nothing was counted); these are not compared."""
    expected, unit = data["expect"], data["unit"]
    many = f"{len(lasts)} series" if len(lasts) != 1 else f"{_label(lasts[0][0])} = {number(lasts[0][1], unit)}"
    if expected in ("some", "empty"):
        good = bool(lasts) == (expected == "some")
        return (
            PASS if good else FAIL,
            f"{many}, expected {'some' if expected == 'some' else 'none'}" if not good else many,
        )
    if not lasts:
        told = "no value: NaN, nothing was counted" if nothing else NO_SERIES
        return (data["empty"], told) if expected else (INCONCLUSIVE, told)
    if not expected:
        return PASS, many
    wanted = expectation(expected)
    bad = [(s, v) for s, v in lasts if not wanted.holds(v)]
    said = f"expected {wanted.op} {number(wanted.number, unit)}"
    good = not bad if data["of"] == "all" else len(bad) < len(lasts)
    if good:
        return PASS, f"{many}, as {said}" if len(lasts) == 1 else f"{len(lasts) - len(bad)} of {many}, as {said}"
    worst_one = max(bad, key=lambda pair: abs(pair[1] - wanted.number))
    one = f"{_label(worst_one[0])} = {number(worst_one[1], unit)}"
    return FAIL, f"{one}, {said}" if len(lasts) == 1 else f"{len(bad)} of {len(lasts)} series: {one}, {said}"


def _label(sample: Sample) -> str:
    name = sample.labels.get("__name__", "")
    inner = ", ".join(f'{k}="{v}"' for k, v in sorted(sample.labels.items()) if k != "__name__")
    return (name + (f"{{{inner}}}" if inner else "")) or "value"


def _line(sample: Sample) -> Series:
    points = tuple((at, None if math.isnan(v) or math.isinf(v) else v) for at, v in sample.points)
    return Series(_label(sample), points)


def _value(lasts: Sequence[tuple[Sample, float]]) -> float | None:
    """The number that is compared with the baseline: that of a single series, else their sum."""
    numbers = [v for _, v in lasts if not math.isnan(v) and not math.isinf(v)]
    return sum(numbers) if numbers else None


CHECK = Check(
    name="promql",
    title="PromQL",
    description="Asks the configured Prometheus, now or over a time, and compares the values.",
    options=PromqlOptions,
    ask=_ask,
    run=_run,
    problems=_problems,
    reads=("prometheus.url", "prometheus.username", "prometheus.password", "prometheus.token", "prometheus.ca_file"),
    missing=lambda config: "" if config.prometheus.url else "prometheus.url",
    share=10,
    explain=lambda data, config: place_of(config.prometheus, f"/api/v1/query{'_range' if data['range'] else ''}"),
)
