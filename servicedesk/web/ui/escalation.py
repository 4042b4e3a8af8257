"""Escalation policies: who is told of a ticket, in which order; tried before they count."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import request, url_for

from servicedesk.domain.escalation import Planned
from servicedesk.domain.escalation_policy import Policy, Step, Target
from servicedesk.domain.incident import LEAD
from servicedesk.domain.reaching import QUEUED
from servicedesk.errors import BadInput, NotFound
from servicedesk.services import escalation_policies as service
from servicedesk.services import outbox
from servicedesk.store.views import oncall as views
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.i18n import gettext as _

from . import options
from .blueprint import get, post
from .filters import local_input
from .forms import SHOWN_IN_FORM, Form, filled, typed
from .page import need_staff, shell, submit

STEPS, TARGETS, EMPTY = 8, 6, 3
PRIORITIES = (1, 2, 3, 4, 5)


@get("/on-call/policies")
def policies_page() -> str:
    """Every policy, and what would happen to a ticket that one imagines."""
    need_staff()
    asked = {name: request.args.get(name, "") for name in ("priority", "service", "at")}
    form = filled(asked | {"priority": asked["priority"] or "1", "at": asked["at"] or local_input(desk().now())})
    result, policy = None, ""
    if request.args:
        try:
            policy, planned = service.simulate_for(desk(), _priority(form), form.value("service"), "", _at(form))
            result = _lines(planned)
        except SHOWN_IN_FORM as error:
            form.failed(error)
    with desk().read() as tx:
        found = views.policies(tx)
    return shell(
        "oncall/policies.html",
        "oncall",
        policies=found,
        form=form,
        services=options.services(),
        result=result,
        policy=policy,
    )


def _priority(form: Form) -> int:
    found = form.number("priority")
    if found not in PRIORITIES:
        raise BadInput({"priority": "A priority from 1 to 5."})
    return int(found or 1)


def _at(form: Form) -> datetime:
    found = form.at("at") or desk().now()
    if not 2000 < found.year < 2200:
        raise BadInput({"at": "This is not a date."})
    return found.astimezone(UTC)


def _lines(planned: tuple[Planned, ...]) -> list[dict[str, Any]]:
    """For the table: one line a target."""
    with desk().read() as tx:
        names = views.names(tx).shown
    return [
        {
            "at": r.digest_at or r.due_at,
            "first": number == 0,
            "round": p.round,
            "step": p.step,
            "kind": r.kind,
            "target": r.name,
            "person": names.get(r.user_id or 0, ""),
            "channel": r.channel,
            "told": r.state == QUEUED,
            "digest": r.digest_at is not None,
            "reason": r.reason,
        }
        for p in planned
        for number, r in enumerate(p.rows)
    ]


@get("/on-call/new-policy", role=LEAD)
def new_policy() -> str:
    """The form for a new policy."""
    return _policy_page("", filled(_start(Policy((Step((), 0),)))))


@get("/on-call/policies/<name>")
def policy_page(name: str) -> str:
    """A policy: to read, to change, to try."""
    need_staff()
    with desk().read() as tx:
        found = views.policy(tx, name)
    if found is None:
        raise NotFound(f"There is no escalation policy {name!r}.")
    values = _start(found.policy) | {"name": name}
    values |= {f"team_{t}": "1" for t in found.teams} | {f"service_{s}": "1" for s in found.services}
    return _policy_page(name, filled(values, found.version))


def _start(policy: Policy) -> dict[str, Any]:
    """The fields of a policy's form."""
    values: dict[str, Any] = {"priority": "1", "at": local_input(desk().now())}
    for field in ("repeat", "repeat_after", "expires", "quiet_hours", "timezone"):
        values[field] = getattr(policy, field)
    for p in PRIORITIES:
        values[f"p{p}"] = "silent" if p in policy.silent else "wait" if p in policy.waits else "page"
    for n, step in enumerate(policy.steps, 1):
        values[f"step_{n}_wait"] = step.wait
        values |= {f"step_{n}_target_{m}": f"{t.kind}:{t.name}" for m, t in enumerate(step.targets, 1)}
    return values


