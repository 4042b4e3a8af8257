"""Alertmanager: is it silenced, and what else fires?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta

from servicedesk.checks.check import Check, Options, Problem, World, asked, inconclusive, place_of, types_of
from servicedesk.clients.alertmanager import AlertState, alerts
from servicedesk.clients.api import Unanswered
from servicedesk.domain import queries
from servicedesk.domain.checks import FAIL, MAX_ROWS, PASS, Ask, Result
from servicedesk.domain.matchers import MatcherError, parse_matcher
from servicedesk.domain.parameters import Parameter, Values, fill

_LABELS_SHOWN = 160


class AlertmanagerOptions(Options, frozen=True, tag="alertmanager"):
    """Ask the configured Alertmanager which alerts it has."""

    matchers: Annotated[
        tuple[str, ...], Meta(min_length=1, description='Matchers on labels; ${values} in double quotes: job="${job}".')
    ]
    expect: Annotated[
        Literal["", "none", "some", "not_silenced", "gone"],
        Meta(description="none or some: of active ones; not_silenced; gone: no alert at all, silenced or not."),
    ] = ""
    exact: Annotated[
        tuple[dict[str, str], ...], Meta(description="Only alerts with exactly one of these label sets; empty: any.")
    ] = ()


def _problems(options: AlertmanagerOptions, parameters: Mapping[str, Parameter]) -> Iterator[Problem]:
    for text in options.matchers:
        if wrong := queries.problem(text, types_of(parameters)):
            yield "matchers", wrong
            continue
        try:
            parse_matcher(fill(text, Values(dict.fromkeys(parameters, "x"))))
        except MatcherError as error:
            yield "matchers", str(error)


def _ask(options: AlertmanagerOptions, values: Values, parameters: Mapping[str, Parameter]) -> Ask:
    matchers = [queries.fill(m, values, types_of(parameters), queries.matcher_string) for m in options.matchers]
    data = {"matchers": matchers, "expect": options.expect, "exact": list(options.exact)}
    shown = (
        f"ask Alertmanager for alerts with {', '.join(matchers)}",
        f"expected: {options.expect}" if options.expect else "",
    )
    return asked("alertmanager", "alertmanager", options, data, shown)


def _run(data: Mapping[str, Any], world: World) -> Result:
    try:
        found = alerts(world.config.alertmanager, data["matchers"], world.deadline.left)
    except Unanswered as error:
        return inconclusive(f"Alertmanager cannot say: {error}")
    found = tuple(a for a in found if not data["exact"] or a.labels in data["exact"])
    active = [a for a in found if a.state == "active"]
    silenced = [a for a in found if a.silenced_by]
    inhibited = [a for a in found if a.inhibited_by and not a.silenced_by]
    faults = {"none": bool(active), "some": not active, "not_silenced": bool(silenced), "gone": bool(found)}
    bad = faults.get(data["expect"], False)
    summary = f"{len(active)} active, {len(silenced)} silenced, {len(inhibited)} inhibited"
    if bad:
        summary += f", expected {data['expect'].replace('_', ' ')}"
    return Result(
        FAIL if bad else PASS, summary, columns=("alert", "since", "state"), rows=_rows(found), value=len(active)
    )


def _rows(found: Sequence[AlertState]) -> tuple[tuple[str, ...], ...]:
    ordered = sorted(found, key=lambda a: (a.state != "active", a.starts_at), reverse=False)
    return tuple((_named(a), a.starts_at[:19].replace("T", " "), _state(a)) for a in ordered[:MAX_ROWS])


def _named(alert: AlertState) -> str:
    rest = ", ".join(f"{k}={v}" for k, v in sorted(alert.labels.items()) if k != "alertname")
    told = f"{alert.labels.get('alertname', '')} {rest}".strip()
    return told if len(told) <= _LABELS_SHOWN else told[: _LABELS_SHOWN - 1] + "…"


def _state(alert: AlertState) -> str:
    if alert.silenced_by:
        return f"silenced by {', '.join(alert.silenced_by)}"
    return f"inhibited by {', '.join(alert.inhibited_by)}" if alert.inhibited_by else alert.state


CHECK = Check(
    name="alertmanager",
    title="Alertmanager",
    description="Asks the configured Alertmanager which alerts fire beside, and which are silenced or inhibited.",
    options=AlertmanagerOptions,
    ask=_ask,
    run=_run,
    problems=_problems,
    reads=(
        "alertmanager.url",
        "alertmanager.username",
        "alertmanager.password",
        "alertmanager.token",
        "alertmanager.ca_file",
    ),
    missing=lambda config: "" if config.alertmanager.url else "alertmanager.url",
    share=10,
    explain=lambda _data, config: place_of(config.alertmanager, "/api/v2/alerts"),
)
