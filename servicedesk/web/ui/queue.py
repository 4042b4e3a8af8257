"""The queue: filters in the address, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request, url_for

from servicedesk.domain.incident import STATES, TYPES, Actor
from servicedesk.errors import BadInput
from servicedesk.store.views import people, queue
from servicedesk.web.context import desk
from servicedesk.web.i18n import gettext as _

from .blueprint import get
from .page import need_staff, shell, speak

NAMES = ("q", "status", "priority", "owner", "team", "service", "type", "cursor")
NARROWING = ("q", "status", "priority", "team", "service", "type")


@dataclass(frozen=True, slots=True)
class Tab:
    text: str
    href: str
    on: bool


@dataclass(frozen=True, slots=True)
class Choices:
    """One selection of the filter bar."""

    name: str
    label: str
    options: tuple[tuple[str, str], ...]


@get("/queue")
def queue_page() -> str:
    """Tickets under the filter that the address names."""
    actor = need_staff()
    asked = {name: request.args.get(name, "").strip()[:200] for name in NAMES}
    with desk().read() as tx:
        choices = _choices(people.choose_people(tx), people.choose_teams(tx), people.choose_services(tx))
        sort = "newest" if asked["status"] in ("all", "closed", "cancelled") else "queue"
        page = queue.tickets(tx, _filter(asked, actor), sort=sort, cursor=asked["cursor"])
    here = {"me": "mine", "none": "unassigned"}.get(asked["owner"], "queue")
    return shell("queue/list.html", here, page=page, asked=asked, filters=choices, **_around(asked, page.next))


def _around(asked: dict[str, str], following: str | None) -> dict[str, Any]:
    """Title, views and ways on, for the filter that was asked for."""
    return {
        "title": _title(asked),
        "tabs": _tabs(asked),
        "narrowed": any(asked[name] for name in NARROWING),
        "empty": _empty(asked),
        "first": _again(asked, "") if asked["cursor"] else "",
        "next": _again(asked, following) if following else "",
    }


def _filter(asked: dict[str, str], actor: Actor) -> queue.Filter:
    """The filter of an address. Raises BadInput for a value that no selection offers."""
    status, owner = asked["status"], asked["owner"]
    if status and status not in (*STATES, "all"):
        raise BadInput({"status": f"One of {', '.join(STATES)}, or “all”."})
    if asked["type"] and asked["type"] not in TYPES:
        raise BadInput({"type": f"One of {', '.join(TYPES)}."})
    if asked["priority"] and asked["priority"] not in "12345":
        raise BadInput({"priority": "1 to 5."})
    return queue.Filter(
        statuses=(status,) if status in STATES else (),
        every_status=status == "all",
        priorities=(int(asked["priority"]),) if asked["priority"] else (),
        types=(asked["type"],) if asked["type"] else (),
        owner=actor.id if owner == "me" else None,
        unassigned=owner == "none",
        owner_name="" if owner in ("", "me", "none") else owner,
        team_name=asked["team"],
        service_name=asked["service"],
        text=asked["q"],
    )


def _choices(agents: Any, teams: Any, services: Any) -> tuple[Choices, ...]:
    words = speak()
    states = tuple((s, words.state_named(s).name) for s in STATES)
    return (
        Choices("status", _("State"), (("", _("Open")), ("all", _("All")), *states)),
        Choices("priority", _("Priority"), (("", _("Any")), *((str(n), words.priority(n).name) for n in range(1, 6)))),
        Choices("owner", _("Owner"), (("", _("Anybody")), ("me", _("Me")), ("none", _("Nobody")), *agents)),
        Choices("team", _("Team"), (("", _("Any")), *teams)),
        Choices("service", _("Service"), (("", _("Any")), *services)),
        Choices("type", _("Type"), (("", _("Any")), *((t, words.type(t)) for t in TYPES))),
    )


def _title(asked: dict[str, str]) -> str:
    return {"me": _("Mine"), "none": _("Unassigned")}.get(asked["owner"], _("Queue"))


def _tabs(asked: dict[str, str]) -> tuple[Tab, ...]:
    views: tuple[tuple[str, dict[str, str]], ...] = (
        (_("Open"), {}),
        (_("Mine"), {"owner": "me"}),
        (_("Unassigned"), {"owner": "none"}),
        (_("In review"), {"status": "review"}),
        (_("Closed"), {"status": "closed"}),
        (_("All"), {"status": "all"}),
    )
    now = {name: value for name, value in asked.items() if value and name != "cursor"}
    return tuple(Tab(text, _address(wanted), wanted == now) for text, wanted in views)


def _again(asked: dict[str, str], cursor: str) -> str:
    """The same filter from another place on."""
    kept = {name: value for name, value in asked.items() if value and name != "cursor"}
    return _address(kept | ({"cursor": cursor} if cursor else {}))


def _address(values: Mapping[str, Any]) -> str:
    return url_for("ui.queue_page", **values)


@dataclass(frozen=True, slots=True)
class Empty:
    title: str
    text: str


def _empty(asked: dict[str, str]) -> Empty:
    if any(asked[name] for name in NARROWING):
        return Empty(_("No ticket fits this filter"), _("Take something away from the filter, or look at all states."))
    if asked["owner"] == "me":
        return Empty(_("Nothing is yours"), _("Look at the unassigned ones: somebody waits there, perhaps."))
    return Empty(_("The queue is empty"), _("No ticket is open. New alerts appear here by themselves."))
