"""What is said and told about a ticket: comments, timeline, notifications."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec
from flask import Blueprint

from servicedesk.services import incidents
from servicedesk.store.views import api_notices, timeline, told
from servicedesk.store.views.paging import Page
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.route import STAFF, Answer, route

from . import shapes

bp = Blueprint("api_talk", __name__, url_prefix="/api/v1")


class CommentIn(msgspec.Struct, frozen=True):
    """visibility public: the requester sees it and gets it sent."""

    text: str
    visibility: Literal["internal", "public"] = "internal"


class CommentOut(msgspec.Struct, frozen=True):
    """seq: its place in the timeline."""

    seq: int
    at: datetime
    author: str
    text: str
    visibility: str


class TimelineQuery(shapes.Paged, frozen=True, kw_only=True):
    order: Literal["oldest", "newest"] = "oldest"


class NoticeQuery(shapes.Paged, frozen=True, kw_only=True):
    state: Literal["", "pending", "sent", "failed", "held", "digested"] = ""


@route(bp, "GET", "/incidents/<number:number>/comments", scope="read", query=shapes.Paged, answer=Page[CommentOut])
def list_comments(number: int, query: shapes.Paged) -> Page[CommentOut]:
    """List notes and messages, the oldest first; a requester sees the public ones."""
    kinds = ("note", "message") if auth.sees_everything(auth.current_actor()) else ("message",)
    with desk().read() as tx:
        page = api_notices.said(tx, number, kinds, cursor=query.cursor, limit=query.limit)
    return Page(tuple(_comment(e) for e in page.items), page.next)


def _comment(e: timeline.Entry) -> CommentOut:
    content: dict[str, Any] = e.content or {}
    visibility = "public" if e.kind == "message" else "internal"
    return CommentOut(e.seq, e.at, e.actor, str(content.get("text", "")), visibility)


@route(
    bp,
    "POST",
    "/incidents/<number:number>/comments",
    scope="work",
    body=CommentIn,
    answer=CommentOut,
    status=201,
    once=True,
)
def add_comment(number: int, body: CommentIn) -> Answer:
    """Add an internal note or a public message."""
    seq = incidents.comment(desk(), auth.current_actor(), number, body.text, body.visibility == "public")
    with desk().read() as tx:
        return Answer(_comment(api_notices.entry(tx, number, seq)), 201)


@route(
    bp,
    "GET",
    "/incidents/<number:number>/timeline",
    scope="read",
    role=STAFF,
    query=TimelineQuery,
    answer=Page[timeline.Entry],
)
def list_timeline(number: int, query: TimelineQuery) -> Page[timeline.Entry]:
    """List everything that happened to a ticket, in the order of the chain."""
    newest = query.order == "newest"
    with desk().read() as tx:
        return timeline.entries(tx, number, newest=newest, cursor=query.cursor, limit=query.limit)


@route(bp, "GET", "/notifications", scope="read", role=STAFF, query=NoticeQuery, answer=Page[api_notices.Notice])
def list_notices(query: NoticeQuery) -> Page[api_notices.Notice]:
    """List notifications and what became of them, the newest first."""
    with desk().read() as tx:
        return api_notices.notices(tx, state=query.state, cursor=query.cursor, limit=query.limit)


@route(
    bp,
    "GET",
    "/incidents/<number:number>/notifications",
    scope="read",
    role=STAFF,
    query=NoticeQuery,
    answer=Page[api_notices.Notice],
)
def list_notices_of(number: int, query: NoticeQuery) -> Page[api_notices.Notice]:
    """List the notifications about a ticket, the newest first."""
    with desk().read() as tx:
        return api_notices.notices(tx, state=query.state, incident_id=number, cursor=query.cursor, limit=query.limit)


@route(bp, "GET", "/incidents/<number:number>/told", scope="read", role=STAFF, answer=Page[told.Told])
def list_told(number: int) -> Page[told.Told]:
    """List who was told of a ticket, who was not, and why: notices and pages, the newest first."""
    with desk().read() as tx:
        return Page(told.told(tx, number))
