"""Every request gets an id, a line in the log and its place in the metrics; health, readiness and `/metrics`."""

from __future__ import annotations

import re
import secrets
import time
from typing import Any

import structlog
from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from servicedesk import metrics

log = structlog.get_logger("servicedesk.http")
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_QUIET = ("/healthz", "/readyz", "/metrics", "/static/", "/api/v1/receivers/")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def register(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(lambda _error: clear_contextvars())


def _begin() -> None:
    g.began = time.monotonic()
    sent = request.headers.get("X-Request-ID", "")
    g.request_id = sent if _SAFE_ID.fullmatch(sent) else secrets.token_hex(8)
    bind_contextvars(request=g.request_id)


def _end(response: Response) -> Response:
    seconds = time.monotonic() - g.get("began", time.monotonic())
    template = request.url_rule.rule if request.url_rule else "unmatched"
    method = request.method if request.method in _METHODS else "other"
    metrics.request(method, template, response.status_code, seconds)
    response.headers["X-Request-ID"] = g.get("request_id", "")
    quiet = request.path.startswith(_QUIET) and response.status_code < 400
    _line(log.debug if quiet else log.info, template, response.status_code, seconds)
    return response


def _line(write: Any, template: str, status: int, seconds: float) -> None:
    write("request", method=request.method, route=template, status=status, ms=round(seconds * 1000, 1))
