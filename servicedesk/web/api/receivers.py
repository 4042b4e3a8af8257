"""Where senders post: authenticate, read, store, answer 200. What a body says is nobody's business here.

Answers as docs/api.md tells: 200 only after the commit; 503 for "not now" (senders retry it at once, which they
do not for 4xx); never a redirect. Any content type is stored; what cannot be parsed becomes a dead letter later.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import IO

from flask import Blueprint, Response, g, request
from msgspec import Struct
from werkzeug.exceptions import BadRequest

from servicedesk import metrics
from servicedesk.desk import Desk
from servicedesk.errors import DeskError, NotFound, TokenOver, TooLarge
from servicedesk.services import intake, selfwatch
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.route import Answer, route

PREFIX = "/api/v1/receivers"
RAW_LIMIT = 32 * 1024 * 1024
UNPACKED_LIMIT = 64 * 1024 * 1024
CHUNK = 256 * 1024
RESULTS = {
    200: "stored",
    400: "broken",
    401: "unauthorized",
    403: "unauthorized",
    404: "unknown",
    405: "method",
    413: "too_large",
    503: "busy",
}

bp = Blueprint("api_receivers", __name__, url_prefix=PREFIX)


class DeliveryOut(Struct, frozen=True):
    """The id of the stored delivery."""

    delivery: int


@route(bp, "POST", "/alertmanager", scope="ingest", basic=True, answer=DeliveryOut)
def alertmanager() -> Answer:
    """Store what an Alertmanager sends."""
    return _receive("alertmanager")


@route(bp, "POST", "/<mapping>", scope="ingest", basic=True, answer=DeliveryOut)
def receive(mapping: str) -> Answer:
    """Store what any other sender with a mapping sends."""
    return _receive(mapping)


def _receive(receiver: str) -> Answer:
    if receiver not in desk().receivers:
        raise NotFound(f"There is no receiver {receiver!r}; there are: {', '.join(desk().receivers)}.")
    received_at = desk().now()
    source = auth.current_actor().source or receiver
    raw, content_type = read_body()
    delivery = intake.store(desk(), raw, receiver, source, content_type, received_at)
    return Answer(DeliveryOut(delivery))


def read_body() -> tuple[bytes, str]:
    """The body, unpacked where it says gzip or deflate, and its content type as sent.

    Raises TooLarge over 32 MiB raw or 64 MiB unpacked (counted while reading), BadRequest for broken compression.
    An encoding that is not known here is kept as it is and named with the content type.
    """
    request.max_content_length = RAW_LIMIT + CHUNK  # the limit of forms does not hold here
    if (request.content_length or 0) > RAW_LIMIT:
        raise TooLarge(f"A body has at most {RAW_LIMIT} bytes.")
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    content_type = request.headers.get("Content-Type", "")[:200]
    chunks = _chunks(request.stream)
    if encoding in ("", "identity"):
        return b"".join(chunks), content_type
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return b"".join(chunks), f"{content_type}; content-encoding={encoding[:40]}"
    return unpack(chunks, gzip="gzip" in encoding), content_type


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    read = 0
    while chunk := stream.read(CHUNK):
        read += len(chunk)
        if read > RAW_LIMIT:
            raise TooLarge(f"A body has at most {RAW_LIMIT} bytes.")
        yield chunk


def unpack(chunks: Iterator[bytes], *, gzip: bool) -> bytes:
    """Decompress piece by piece, so that a bomb never stands in memory. Raises TooLarge, BadRequest."""
    parts: list[bytes] = []
    room, inflate, wbits = UNPACKED_LIMIT, None, zlib.MAX_WBITS | (16 if gzip else 0)
    try:
        for piece in chunks:
            data = piece
            while data:
                if inflate is None or inflate.eof:  # gzip may hold several members after each other
                    inflate = zlib.decompressobj(wbits)
                parts.append(inflate.decompress(data, room + 1))
                room -= len(parts[-1])
                if room < 0:
                    raise TooLarge(f"An unpacked body has at most {UNPACKED_LIMIT} bytes.")
                data = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
    except zlib.error as error:
        raise BadRequest(f"The compressed body is broken: {error}.") from error
    if inflate is None or not inflate.eof:
        raise BadRequest("The compressed body is broken: it ends too early.")
    return b"".join(parts)


def count(response: Response) -> Response:
    """Every request to a receiver is counted by its result, refused ones too."""
    if request.path.startswith(PREFIX + "/"):
        count_answer(desk(), request.path, response.status_code, _sender)
    return response


def count_answer(to: Desk, path: str, status: int, sender: Callable[[], str] = str) -> None:
    """Count a sender's request that was answered so, here or already by the server (which knows no senders)."""
    if not path.startswith(PREFIX + "/"):
        return
    name, result = path[len(PREFIX) + 1 :].rstrip("/"), RESULTS.get(status, "fault")
    metrics.delivery(name if name in to.receivers else "unknown", result)
    if result not in ("stored", "busy"):
        selfwatch.note_refused(to, sender(), result)


def _sender() -> str:
    """Whose request this is, as far as its token tells; "" for a stranger's."""
    g.basic = True
    try:
        actor = auth.find_actor()
    except TokenOver as error:
        return error.source
    except DeskError:
        return ""
    return (actor.source or actor.name) if actor and actor.token_id else ""


bp.after_app_request(count)
