"""The post-incident review: write, hand in, approve, send back, waive; every version, as JSON, Markdown and HTML."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, Response
from msgspec import UNSET, UnsetType

from servicedesk.domain import review as rules
from servicedesk.errors import NotFound
from servicedesk.services import reviews
from servicedesk.store.views import gates, ticket
from servicedesk.store.views import reviews as versions
from servicedesk.web import auth, review_text
from servicedesk.web.context import desk
from servicedesk.web.preconditions import seen_version
from servicedesk.web.route import STAFF, Answer, route

from . import shapes

bp = Blueprint("api_reviews", __name__, url_prefix="/api/v1")
_REVIEW = "/incidents/<number:number>/review"


class TimeOf(msgspec.Struct, frozen=True):
    """`at` of one of the six times; source: "event", or "estimated" and then by whom."""

    at: str = ""
    source: str = msgspec.field(default="", name="from")
    by: str = ""


class Factor(msgspec.Struct, frozen=True):
    """What made it possible or worse. kind: technical, process, organisation, external or knowledge."""

    kind: str
    text: str


_TYPES: dict[str, Any] = {"times": dict[str, TimeOf], "factors": list[Factor]}
ReviewIn = msgspec.defstruct(
    "ReviewIn",
    [
        *((f.name, _TYPES.get(f.kind, str) | UnsetType, UNSET) for f in rules.FIELDS),
        ("timeline", list[dict[str, Any]] | UnsetType, UNSET),
    ],
    frozen=True,
    module=__name__,
    namespace={"__doc__": "The fields of a review; those that are absent stay as they are."},
)


def _review(number: int, version: int | None = None) -> versions.Review:
    """The newest version, or the one named. Raises NotFound."""
    with desk().read() as tx:
        found = versions.versions(tx, number)
    wanted = next((r for r in found if version is None or r.version == version), None)
    if wanted is None:
        raise NotFound("There is no review yet." if version is None else f"There is no version {version}.")
    return wanted


def _told(number: int) -> Answer:
    current = _review(number)
    return Answer(current, etag=current.row_version)


@route(bp, "GET", _REVIEW, scope="read", role=STAFF, answer=versions.Review, version=True)
def show_review(number: int) -> Answer:
    """Show the newest version; its ETag is for PUT."""
    return _told(number)


@route(bp, "PUT", _REVIEW, scope="work", body=ReviewIn, answer=versions.Review, version=True)
def write_review(number: int, body: msgspec.Struct) -> Answer:
    """Save the draft's text, complete or not."""
    given = msgspec.to_builtins(body)
    reviews.save(desk(), auth.current_actor(), number, given, seen_version())
    return _told(number)


@route(
    bp, "POST", _REVIEW + "/submission", scope="work", body=shapes.Nothing, answer=versions.Review, version=True,
    once=True,
)  # fmt: skip
def submit(number: int, body: shapes.Nothing) -> Answer:
    """Hand the review in."""
    reviews.submit(desk(), auth.current_actor(), number)
    return _told(number)


@route(bp, "POST", _REVIEW + "/approval", scope="review", body=shapes.CommentText, answer=versions.Review, once=True)
def approve(number: int, body: shapes.CommentText) -> Answer:
    """Approve the review; when every guard holds, the desk closes the ticket."""
    reviews.approve(desk(), auth.current_actor(), number, body.comment)
    return _told(number)


@route(bp, "POST", _REVIEW + "/change-request", scope="review", body=shapes.TextIn, answer=versions.Review, once=True)
def request_changes(number: int, body: shapes.TextIn) -> Answer:
    """Send the review back with what is to be changed."""
    reviews.request_changes(desk(), auth.current_actor(), number, body.text)
    return _told(number)


@route(bp, "POST", _REVIEW + "/waiver", scope="work", body=shapes.ReasonIn, answer=versions.Review, once=True)
def waive(number: int, body: shapes.ReasonIn) -> Answer:
    """Waive the review, visibly in the reports."""
    reviews.waive(desk(), auth.current_actor(), number, body.reason)
    return _told(number)


@route(bp, "GET", _REVIEW + "/versions/<int:version>", scope="read", role=STAFF, answer=versions.Review)
def show_version(number: int, version: int) -> versions.Review:
    """Show one version."""
    return _review(number, version)


@route(bp, "GET", _REVIEW + ".md", scope="read", role=STAFF, media="text/markdown")
def as_markdown(number: int) -> Response:
    """The newest version as Markdown."""
    return Response(_text(number), content_type="text/markdown; charset=utf-8")


@route(bp, "GET", _REVIEW + ".html", scope="read", role=STAFF, media="text/html")
def as_html(number: int) -> Response:
    """The newest version as a page of its own, for keeping or printing."""
    return Response(review_text.html(_text(number)), content_type="text/html; charset=utf-8")


def _text(number: int) -> str:
    review = _review(number)
    with desk().read() as tx:
        about = ticket.find(tx, number)
        actions = gates.action_items(tx, number)
    return review_text.markdown(review, about.title if about else "", actions)