def _policy_page(name: str, form: Form, result: list[dict[str, Any]] | None = None) -> str:
    used = [n for n in range(1, STEPS + 1) if form.value(f"step_{n}_target_1")]
    rows = range(1, min(max(used, default=0) + 1, STEPS) + 1)
    return shell(
        "oncall/policy.html",
        "oncall",
        name=name,
        form=form,
        result=result,
        rows=rows,
        used=used,
        targets={n: _count(form, n) for n in rows},
        choices=_choices(),
        teams=options.teams(),
        services=[pair for pair in options.services() if pair[0] != "unknown"],
        handling=(
            ("page", _("page at any time")),
            ("wait", _("wait in the quiet hours")),
            ("silent", _("page nobody")),
        ),
    )


def _handling() -> tuple[tuple[str, str], ...]:
    """What a policy does with a priority."""
    return ("page", _("page at any time")), ("wait", _("wait in the quiet hours")), ("silent", _("page nobody"))


def _count(form: Form, step: int) -> range:
    filled_in = [m for m in range(1, TARGETS + 1) if form.value(f"step_{step}_target_{m}")]
    return range(1, min(max(max(filled_in, default=0) + 1, EMPTY), TARGETS) + 1)


def _choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Whom a step may tell, in groups."""
    with desk().read() as tx:
        schedules = [(f"schedule:{s.name}", s.name) for s in views.schedules(tx)]
    people = [(f"person:{key}", shown) for key, shown in options.persons()]
    teams = [(f"team:{key}", shown) for key, shown in options.teams()]
    channels = [(f"channel:{c.name}", c.title) for c in outbox.configured(desk()) if not c.personal]
    groups = ((_("Schedules"), schedules), (_("Teams"), teams), (_("People"), people), (_("Channels"), channels))
    return [(title, found) for title, found in groups if found]


@post("/on-call/new-policy", role=LEAD)
def add_policy() -> Any:
    """Write a new one, or try it."""
    return _save("")


@post("/on-call/policies/<name>", role=LEAD)
def save_policy(name: str) -> Any:
    """Write the next version, or try it."""
    return _save(name)


def _save(name: str) -> Any:
    if request.form.get("do") == "try":
        return _try(name)
    if request.form.get("do") == "drop":
        done = url_for("ui.policies_page", said="saved")
        return submit(
            lambda _f: service.drop(desk(), auth.current_actor(), name),
            lambda _r: done,
            lambda f: _policy_page(name, f),
        )

    def act(f: Form) -> str:
        wanted = name or f.value("name").strip()
        teams = [key for key, _text in options.teams() if f.flag(f"team_{key}")]
        services = [key for key, _text in options.services() if f.flag(f"service_{key}")]
        service.save(desk(), auth.current_actor(), wanted, _read(f), teams, services, f.version)
        return wanted

    return submit(
        act, lambda saved: url_for("ui.policy_page", name=saved, said="saved"), lambda form: _policy_page(name, form)
    )


def _try(name: str) -> Any:
    form, result = typed(request.form), None
    team = next((key for key, _text in options.teams() if form.flag(f"team_{key}")), "")
    try:
        result = _lines(service.simulate(desk(), _read(form), _priority(form), team, _at(form)))
    except SHOWN_IN_FORM as error:
        status = form.failed(error)
        return _policy_page(name, form), status
    return _policy_page(name, form, result)


def _read(f: Form) -> Policy:
    """The policy that the form says. Raises BadInput."""
    steps = []
    for n in range(1, STEPS + 1):
        texts = [f.value(f"step_{n}_target_{m}") for m in range(1, TARGETS + 1)]
        targets = tuple(_target(text, n) for text in texts if text)
        if targets:
            steps.append(Step(targets, _minutes(f, f"step_{n}_wait")))
    return Policy(
        tuple(steps),
        min(_minutes(f, "repeat"), 20),
        max(1, _minutes(f, "repeat_after")),
        _minutes(f, "expires"),
        f.value("quiet_hours").strip(),
        f.value("timezone").strip(),
        tuple(p for p in PRIORITIES if f.value(f"p{p}") == "wait"),
        tuple(p for p in PRIORITIES if f.value(f"p{p}") == "silent"),
    )


def _minutes(f: Form, field: str) -> int:
    found = f.number(field) or 0
    if found > 7 * 24 * 60:
        raise BadInput({field: "At most a week: 10,080 minutes."})
    return found


def _target(text: str, step: int) -> Target:
    kind, _colon, name = text.partition(":")
    if kind not in ("schedule", "person", "team", "channel"):
        raise BadInput({f"step_{step}_target_1": "Choose whom to tell."})
    return Target(kind, name)  # type: ignore[arg-type]
