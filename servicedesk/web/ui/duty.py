"""About me: my shifts, my absences, how I am told; handing over what I have open."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import request, url_for

from servicedesk.domain.assignment import TeamRules
from servicedesk.domain.incident import LEAD
from servicedesk.domain.people_rules import ChannelRule, PersonRules
from servicedesk.errors import BadInput
from servicedesk.services import absences, assignment, handover, people_rules
from servicedesk.store.views import oncall as views
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.i18n import gettext as _

from . import options, tickets
from .blueprint import get, post
from .forms import Form, filled
from .page import need_staff, shell, submit, ticket_url

AHEAD = timedelta(days=60)
RULES = 4
PRIORITIES = (1, 2, 3, 4, 5)


@get("/on-call/me")
def duty_page() -> str:
    """What concerns who reads."""
    return _duty_page(filled(), filled(_rules()))


def _rules() -> dict[str, Any]:
    """The fields of the form of one's own rules."""
    actor = need_staff()
    with desk().read() as tx:
        rules = views.rules(tx, actor.id or 0)
    values: dict[str, Any] = {name: getattr(rules, name) for name in ("timezone", "working_hours", "quiet_hours")}
    values |= {"cap": "" if rules.cap is None else rules.cap, "skills": ", ".join(rules.skills)}
    values |= {f"wakes_{p}": "1" for p in rules.breaks_through}
    for n, rule in enumerate(rules.channels, 1):
        shown = ",".join(str(p) for p in rule.priorities)
        values |= {f"channel_{n}": rule.channel, f"after_{n}": rule.after, f"priorities_{n}": shown}
    return values


def _duty_page(form: Form, rules_form: Form) -> str:
    actor = need_staff()
    with desk().read() as tx:
        mine = views.absences(tx, actor.id or 0)
        shifts = [
            (s.name, d)
            for s in views.schedules(tx)
            for d in views.shifts(tx, s.name, tx.now, tx.now + AHEAD)
            if d.person == actor.name
        ]
        team_rules = views.team_rules(tx)
    used = [n for n in range(1, RULES + 1) if rules_form.value(f"channel_{n}")]
    return shell(
        "oncall/me.html",
        "oncall",
        form=form,
        rules_form=rules_form,
        absences=mine,
        shifts=sorted(shifts, key=lambda pair: pair[1].starts_at)[:20],
        people=[pair for pair in options.persons() if pair[0] != actor.name],
        channels=[(name, name) for name in people_rules.personal_channels()],
        numbers=range(1, min(max(used, default=0) + 1, RULES) + 1),
        team_rules=team_rules,
        teams=options.teams(),
        priorities=PRIORITIES,
    )


@post("/on-call/me")
def change_duty() -> Any:
    """An absence, or one's own rules."""
    doing, actor, do = desk(), auth.current_actor(), request.form.get("do", "")
    acts: dict[str, Callable[[Form], Any]] = {
        "absent": lambda f: absences.add(
            doing,
            actor,
            actor.name,
            _time(f, "from"),
            _time(f, "to"),
            f.value("deputy"),
            f.value("why"),
            f.flag("keep"),
        ),
        "back": lambda f: absences.cancel(doing, actor, f.number("id") or 0),
        "rules": lambda f: people_rules.save(doing, actor, actor.name, _read_rules(f)),
    }
    act = acts.get(do, acts["absent"])

    def again(form: Form) -> str:
        return _duty_page(filled(), form) if do == "rules" else _duty_page(form, filled(_rules()))

    return submit(act, lambda _r: url_for("ui.duty_page", said="saved"), again)


def _away(f: Form) -> tuple[datetime, datetime, str, str, bool]:
    return _time(f, "from"), _time(f, "to"), f.value("deputy"), f.value("why"), f.flag("keep")


def _time(f: Form, field: str) -> datetime:
    found = f.at(field)
    if found is None:
        raise BadInput({field: "This is not a date."})
    return found.astimezone(UTC)


def _read_rules(f: Form) -> PersonRules:
    channels = []
    for n in range(1, RULES + 1):
        if f.value(f"channel_{n}"):
            after = f.number(f"after_{n}") or 0
            channels.append(ChannelRule(f.value(f"channel_{n}"), after, _priorities(f.value(f"priorities_{n}"), n)))
    return PersonRules(
        f.value("timezone").strip(),
        f.value("working_hours").strip(),
        f.value("quiet_hours").strip(),
        tuple(p for p in PRIORITIES if f.flag(f"wakes_{p}")),
        tuple(channels),
        tuple(word.strip() for word in f.value("skills").split(",") if word.strip()),
        f.number("cap"),
    )


