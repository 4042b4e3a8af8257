"""What holds before a handler runs: the ticket is the caller's to see; If-Match names its row version (G11).

RFC 9110, 13.1.1; a version that does not match answers 412.
"""

from __future__ import annotations

from flask import request

from servicedesk.errors import NotFound, Stale
from servicedesk.store.views import api_incidents

from .auth import current_actor, sees_everything
from .context import desk


def seen_version() -> int | None:
    """The version in If-Match, to hand to a service; None when the caller does not care. Raises Stale."""
    tags = request.if_match
    if not request.headers.get("If-Match") or tags.star_tag:
        return None
    # A proxy that compresses weakens our tags; the version in them is still the one that was seen.
    numbers = [int(tag) for tag in (*tags.as_set(), *tags._weak) if tag.isascii() and tag.isdigit()]
    if len(numbers) != 1:
        raise Stale(message="If-Match holds no version of this ticket: send the ETag that you were given.")
    return numbers[0]


def check(number: int, *, compare: bool) -> None:
    """Before any handler that names a ticket: the caller may see it, and (where no service judges the version
    itself) it is still the version in If-Match. Raises NotFound, Stale.
    """
    actor = current_actor()
    with desk().read() as tx:
        head = api_incidents.head(tx, number)
    mine = head is not None and actor.id is not None and actor.id == head.requester_id
    if head is None or not (mine or sees_everything(actor)):
        raise NotFound(f"There is no ticket INC-{number}.")
    if compare and seen_version() not in (None, head.version):
        raise Stale
