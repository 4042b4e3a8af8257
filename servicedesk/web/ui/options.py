"""The choices that the forms of a ticket's actions offer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servicedesk.store.views import people
from servicedesk.store.views.ticket import Ticket
from servicedesk.web.context import desk
from servicedesk.web.i18n import gettext as _

from . import guides
from .page import speak
from .words import Shown

Triple = tuple[str, str, str]
HOURS = (1, 2, 4, 8, 24, 72, 168)  # that a silence may last


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


def hours() -> list[tuple[str, str]]:
    """The choices of how long, for a form."""
    return [(str(n), _("%(n)s h") % {"n": n} if n < 48 else _("%(n)s d") % {"n": n // 24}) for n in HOURS]


def persons() -> tuple[tuple[str, str], ...]:
    with desk().read() as tx:
        return people.choose_people(tx)


def teams() -> tuple[tuple[str, str], ...]:
    with desk().read() as tx:
        return people.choose_teams(tx)


def _assign(_t: Ticket) -> dict[str, Any]:
    return {"people": persons(), "teams": teams()}


def _resolve(t: Ticket) -> dict[str, Any]:
    policy, words = desk().policy, speak()
    return {
        "helpers": _helpers(t),
        "codes": triples(policy.resolution_codes, words.code),
        "causes": triples(policy.cause_classes, words.cause),
    }


def _helpers(t: Ticket) -> list[Triple]:
    """What may have helped: a step of a playbook that was done, one as a whole, or nothing. Value: "run:step"."""
    found: list[Triple] = []
    panel = guides.panel(t)
    for run in panel.runs:
        note = run.title if len(panel.runs) > 1 else ""
        done = [s for s in run.steps if s.outcome == "done" and not s.left_out]
        found += [(f"{run.id}:{s.step}", s.title, note) for s in done]
        if done:
            found.append((f"{run.id}:", _("The playbook as a whole"), note))
    return [*found, ("none", _("None of it"), "")] if found else []


def _verify(t: Ticket) -> dict[str, Any]:
    return {"panel": guides.panel(t)}


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
    "verify": _verify,
    "hold": _hold,
    "cancel": _cancel,
    "edit": _edit,
    "ask_second_person": _ask,
}
