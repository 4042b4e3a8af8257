"""Syslog: who sends how much, what lines look like, what is not stored and why, listeners and gaps; rules from that."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from flask import Blueprint
from msgspec import Meta

from servicedesk.domain.incident import ADMIN
from servicedesk.domain.syslog_drafts import Draft
from servicedesk.errors import NotFound
from servicedesk.services import syslog_rules
from servicedesk.store.views import syslog as look
from servicedesk.store.views.paging import Page
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.route import STAFF, Answer, route

from . import shapes

bp = Blueprint("api_syslog", __name__, url_prefix="/api/v1")
Minutes = Annotated[int, Meta(ge=1, le=1440)]


class SpanQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The last so many minutes, this one included; q: part of a host's or a program's name."""

    minutes: Minutes = 60
    q: str = ""
    limit: shapes.Limit = 50


class TemplateQuery(shapes.Paged, frozen=True, kw_only=True):
    """only: lines that are stored, or that are not; q: part of a program's name or of the template."""

    only: Literal["", "stored", "ignored"] = ""
    q: str = ""


class Listening(msgspec.Struct, frozen=True):
    """Listening processes, the newest first, and the times in which none listened on a node."""

    listeners: tuple[look.Listener, ...]
    gaps: tuple[look.Gap, ...]
    at: datetime


class RuleIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A syslog rule, as docs/syslog.md describes it; count and within are its threshold; line: an example of it."""

    id: str
    title: str
    action: Literal["alert", "record", "keep", "ignore"] = "alert"
    app: str = ""
    host: str = ""
    message: str = ""
    severity: str = ""
    service: str = ""
    category: str = ""
    count: int | None = None
    within: str = ""
    recovery: str = ""
    silence: str = ""
    explain: str = ""
    line: str = ""


class RuleOut(msgspec.Struct, frozen=True):
    """file: its name in the folder of rules."""

    id: str
    file: str


class RuleRow(msgspec.Struct, frozen=True):
    """One rule in the order in which they are asked."""

    id: str
    title: str
    action: str
    file: str
    explain: str


@route(bp, "GET", "/syslog/flow", scope="read", role=STAFF, query=SpanQuery, answer=look.Flow)
def show_flow(query: SpanQuery) -> look.Flow:
    """Show lines a minute, stored and not, and why."""
    with desk().read() as tx:
        return look.flow(tx, query.minutes)


@route(bp, "GET", "/syslog/senders", scope="read", role=STAFF, query=SpanQuery, answer=Page[look.Sender])
def list_senders(query: SpanQuery) -> Page[look.Sender]:
    """List who sent most: host and program with their lines a minute."""
    with desk().read() as tx:
        return Page(look.senders(tx, query.minutes, query.q, query.limit))


@route(bp, "GET", "/syslog/templates", scope="read", role=STAFF, query=TemplateQuery, answer=Page[look.Template])
def list_templates(query: TemplateQuery) -> Page[look.Template]:
    """List what lines look like, the most frequent first."""
    with desk().read() as tx:
        return look.templates(tx, text=query.q, only=query.only, cursor=query.cursor, limit=query.limit)


@route(bp, "GET", "/syslog/templates/<template>", scope="read", role=STAFF, answer=look.Template)
def show_template(template: str) -> look.Template:
    """Show a template with an example."""
    with desk().read() as tx:
        found = look.template(tx, template)
    if found is None:
        raise NotFound(f"There is no template {template!r}.")
    return found


@route(bp, "GET", "/syslog/templates/<template>/rule", scope="read", role=STAFF, answer=Draft)
def begin_rule(template: str) -> Draft:
    """Show the rule that a template may begin."""
    return syslog_rules.begin(show_template(template))


@route(bp, "GET", "/syslog/listeners", scope="read", role=STAFF, answer=Listening)
def list_listeners() -> Listening:
    """List listeners with what they received and dropped, and gaps."""
    with desk().read() as tx:
        found = look.listeners(tx)
        return Listening(found, tuple(look.gaps(found, tx.now)), tx.now)


@route(bp, "GET", "/syslog/rules", scope="read", role=STAFF, answer=Page[RuleRow])
def list_rules() -> Page[RuleRow]:
    """List the rules in the order in which they are asked."""
    rules = syslog_rules.current(desk())
    return Page(tuple(RuleRow(r.id, r.title, r.action, r.file.rpartition("/")[2], r.explain) for r in rules))


@route(bp, "POST", "/syslog/rules/preview", scope="read", role=STAFF, body=RuleIn, answer=syslog_rules.Preview)
def preview_rule(body: RuleIn) -> syslog_rules.Preview:
    """Say what a rule would do with the lines that are stored; writes nothing."""
    return syslog_rules.preview(desk(), Draft(**msgspec.structs.asdict(body)))


@route(bp, "POST", "/syslog/rules", scope="admin", role=ADMIN, body=RuleIn, answer=RuleOut, status=201, once=True)
def add_rule(body: RuleIn) -> Answer:
    """Write a rule into the folder of rules; it is in force within two seconds."""
    path = syslog_rules.save(desk(), auth.current_actor(), Draft(**msgspec.structs.asdict(body)))
    return Answer(RuleOut(body.id, path.name), 201)
