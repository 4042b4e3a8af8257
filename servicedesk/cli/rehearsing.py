"""What correlation rules would make of recorded deliveries: differences, tests, and tests recorded from what came."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from servicedesk.cli.common import emit, opened, state, table

if TYPE_CHECKING:
    from servicedesk.domain.correlation_rules import Ruleset
    from servicedesk.services.rehearsal import Change, Sent
    from servicedesk.store.views.rehearsal import Outcome, Ticket

SHOWN = 100  # changes that are listed for people; --json has all


def ruleset(path: Path | None) -> Ruleset:
    """The shipped rules and those of a file or folder, else of the configured folder. Raises FileError."""
    from servicedesk.files import policies
    from servicedesk.services import rehearsal

    config = state().config()
    policy = policies.load(Path(config.policies) if config.policies else None)
    return rehearsal.own_ruleset(config, path, policy.alerts)


def differ(numbers: Sequence[int], path: Path | None, last: int) -> None:
    """Tell what stored deliveries would become by the rules of now, and by other ones."""
    from servicedesk.services import rehearsal

    config = state().config()
    with opened() as desk:
        sent = rehearsal.recorded(desk, numbers, last)
    now = rehearsal.rehearse(config, sent, ruleset(None))
    if path is None:
        emit(_outcome(now), _lines(now, len(sent)))
        return
    found = rehearsal.compare(now, rehearsal.rehearse(config, sent, ruleset(path)))
    told = {"deliveries": len(sent), "before": found.before, "after": found.after, "kept": found.kept}
    head = f"{len(sent)} deliveries: {found.before} tickets by the rules of now, {found.after} by {path}"
    lines = [f"{head}; {found.kept} are the same"]
    lines += [line for change in found.changes[:SHOWN] for line in _said(change)]
    if len(found.changes) > SHOWN:
        lines.append(f"… and {len(found.changes) - SHOWN} more alerts")
    emit(told | {"changes": [_change(change) for change in found.changes]}, lines)


def check(ctx: click.Context, file: Path, path: Path | None) -> None:
    """Run a test of correlation rules; exit 1 when something is otherwise than expected."""
    from servicedesk.files import rule_tests
    from servicedesk.services import rehearsal
    from servicedesk.services.rehearsal import Expected, Sent

    test = rule_tests.load(file)
    sent = [Sent(d.at, d.receiver, d.source, d.body) for d in test.deliveries]
    outcome = rehearsal.rehearse(state().config(), sent, ruleset(path))
    expected = [Expected(t.alerts, t.rule, t.title) for t in test.expect.tickets]
    wrong = rehearsal.unmet(outcome, expected, test.expect.records)
    emit(_outcome(outcome) | {"wrong": wrong}, wrong or [f"{len(outcome.tickets)} tickets, all as expected"])
    if wrong:
        ctx.exit(1)


def record(numbers: Sequence[int]) -> None:
    """Print a test of stored deliveries, with what becomes of them now as what is expected: YAML in JSON's form."""
    from servicedesk.services import rehearsal

    with opened() as desk:
        sent = rehearsal.recorded(desk, numbers)
    outcome = rehearsal.rehearse(state().config(), sent, ruleset(None))
    expect = {"tickets": [_expected(outcome, t) for t in outcome.tickets], "records": _records(outcome)}
    told = {"schema": 1, "deliveries": [_delivery(one) for one in sent], "expect": expect}
    import json

    click.echo(json.dumps(told, ensure_ascii=False, indent=2))


def _delivery(one: Sent) -> dict[str, Any]:
    told = {"at": one.received_at.isoformat(), "source": one.source, "receiver": one.receiver}
    return told | {"body": one.body.decode("utf-8", "replace")}


def _expected(outcome: Outcome, ticket: Ticket) -> dict[str, Any]:
    return {"rule": ticket.rule, "alerts": [outcome.alerts[place].labels for place in sorted(ticket.keys)]}


def _records(outcome: Outcome) -> int:
    return len(outcome.alerts) - len({place for ticket in outcome.tickets for place in ticket.keys})


def _outcome(outcome: Outcome) -> dict[str, Any]:
    def ticket(t: Ticket) -> dict[str, Any]:
        told = {"title": t.title, "rule": t.rule, "reason": t.reason, "began_at": t.began_at, "episodes": t.episodes}
        return told | {"alerts": [outcome.alerts[place].labels for place in sorted(t.keys)]}

    carried = {place for t in outcome.tickets for place in t.keys}
    records = [
        {"name": a.name, "labels": a.labels, "source": a.source, "rule": a.rule, "decision": a.decision}
        for place, a in outcome.alerts.items()
        if place not in carried
    ]
    return {"tickets": [ticket(t) for t in outcome.tickets], "records": records}


def _lines(outcome: Outcome, deliveries: int) -> list[str]:
    rows = [(t.title, len(t.keys), t.episodes, t.rule, t.reason) for t in outcome.tickets]
    head = f"{deliveries} deliveries: {len(outcome.alerts)} alerts, {len(rows)} tickets, {_records(outcome)} records"
    return [head, *(table(("TICKET", "ALERTS", "EPISODES", "RULE", "REASON"), rows) if rows else [])]


def _said(change: Change) -> list[str]:
    labels = ", ".join(f"{name}={value}" for name, value in change.alert.labels.items() if name != "alertname")
    return [
        f"{change.alert.name} {{{labels}}} ({change.alert.source})",
        f"  - {change.before}",
        f"  + {change.after}",
    ]


def _change(change: Change) -> dict[str, Any]:
    a = change.alert
    told = {"name": a.name, "labels": a.labels, "source": a.source}
    return told | {"before": change.before, "after": change.after}
