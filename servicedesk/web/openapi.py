"""The OpenAPI 3.1 document, drawn from what the routes declare."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from flask import Flask

from servicedesk import __version__

from .errors import KINDS
from .route import JSON, PUBLIC, Endpoint, endpoint_of

REF = "#/components/schemas/{name}"
_PLACE = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?(\w+)>")
_PLACES = {"int": {"type": "integer"}, "number": {"type": "string", "pattern": "^(INC-)?[0-9]+$"}}
_ALWAYS = (401, 403, 422, 503)
PROBLEM = {
    "type": "object",
    "description": "RFC 9457. errors: with 422, one per field; refusals: with 409 and 412, one per unmet guard.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("field", "pointer", "detail", "resource")},
            },
        },
        "refusals": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("rule", "guard", "message", "where")},
            },
        },
    },
}


def documented(app: Flask) -> Iterator[tuple[str, Endpoint]]:
    """(address, what it declares) of every route for programs, in the order of their addresses."""
    rules = sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, sorted(rule.methods or ())))
    for rule in rules:
        endpoint = endpoint_of(app.view_functions[rule.endpoint])
        api = rule.rule.startswith("/api/") or rule.endpoint.startswith(("api_", "alert_links"))
        if endpoint is not None and api:
            yield rule.rule, endpoint


def document(app: Flask, base_url: str) -> dict[str, Any]:
    """The whole document as JSON values."""
    found = list(documented(app))
    schemas, components = _schemas([endpoint for _, endpoint in found])
    paths: dict[str, dict[str, Any]] = {}
    for rule, endpoint in found:
        paths.setdefault(address(rule), {})[endpoint.method.lower()] = _operation(rule, endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Service desk",
            "version": __version__,
            "description": inspect.cleandoc(
                """
                Lists: `{"items": […], "next": cursor or null}`. Changes: `If-Match` with the ETag that was given
                (412 when somebody was faster). POST: `Idempotency-Key` where shown. Times: RFC 3339 UTC.
                """
            ),
        },
        "servers": [{"url": base_url}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": PROBLEM},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "sd_<id>_<secret>"},
                "basic": {"type": "http", "scheme": "basic", "description": "receivers: the token as password"},
                "session": {"type": "apiKey", "in": "cookie", "name": "servicedesk"},
            },
        },
    }


def address(rule: str) -> str:
    """`/incidents/<number:number>` → `/incidents/{number}`."""
    return _PLACE.sub(lambda m: "{" + m[2] + "}", rule)


def _schemas(endpoints: list[Endpoint]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """Schema by type, and the components that they refer to."""
    types: list[Any] = []
    for e in endpoints:
        types += [t for t in (e.body, e.accepts, e.answer, e.query) if t is not None and t not in types]
    made, components = msgspec.json.schema_components(types, ref_template=REF)
    return {repr(t): schema for t, schema in zip(types, made, strict=True)}, dict(components)


def _operation(rule: str, e: Endpoint, schemas: dict[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": e.summary,
        "operationId": f"{e.method.lower()}_{e.name}",
        "tags": [_tag(rule)],
        "parameters": [*_places(rule), *_query(e), *_headers(e)],
        "responses": {str(e.status): _answer(e, schemas), **_problems(e)},
    }
    taken = e.body or e.accepts
    if taken is not None:
        operation["requestBody"] = {"content": {JSON: {"schema": schemas[repr(taken)]}}}
    if e.scope == PUBLIC:
        operation["security"] = []
    else:
        operation["description"] = f"Scope `{e.scope}`" + (f", role `{e.role}`." if e.role else ".")
        operation["security"] = [{"bearer": []}, {"basic": []} if e.basic else {"session": []}]
    return operation


def _tag(rule: str) -> str:
    parts = rule.removeprefix("/api/v1").strip("/").split("/")
    return parts[0] if rule.startswith("/api/") else "probes"


def _places(rule: str) -> Iterator[dict[str, Any]]:
    for kind, name in _PLACE.findall(rule):
        yield {"name": name, "in": "path", "required": True, "schema": _PLACES.get(kind, {"type": "string"})}


def _query(e: Endpoint) -> Iterator[dict[str, Any]]:
    if e.query is None:
        return
    _, components = msgspec.json.schema_components([e.query], ref_template=REF)
    for name, schema in components[e.query.__name__]["properties"].items():
        yield {"name": name, "in": "query", "required": False, "schema": schema}


def _headers(e: Endpoint) -> Iterator[dict[str, Any]]:
    text = {"type": "string"}
    if e.once:
        yield {"name": "Idempotency-Key", "in": "header", "required": False, "schema": text}
    if e.method != "GET" and "<number:number>" in e.rule:
        yield {"name": "If-Match", "in": "header", "required": False, "schema": text}


def _answer(e: Endpoint, schemas: dict[Any, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": e.summary or "done"}
    if e.answer is not None:
        answer["content"] = {JSON: {"schema": schemas[repr(e.answer)]}}
    elif e.media != JSON:
        answer["content"] = {e.media: {"schema": {"type": "string"}}}
    return answer


def _problems(e: Endpoint) -> dict[str, Any]:
    codes = set() if e.scope == PUBLIC else set(_ALWAYS)
    if "<" in e.rule:
        codes.add(404)
    if e.method != "GET" and e.scope != "ingest":
        codes |= {409, 412}
    if e.scope == "ingest":
        codes = {400, 401, 403, 404, 413, 503}
    content = {"application/problem+json": {"schema": {"$ref": REF.format(name="Problem")}}}
    titles = {kind.status: kind.title for kind in KINDS.values()} | {400: "The body is broken"}
    return {str(code): {"description": titles[code], "content": content} for code in sorted(codes)}
