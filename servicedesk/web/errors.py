"""The one place where errors become HTTP: RFC 9457 problems for programs, a page for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import msgspec
import structlog
from flask import Flask, Response, redirect, render_template, request
from jinja2 import TemplateNotFound
from markupsafe import escape
from werkzeug.exceptions import HTTPException

from servicedesk import errors

from . import auth
from .context import desk, request_id

log = structlog.get_logger("servicedesk.web")
PROBLEM = "application/problem+json"
SIGN_IN = "/sign-in"
RETRY_AFTER = "2"
_PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics")


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of error is told. id: end of the problem's type; docs list it."""

    id: str
    status: int
    title: str


KINDS: dict[type[errors.DeskError], Kind] = {
    errors.BadInput: Kind("bad-input", 422, "Some fields are wrong"),
    errors.NotSignedIn: Kind("not-signed-in", 401, "Sign in or send a valid token"),
    errors.NotAllowed: Kind("not-allowed", 403, "This needs another role or scope"),
    errors.NotFound: Kind("not-found", 404, "There is no such thing"),
    errors.Stale: Kind("stale", 412, "It was changed meanwhile"),
    errors.Refused: Kind("refused", 409, "A rule refuses this"),
    errors.Conflict: Kind("conflict", 409, "It exists already, or the key was used"),
    errors.TooLarge: Kind("too-large", 413, "The body is over the limit"),
    errors.Busy: Kind("busy", 503, "Not now: try again in a moment"),
}
FAULT = Kind("fault", 500, "Something went wrong on our side")


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as it is told. extra: members of the problem besides the standard ones."""

    kind: Kind
    detail: str
    extra: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def register(app: Flask) -> None:
    app.register_error_handler(errors.DeskError, _desk_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _fault)


def problem_of(error: errors.DeskError) -> Problem:
    """How an error of the desk is told; a fault of configuration or files is a 500 like any other."""
    kind = _kind(error)
    detail = str(error) or (type(error).__doc__ or "").split("\n")[0]
    extra: dict[str, Any] = {}
    headers: dict[str, str] = {}
    if isinstance(error, errors.BadInput):
        extra["errors"] = [_field(error, name, text) for name, text in error.fields.items()]
    if isinstance(error, errors.Refused):
        extra["refusals"] = [msgspec.to_builtins(_refusal(r)) for r in error.refusals]
    if isinstance(error, errors.NotSignedIn):
        headers["WWW-Authenticate"] = 'Bearer realm="servicedesk", Basic realm="servicedesk"'
    if isinstance(error, errors.Busy):
        headers["Retry-After"] = RETRY_AFTER
    return Problem(kind, detail, extra, headers)


def _kind(error: errors.DeskError) -> Kind:
    """By the error's class; a refusal for a row version that has passed (G11) is a failed precondition."""
    if isinstance(error, errors.Refused) and any(r.guard == "G11" for r in error.refusals):
        return KINDS[errors.Stale]
    return next((KINDS[t] for t in type(error).__mro__ if t in KINDS), FAULT)


def _refusal(r: errors.Refusal) -> dict[str, str]:
    return {"rule": r.rule, "guard": r.guard, "message": r.message, "where": r.where}


def _field(error: errors.BadInput, name: str, text: str) -> dict[str, str]:
    told = {"field": name, "pointer": f"#/{name.replace('.', '/')}" if name else "#", "detail": text}
    resource = getattr(error, "pointers", {}).get(name)
    return told | ({"resource": resource} if resource else {})


def _desk_error(error: errors.DeskError) -> Any:
    problem = problem_of(error)
    if problem.kind is FAULT:
        return _fault(error)
    if problem.kind.status == 503:
        log.warning("busy", path=_place(), detail=problem.detail)
    return _told(problem)


def _http_error(error: HTTPException) -> Any:
    if error.response is not None or (error.code or 500) < 400:
        return error
    name = (error.name or "error").lower().replace(" ", "-")
    headers = {k: v for k, v in error.get_headers() if k in ("Allow", "Retry-After")}
    return _told(Problem(Kind(name, error.code or 500, error.name), error.description or "", headers=headers))


def _fault(error: Exception) -> Any:
    """Nothing of what went wrong leaves the house but an id; the log has the rest under it."""
    log.error("fault", path=_place(), method=request.method, exc_info=error)
    detail = f"The log has the details under the id {request_id()}."
    return _told(Problem(FAULT, detail, {"request_id": request_id()}))


def _place() -> str:
    """The path for the log; of a signed link only its pattern: whoever reads the log must not come in by it."""
    rule = request.url_rule
    return rule.rule if rule is not None and "secret" in rule.arguments else request.path


def _told(problem: Problem) -> Any:
    if for_program():
        return _json(problem)
    if problem.kind.status == 401 and request.method in auth.SAFE:
        return redirect(f"{SIGN_IN}?{urlencode({'next': request.full_path.rstrip('?')})}", 303)
    return _page(problem)


def for_program() -> bool:
    """Is this answered to a program (API, receivers, probes) rather than to a person's browser?"""
    return request.path.startswith(_PROGRAMS) or request.accept_mimetypes.best == "application/json"


def _json(problem: Problem) -> Response:
    kind = problem.kind
    body = {
        "type": f"{desk().config.base_url}/docs#{kind.id}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
        **problem.extra,
    }
    return Response(msgspec.json.encode(body), kind.status, problem.headers, content_type=PROBLEM)


def _page(problem: Problem) -> Response:
    """templates/errors/error.html; plain words where that does not exist or fails."""
    headers = {k: v for k, v in problem.headers.items() if k != "WWW-Authenticate"}
    try:
        text = render_template("errors/error.html", problem=problem, request_id=request_id())
    except TemplateNotFound:
        text = _plain(problem)
    except Exception as error:
        log.error("error page failed", exc_info=error)
        text = _plain(problem)
    return Response(text, problem.kind.status, headers, content_type="text/html; charset=utf-8")


def _plain(problem: Problem) -> str:
    title, detail = escape(problem.kind.title), escape(problem.detail)
    return f'<!doctype html><html lang="en"><title>{title}</title><h1>{title}</h1><p>{detail}</p></html>'
