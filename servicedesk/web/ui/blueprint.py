"""The blueprint of the pages, and the one way to add a page to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint

from servicedesk.web.route import route

pages = Blueprint("ui", __name__)
Handler = TypeVar("Handler", bound=Callable[..., Any])
HTML = "text/html"


def get(rule: str, *, scope: str = "read", role: str = "") -> Callable[[Handler], Handler]:
    return route(pages, "GET", rule, scope=scope, role=role, media=HTML)


def post(rule: str, *, scope: str = "work", role: str = "") -> Callable[[Handler], Handler]:
    return route(pages, "POST", rule, scope=scope, role=role, media=HTML)
