"""Declarations that many routes of the API share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from flask import Blueprint

from servicedesk.domain.incident import parse_number
from servicedesk.errors import BadInput
from servicedesk.web.route import route

from . import shapes

Handler = TypeVar("Handler", bound=Callable[..., Any])


def other_ticket(text: str | int | None) -> int | None:
    """The number of the other ticket that a body names. Raises BadInput."""
    number = None if text is None else parse_number(str(text))
    if text is not None and number is None:
        raise BadInput({"target": f"{text!r} is not the number of a ticket"})
    return number


def action(bp: Blueprint, path: str, body: type[msgspec.Struct]) -> Callable[[Handler], Handler]:
    """Something done to a ticket: POST …/{number}/<path>, judged against If-Match, answers the whole ticket."""
    where = f"/incidents/<number:number>/{path}"
    return route(bp, "POST", where, scope="work", body=body, answer=shapes.IncidentOut, version=True, once=True)
