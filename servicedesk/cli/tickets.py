"""What the commands about tickets share: numbers, times, who acts, and how a ticket is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from servicedesk.cli.common import emit, opened
from servicedesk.domain import incident as words
from servicedesk.domain.incident import Actor
from servicedesk.errors import BadInput

if TYPE_CHECKING:
    from servicedesk.desk import Desk

F = TypeVar("F", bound=Callable[..., Any])


class Number(click.ParamType[int]):
    """`INC-42` or `42`."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = value if isinstance(value, int) else words.parse_number(str(value))
        if found is None:
            self.fail(f"{value!r} is not the number of a ticket, such as INC-42", param, ctx)
        return found


class Moment(click.ParamType[datetime]):
    """An instant: `2026-11-30T09:00Z`; without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a time, such as 2026-11-30T09:00Z", param, ctx)
        return found if found.tzinfo else found.replace(tzinfo=UTC)


NUMBER, MOMENT = Number(), Moment()


def acting(command: F) -> F:
    """An act needs somebody who does it: an account of the desk."""
    option = click.option("--as", "name", required=True, envvar="SERVICEDESK_AS", help="Sign-in name of who acts.")
    return option(command)


def act(number: int, name: str, do: Callable[[Desk, Actor], Any]) -> None:
    """Do it as this person, then tell what the ticket is now."""
    with opened() as desk:
        actor = person(desk, name)
        do(desk, actor)
        ticket = whole(desk, number, actor)
    emit(ticket, line(ticket))


def person(desk: Desk, name: str) -> Actor:
    """Who acts: an active account with all its roles. Raises BadInput."""
    from servicedesk.store.views import people

    with desk.read() as tx:
        found = next((u for u in people.users(tx) if u.name == name), None)
    if found is None or not found.active:
        raise BadInput({"--as": f"there is no active user {name!r}: see `servicedesk user list`"})
    return Actor(found.id, found.name, frozenset(found.roles))


def whole(desk: Desk, number: int, actor: Actor) -> dict[str, Any]:
    """The ticket as the API tells it, as JSON values. Raises NotFound."""
    import msgspec

    from servicedesk.services import incidents
    from servicedesk.web.api.whole import full

    ticket: dict[str, Any] = msgspec.to_builtins(full(desk, number, incidents.facts(desk, number), actor))
    return ticket


def listed(desk: Desk, limit: int, **wanted: Any) -> list[dict[str, Any]]:
    """Lines of the queue as JSON values. Raises BadInput for names that do not exist."""
    import msgspec

    from servicedesk.store.views import api_incidents, queue
    from servicedesk.web.api.whole import row

    with desk.read() as tx:
        owner, team = wanted["owner"], wanted["team"]
        chosen = queue.Filter(
            statuses=wanted["statuses"],
            every_status=wanted["every"],
            priorities=wanted["priorities"],
            types=wanted["types"],
            owner=_known(api_incidents.user_id(tx, owner), "owner", owner) if owner not in ("", "none") else None,
            unassigned=owner == "none",
            team=_known(api_incidents.team_id(tx, team), "team", team) if team else None,
            service_name=wanted["service"],
            labels=tuple(_pair(text) for text in wanted["labels"]),
            text=wanted["text"],
        )
        page = queue.tickets(tx, chosen, limit=limit)
        names = api_incidents.sign_in_names(tx, [i for r in page.items for i in (r.owner_id, r.requester_id)])
    return [msgspec.to_builtins(row(r, names)) for r in page.items]


def _known(found: int | None, what: str, name: str) -> int:
    if found is None:
        raise BadInput({f"--{what}": f"there is no {what} {name!r}"})
    return found


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise BadInput({"--label": f"{text!r} is not NAME=VALUE"})
    return name, value


def line(t: dict[str, Any]) -> str:
    """What the ticket is now, in one line."""
    owner = f", owner {t['owner']}" if t["owner"] else ", no owner"
    priority = f" P{t['priority']}" if t["priority"] else ""
    return f"{t['number']}{priority} is {t['status'].replace('_', ' ')}{owner}: {t['title']}"


def page(t: dict[str, Any]) -> Iterator[str]:
    """The ticket on a screen: what it is, its alerts, what is missing, what may be done."""
    yield line(t)
    for name in ("type", "service", "team", "requester", "category", "impact", "urgency", "created_at", "cycle"):
        yield f"  {name.replace('_', ' '):<12} {t[name] if t[name] is not None else '-'}"
    for alert in t["alerts"]:
        flaps = ", flapping" if alert["flapping_since"] else ""
        yield f"  alert        {alert['status']}{flaps}: {alert['name']} {_labels(alert['labels'])}"
    for run in t["playbooks"]:
        yield f"  playbook     {run['playbook']} (run {run['id']})"
        for step in run["steps"]:
            must = " (mandatory)" if step["mandatory"] else ""
            yield f"    {step['outcome'] or 'open':<8} {step['step']}{must}: {step['title']}"
    yield "Before it may close:"
    for guard in t["checklist"]:
        yield f"  {guard['guard']:<4} {'ok' if guard['missing'] is None else guard['missing']}"
    yield "What may be done:"
    for name, refusals in t["actions"].items():
        yield f"  {name:<18} {'yes' if refusals is None else '; '.join(r['message'] for r in refusals)}"


def _labels(labels: dict[str, str]) -> str:
    return "{" + ", ".join(f"{k}={v!r}" for k, v in sorted(labels.items())[:8]) + "}"
