"""Syslog: what comes in and from whom, what lines look like, what is not stored and why, gaps; a template as a rule."""

from __future__ import annotations

import dataclasses
from dataclasses import fields
from typing import Any

from flask import request, url_for

from alert_receivers.syslog.message import SEVERITIES
from servicedesk.domain.incident import ADMIN
from servicedesk.domain.syslog_drafts import Draft
from servicedesk.errors import NotFound
from servicedesk.services import incidents
from servicedesk.services import syslog_rules as service
from servicedesk.services.incidents import NewTicket
from servicedesk.store.views import syslog as views
from servicedesk.web import auth
from servicedesk.web.context import desk

from . import bars, options
from .blueprint import get, post
from .forms import SHOWN_IN_FORM, Form, filled, typed
from .page import need_staff, shell, submit, ticket_url

SPANS = (15, 60, 180)  # minutes
ACTIONS = ("alert", "record", "keep", "ignore")


@get("/syslog")
def syslog_page() -> str:
    """Rates, senders, templates, gaps."""
    need_staff()
    asked = {name: request.args.get(name, "").strip()[:200] for name in ("q", "only", "cursor", "minutes")}
    minutes = int(asked["minutes"]) if asked["minutes"] in map(str, SPANS) else SPANS[1]
    only = asked["only"] if asked["only"] in ("stored", "ignored") else ""
    with desk().read() as tx:
        flow = views.flow(tx, minutes)
        senders = views.senders(tx, minutes, asked["q"], limit=20)
        templates = views.templates(tx, text=asked["q"], only=only, cursor=asked["cursor"], limit=25)
        runs = views.listeners(tx)
        gaps = views.gaps(runs, tx.now)
    kept: dict[str, Any] = {"q": asked["q"] or None, "only": only or None, "minutes": minutes}
    following = url_for("ui.syslog_page", **kept, cursor=templates.next) if templates.next else ""
    return shell(
        "syslog/page.html",
        "syslog",
        flow=flow,
        senders=senders,
        templates=templates,
        there=[run for run in runs if run.there],
        runs=runs[:10],
        gaps=gaps[:20],
        minutes=minutes,
        spans=SPANS,
        asked=asked | {"only": only},
        bars=bars.bars,
        severities=SEVERITIES,
        next=following,
        first=url_for("ui.syslog_page", **kept) if asked["cursor"] else "",
    )


@get("/syslog/templates/<template_id>")
def syslog_template_page(template_id: str) -> str:
    """One template, and the rule that it may become."""
    need_staff()
    found = _found(template_id)
    return _page(found, filled(dataclasses.asdict(service.begin(found))))


@post("/syslog/templates/<template_id>/ticket")
def ticket_of_line(template_id: str) -> Any:
    """One click makes a ticket of the newest line that looks so."""
    actor, found = auth.current_actor(), _found(template_id)
    title = f"{found.app or 'syslog'} on {found.host}: {found.template}"[:300]
    lines = "".join(f"    {line}\n" for line in found.example.splitlines())
    new = NewTicket(title, description=lines, service="unknown", channel="portal")
    return submit(
        lambda _form: incidents.open_ticket(desk(), actor, new),
        lambda number: ticket_url(number, "created"),
        lambda form: _page(found, form),
    )


@post("/syslog/templates/<template_id>/preview", scope="read")
def preview_syslog_rule(template_id: str) -> Any:
    """What the rule would do with the lines that are stored; writes nothing."""
    need_staff()
    found, form = _found(template_id), typed(request.form)
    try:
        return _page(found, form, service.preview(desk(), _draft(form)))
    except SHOWN_IN_FORM as error:
        status = form.failed(error)
        return _page(found, form), status


@post("/syslog/templates/<template_id>", scope="admin", role=ADMIN)
def save_syslog_rule(template_id: str) -> Any:
    """Write the rule where it is read by itself."""
    actor, found = auth.current_actor(), _found(template_id)
    return submit(
        lambda form: service.save(desk(), actor, _draft(form)),
        lambda _path: url_for("ui.syslog_page", said="saved"),
        lambda form: _page(found, form),
    )


def _found(template_id: str) -> views.Template:
    with desk().read() as tx:
        found = views.template(tx, template_id)
    if found is None:
        raise NotFound("There is no such template; those that did not come for two weeks are forgotten.")
    return found


def _draft(form: Form) -> Draft:
    values: dict[str, Any] = {f.name: form.value(f.name).strip() for f in fields(Draft)}
    return Draft(**(values | {"count": form.number("count")}))


def _page(found: views.Template, form: Form, preview: service.Preview | None = None) -> str:
    return shell(
        "syslog/template.html",
        "syslog",
        t=found,
        form=form,
        preview=preview,
        severities=SEVERITIES,
        actions=ACTIONS,
        categories=options.categories(),
    )
