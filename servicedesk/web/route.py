"""The one way to add a route: it declares who may call it, what it takes and what it answers.

    @route(bp, "POST", "/incidents/<number:number>/hold", scope="work", body=HoldIn, answer=IncidentOut)
    def hold(number: int, body: HoldIn) -> Answer: ...

What is declared is enforced here, drawn into the OpenAPI document, and checked by a test that walks every rule of the
application. The decorator answers the function unchanged, so several routes may share one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from flask import Blueprint, Flask, Response, request
from werkzeug.routing import BaseConverter, IntegerConverter, ValidationError

from servicedesk.domain.incident import ROLES, SCOPES, parse_number

from . import auth, idempotency, inputs, preconditions

PUBLIC, STAFF = auth.PUBLIC, auth.STAFF
"""PUBLIC: a scope that anybody has: health, sign-in, signed links. STAFF: who may see everything, see auth."""
Handler = TypeVar("Handler", bound=Callable[..., Any])
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a route declares. scope: one of SCOPES or PUBLIC; role: needed besides it, STAFF or "" for none."""

    method: str
    rule: str
    scope: str
    role: str = ""
    basic: bool = False  # takes basic authentication with the token as password
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    accepts: Any = None  # the body, for the document, where the handler reads it itself
    answer: Any = None
    status: int = 200
    media: str = JSON
    version: bool = False  # the handler hands If-Match to its service; else it is compared before
    once: bool = False  # honours Idempotency-Key
    summary: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON answer with more than its body. etag: row version; location: path of what was made."""

    body: Any = None
    status: int = 200
    etag: int | None = None
    location: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def route(
    bp: Blueprint, method: str, rule: str, *, scope: str, role: str = "", **declared: Any
) -> Callable[[Handler], Handler]:
    """Declare a route on a blueprint; see the module and `Endpoint`. `name` is the endpoint's (default: function's)."""
    if scope not in (*SCOPES, PUBLIC) or (role and role not in (*ROLES, auth.STAFF)):
        raise ValueError(f"{method} {rule}: scope {scope!r} or role {role!r} does not exist")

    def register(handler: Handler) -> Handler:
        summary = (handler.__doc__ or "").strip().split("\n")[0]
        name = declared.pop("name", "") or handler.__name__
        endpoint = Endpoint(method, rule, scope, role, summary=summary, name=name, **declared)
        bp.add_url_rule(rule, name, _view(endpoint, handler), methods=[method])
        return handler

    return register


def endpoint_of(view: Any) -> Endpoint | None:
    """What the view of a rule declares; None for one that was not made by `route`."""
    return getattr(view, "declared", None)


def _view(endpoint: Endpoint, handler: Callable[..., Any]) -> Callable[..., Any]:
    def view(**arguments: Any) -> Any:
        auth.enter(endpoint.scope, endpoint.role, basic=endpoint.basic)
        if "number" in arguments and endpoint.scope != PUBLIC:
            preconditions.check(arguments["number"], compare=not endpoint.version)
        if endpoint.query is not None:
            arguments["query"] = inputs.query(endpoint.query, request.args)
        if endpoint.body is not None:
            arguments["body"] = inputs.body(endpoint.body, request)
        if endpoint.once and "Idempotency-Key" in request.headers:
            return idempotency.once(request, lambda: _respond(endpoint, handler(**arguments)))
        return _respond(endpoint, handler(**arguments))

    view.declared = endpoint  # type: ignore[attr-defined]
    view.__name__ = endpoint.name
    return view


def _respond(endpoint: Endpoint, result: Any) -> Any:
    if isinstance(result, Response | str | tuple):
        return result
    answer = result if isinstance(result, Answer) else Answer(result, endpoint.status)
    if answer.body is None:
        response = Response(status=answer.status if answer.status != 200 else 204)
        response.content_type = ""
    else:
        response = Response(msgspec.json.encode(answer.body), answer.status, content_type=endpoint.media)
    if answer.etag is not None:
        response.set_etag(str(answer.etag))
    if answer.location:
        response.headers["Location"] = answer.location
    response.headers.update(answer.headers)
    return response


class NumberConverter(BaseConverter):
    """The number of a ticket in an address: `INC-42` or `42`, handed on as 42."""

    regex = r"(?:[Ii][Nn][Cc]-)?\d{1,17}"

    def to_python(self, value: str) -> int:
        number = parse_number(value)
        if number is None:
            raise ValidationError
        return number

    def to_url(self, value: Any) -> str:
        return f"INC-{int(value)}"


class IdConverter(IntegerConverter):
    """The id of a row in an address: nothing that no database could hold."""

    regex = r"\d{1,18}"


def prepare(app: Flask) -> None:
    """Routing rules of the house: no redirect ever turns a sender's POST into a GET."""
    app.url_map.converters["number"] = NumberConverter
    app.url_map.converters["int"] = IdConverter
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
