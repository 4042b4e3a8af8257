"""The choices that the forms of a ticket's actions offer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servicedesk.store.views import people
from servicedesk.store.views.ticket import Ticket
from servicedesk.web.context import desk
from servicedesk.web.i18n import gettext as _

from .page import speak
from .words import Shown

Triple = tuple[str, str, str]


def options(t: Ticket, action: str) -> dict[str, Any]:
    """Named lists for the template of an action."""
    make = _MAKERS.get(action)
    return make(t) if make else {}


def triples(table: Mapping[Any, Any], shown: Any) -> tuple[Triple, ...]:
    """(value, name, explanation) of every entry of a policy table."""
    words: list[tuple[str, Shown]] = [(str(name), shown(name)) for name in table]
    return tuple((name, word.name, word.explain) for name, word in words)


def levels() -> tuple[tuple[str, str], ...]:
    return tuple((str(n), speak().plain("level", n)) for n in (1, 2, 3))


def categories() -> tuple[tuple[str, str], ...]:
    return tuple((name, speak().category(name)) for name in desk().policy.categories)


def services() -> tuple[tuple[str, str], ...]:
    with desk().read() as tx:
        known = people.choose_services(tx)
    return (("unknown", _("unknown")), *(pair for pair in known if pair[0] != "unknown"))


def persons() -> tuple[tuple[str, str], ...]:
    with desk().read() as tx:
        return people.choose_people(tx)


def teams() -> tuple[tuple[str, str], ...]:
    with desk().read() as tx:
        return people.choose_teams(tx)


def _assign(_t: Ticket) -> dict[str, Any]:
    return {"people": persons(), "teams": teams()}


def _resolve(_t: Ticket) -> dict[str, Any]:
    policy, words = desk().policy, speak()
    return {
        "codes": triples(policy.resolution_codes, words.code),
        "causes": triples(policy.cause_classes, words.cause),
    }


def _hold(t: Ticket) -> dict[str, Any]:
    reasons = triples(desk().policy.hold_reasons, speak().hold)
    return {"reasons_to_hold": [r for r in reasons if r[0] != "requester" or t.requester]}


def _cancel(t: Ticket) -> dict[str, Any]:
    table = desk().policy.cancellation_reasons
    fits = [name for name, word in table.items() if not word.requester_only or (t.requester and not t.source)]
    return {"reasons_to_cancel": triples({name: table[name] for name in fits}, speak().cancel)}


def _edit(_t: Ticket) -> dict[str, Any]:
    return {"levels": levels(), "categories": categories(), "services": services()}


def _ask(t: Ticket) -> dict[str, Any]:
    kinds = [(k, speak().plain("kind", k), "") for k in ("override_unconfirmed", "cancellation")]
    return {"kinds": kinds} | _cancel(t)


_MAKERS = {
    "assign": _assign,
    "resolve": _resolve,
    "hold": _hold,
    "cancel": _cancel,
    "edit": _edit,
    "ask_second_person": _ask,
}
