"""Idempotency-Key on POST: the same key and request get the first answer again; nothing is done twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec
from flask import Request, Response

from servicedesk.errors import BadInput
from servicedesk.services import once as keys

from . import auth
from .context import desk

MAX_KEY = 255
_KEPT = ("Location", "ETag", "Content-Type")


class _Kept(msgspec.Struct):
    text: str
    headers: dict[str, str]


def once(request: Request, act: Callable[[], Response]) -> Response:
    """Run `act` for the first request with this key of this actor; repeat its answer to the others.

    Raises Conflict when the key was used for another request, or its first request has not ended. An act that raises
    changed nothing: its key is free again.
    """
    key = request.headers["Idempotency-Key"]
    if not 1 <= len(key) <= MAX_KEY:
        raise BadInput({"Idempotency-Key": f"must have 1 to {MAX_KEY} characters"})
    mark = _digest(_who(), key)
    asked = _digest(request.method, request.path, request.get_data(cache=True).hex())
    earlier = keys.begin(desk(), mark, asked)
    if earlier is not None:
        kept = msgspec.json.decode(earlier.body, type=_Kept)
        response = Response(kept.text, earlier.status, headers=kept.headers)
        response.headers["Idempotency-Replayed"] = "true"
        return response
    try:
        response = act()
    except Exception:
        keys.release(desk(), mark)
        raise
    headers = {name: response.headers[name] for name in _KEPT if name in response.headers}
    body = msgspec.json.encode(_Kept(response.get_data(as_text=True), headers)).decode()
    keys.finish(desk(), mark, response.status_code, body)
    return response


def _who() -> str:
    actor = auth.current_actor()
    return f"user {actor.id}" if actor.id is not None else f"token {actor.token_id}"


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
