"""The OpenAPI document, and a plain page that lists it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, render_template

from servicedesk.web import openapi
from servicedesk.web.context import desk
from servicedesk.web.errors import KINDS
from servicedesk.web.route import route

bp = Blueprint("api_documents", __name__)


@route(bp, "GET", "/api/v1/openapi.json", scope="read", answer=dict[str, Any])
def openapi_json() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    return openapi.document(current_app, desk().config.base_url)


@route(bp, "GET", "/docs", scope="read", media="text/html")
def docs() -> str:
    """The API as a page: every address with what it takes, and every kind of problem."""
    found = [(openapi.address(rule), endpoint) for rule, endpoint in openapi.documented(current_app)]
    fields = {e: e.body.__struct_fields__ for _, e in found if e.body is not None}
    return render_template("api/docs.html", routes=found, fields=fields, kinds=KINDS.values())
