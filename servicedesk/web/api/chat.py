"""What comes back from a chat: pressed buttons, signed by it."""

from __future__ import annotations

from flask import Blueprint, Response, request

from servicedesk.services import acting
from servicedesk.web.context import desk
from servicedesk.web.route import PUBLIC, route

bp = Blueprint("api_chat", __name__, url_prefix="/api/v1")


@route(bp, "POST", "/channels/<channel>/actions", scope=PUBLIC)
def press(channel: str) -> Response:
    """Take a pressed button of a chat (Slack's interactivity request address), signed by the chat."""
    acting.press(desk(), channel, dict(request.headers), request.get_data(cache=True))
    return Response(status=200)