def _priorities(text: str, n: int) -> tuple[int, ...]:
    parts = [part.strip().upper().removeprefix("P") for part in text.split(",") if part.strip()]
    if any(part not in ("1", "2", "3", "4", "5") for part in parts):
        raise BadInput({f"priorities_{n}": "Priorities like 1, 2; empty: all."})
    return tuple(int(part) for part in parts)


@post("/on-call/assignment", role=LEAD)
def change_assignment() -> Any:
    """Automatic assignment of a team, on or off."""

    def act(f: Form) -> None:
        rules = TeamRules(f.flag("enabled"), needs_skill=f.flag("needs_skill"))
        assignment.set_team_rules(desk(), auth.current_actor(), f.value("team"), rules)

    return submit(act, lambda _r: url_for("ui.duty_page", said="saved"), lambda f: _duty_page(f, filled(_rules())))


@get("/on-call/hand-over")
def handover_page() -> str:
    """What who reads has open, to hand over in one click."""
    return _handover_page(filled())


def _handover_page(form: Form, results: tuple[handover.Result, ...] = ()) -> str:
    actor = need_staff()
    with desk().read() as tx:
        mine = views.open_of(tx, actor.id or 0)
        now = {s.now.person: s.name for s in views.schedules(tx) if s.now.person}
    people = [(key, f"{text} ({_('on call')}: {now[key]})" if key in now else text) for key, text in options.persons()]
    people = sorted((p for p in people if p[0] != actor.name), key=lambda p: (p[0] not in now, p[1].lower()))
    return shell("oncall/handover.html", "oncall", form=form, tickets=mine, people=people, results=results)


@post("/on-call/hand-over")
def hand_over() -> Any:
    """Hand over what is ticked; each ticket is judged alone."""
    actor = auth.current_actor()
    numbers = [int(n) for n in request.form.getlist("ticket") if n.isascii() and n.isdigit() and len(n) < 18]

    def act(f: Form) -> tuple[handover.Result, ...]:
        if not numbers:
            raise BadInput({"": "Tick at least one ticket."})
        where = {part: f.value(part) for part in handover.PARTS}
        return handover.hand_over_all(desk(), actor, f.value("to"), numbers, where)

    done: list[handover.Result] = []

    def keep(f: Form) -> bool:
        done.extend(act(f))
        return any(r.problem for r in done)

    answer = submit(keep, lambda _p: url_for("ui.handover_page", said="saved"), _handover_page)
    return _handover_page(filled(), tuple(done)) if any(r.problem for r in done) else answer


@post("/on-call/release/<number:number>")
def release(number: int) -> Any:
    """One ticket back to the queue."""
    actor = auth.current_actor()
    return submit(
        lambda f: handover.release(desk(), actor, number, f.value("reason")),
        lambda _r: url_for("ui.handover_page", said="saved"),
        _handover_page,
    )


@get("/incidents/<number:number>/hand-over")
def where_page(number: int) -> str:
    """Where we are on one ticket, and to whom it goes."""
    with desk().read() as tx:
        found = views.where_we_are(tx, number)
    kept = {"known": found.known, "tried": found.tried, "next": found.next} if found else {}
    return _where_page(number, filled(kept))


def _where_page(number: int, form: Form) -> str:
    need_staff()
    _actor, t, _facts = tickets.load(number)
    return shell("oncall/where.html", "queue", t=t, form=form, people=options.persons())


@post("/incidents/<number:number>/hand-over")
def save_where(number: int) -> Any:
    """Keep where we are; hand over when somebody is named, or give the ticket back."""
    actor, do = auth.current_actor(), request.form.get("do", "")

    def act(f: Form) -> None:
        where = {part: f.value(part) for part in handover.PARTS}
        if f.value("to") and do != "release":
            handover.hand_over(desk(), actor, number, f.value("to"), where, f.version)
            return
        if any(where.values()) or do != "release":
            handover.where_we_are(desk(), actor, number, where)
        if do == "release":
            handover.release(desk(), actor, number, version=f.version)

    return submit(act, lambda _r: ticket_url(number, "saved"), lambda f: _where_page(number, f))
