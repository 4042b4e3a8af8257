"""Reviews: the queue of those that wait, the editor with its timeline, handing in, approving, follow-ups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import request, url_for

from servicedesk.domain import lifecycle
from servicedesk.domain.review import ACTION_TYPES, FACTOR_KINDS, FIELDS, TIMES, Field, deepest
from servicedesk.errors import BadInput
from servicedesk.services import followups
from servicedesk.services import reviews as service
from servicedesk.store.views import gates as gate_views
from servicedesk.store.views import reviews as views
from servicedesk.web.context import desk
from servicedesk.web.i18n import gettext as _

from . import options, tickets
from .blueprint import get, post
from .forms import Form, filled
from .moves import _REVIEW_LABELS
from .page import need_staff, shell, speak, submit
from .reviewform import body_of, values_of

WAITING = ("in_review", "draft", "changes_requested")


@get("/reviews")
def reviews_page() -> str:
    """Undecided reviews, the soonest due first."""
    need_staff()
    status = request.args.get("status", "")
    wanted = status if status in WAITING else ""
    with desk().read() as tx:
        page = views.pending(tx, status=wanted, cursor=request.args.get("cursor", ""))
    following = url_for("ui.reviews_page", status=wanted or None, cursor=page.next) if page.next else ""
    return shell("review/queue.html", "reviews", page=page, next=following, status=wanted, waiting=WAITING)


@get("/incidents/<number:number>/review")
def review(number: int) -> str:
    """The editor of the newest version, or an older version to read."""
    return show(number)


@dataclass(frozen=True, slots=True)
class Shape:
    """The form of a depth: fields that it must have, and the others."""

    needed: tuple[Field, ...]
    other: tuple[Field, ...]


def shape(depth: str) -> Shape:
    needed = tuple(f for f in FIELDS if depth in f.needed)
    return Shape(needed, tuple(f for f in FIELDS if f not in needed))


def show(number: int, form: Form | None = None, note: Form | None = None) -> str:
    """The page, with a form on it that was sent and refused. note: of approving, sending back, waiving."""
    need_staff()
    actor, t, facts = tickets.load(number)
    with desk().read() as tx:
        versions = views.versions(tx, number)
        actions = gate_views.action_items(tx, number)
    wanted = request.args.get("version", "")
    shown = next((v for v in versions if str(v.version) == wanted), versions[0] if versions else None)
    depth = deepest([shown.depth, facts.review_depth]) if shown else facts.review_depth
    open_acts = lifecycle.allowed(facts, actor)
    newest = shown is not None and shown is versions[0] and shown.cycle == facts.cycle
    begin = filled(values_of(shown.body if shown else {}), shown.row_version if shown else None, t.number)
    return shell(
        "review/page.html",
        "reviews",
        t=t,
        r=shown,
        versions=versions,
        depth=depth,
        shape=shape(depth),
        form=form or begin,
        note=note or filled(ticket=t.number),
        actions=actions,
        open_acts=open_acts,
        editable=newest and shown is not None and shown.status in service.EDITABLE and _open(open_acts, "write_review"),
        newest=newest,
        times=TIMES,
        factor_kinds=[(k, speak().plain("factor", k)) for k in FACTOR_KINDS],
        action_types=[(k, speak().plain("action_type", k)) for k in ACTION_TYPES],
        people=options.persons(),
        causes=options.triples(desk().policy.cause_classes, speak().cause),
        labels={name: _(label) for name, (label, _icon) in _REVIEW_LABELS.items()},
    )


def _open(acts: Any, name: str) -> bool:
    return name in acts and acts[name] is None


@post("/incidents/<number:number>/review")
def save_review(number: int) -> Any:
    """Save the draft; with the button "hand in", hand it in as well."""
    actor, t, _facts = tickets.load(number)
    handing_in = request.form.get("do") == "submit"

    def act(form: Form) -> None:
        stored = _stored(number)
        service.save(desk(), actor, number, body_of(request.form, stored, actor.name), form.version)
        form.version = None  # saved: the form now stands on the new row version
        if handing_in:
            service.submit(desk(), actor, number)

    def again(form: Form) -> str:
        with desk().read() as tx:
            newest = next(iter(views.versions(tx, number)), None)
        form.version = form.version or (newest.row_version if newest else None)
        return show(number, form=form)

    said = "submitted" if handing_in else "saved"
    return submit(act, lambda _none: url_for("ui.review", number=number, said=said), again, t.number)


def _stored(number: int) -> dict[str, Any]:
    with desk().read() as tx:
        newest = next(iter(views.versions(tx, number)), None)
    return newest.body if newest else {}


@post("/incidents/<number:number>/review/<any(approval,changes,waiver):answer>", scope="review")
def answer_review(number: int, answer: str) -> Any:
    """Approve, ask for changes, or waive."""
    actor, t, _facts = tickets.load(number)
    acts: dict[str, tuple[str, Callable[[Form], None]]] = {
        "approval": ("approved", lambda f: service.approve(desk(), actor, number, f.value("text"))),
        "changes": ("changes", lambda f: service.request_changes(desk(), actor, number, f.value("text"))),
        "waiver": ("waived", lambda f: service.waive(desk(), actor, number, f.value("text"))),
    }
    said, act = acts[answer]
    return submit(
        act,
        lambda _none: url_for("ui.review", number=number, said=said),
        lambda form: show(number, note=form),
        t.number,
    )


@post("/incidents/<number:number>/actions")
def add_action(number: int) -> Any:
    """Add a follow-up."""
    actor, t, _facts = tickets.load(number)

    def act(f: Form) -> int:
        texts = (f.value("title"), f.value("type"), f.value("owner"))
        return followups.add_action(desk(), actor, number, *texts, f.at("due"), f.flag("blocking"), f.value("tracking"))

    return submit(
        act,
        lambda _id: url_for("ui.review", number=number, said="saved", _anchor="actions"),
        lambda form: show(number, note=form),
        t.number,
    )


@post("/incidents/<number:number>/actions/<int:action_id>")
def change_action(number: int, action_id: int) -> Any:
    """Done with a proof, or not to be done with a reason; or fill in what is missing."""
    actor, t, _facts = tickets.load(number)

    def act(f: Form) -> None:
        given = {name: f.value(name) for name in ("status", "proof", "reason", "type", "owner") if f.value(name)}
        changes: dict[str, Any] = dict(given) | ({"due": f.at("due")} if f.value("due") else {})
        if not changes:
            raise BadInput("Nothing was changed.")
        followups.update_action(desk(), actor, number, action_id, changes)

    return submit(
        act,
        lambda _none: url_for("ui.review", number=number, said="saved", _anchor="actions"),
        lambda form: show(number, note=form),
        t.number,
    )
