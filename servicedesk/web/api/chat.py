"""The channels: what they are, a test of each, and what comes back from a chat (pressed buttons, signed by it)."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response, request

from servicedesk.channels import registry
from servicedesk.services import acting, outbox
from servicedesk.store.views.paging import Page
from servicedesk.web.context import desk
from servicedesk.web.route import PUBLIC, STAFF, route

bp = Blueprint("api_chat", __name__, url_prefix="/api/v1")


class FieldOut(msgspec.Struct, frozen=True):
    """A setting that the channel reads. value: masked where it is secret."""

    key: str
    title: str
    kind: str
    required: bool
    secret: bool
    help: str
    value: str


class ChannelOut(msgspec.Struct, frozen=True):
    """personal: needs somebody's address; else it posts to one of its places."""

    name: str
    title: str
    configured: bool
    personal: bool
    places: list[str]
    fields: list[FieldOut]


class TestIn(msgspec.Struct, frozen=True):
    """target: a mail address, or one of the channel's places; "" for the usual place."""

    target: str = ""
    language: str = ""


class TestOut(msgspec.Struct, frozen=True):
    channel: str
    target: str
    provider_id: str


@route(bp, "GET", "/channels", scope="admin", role=STAFF, answer=Page[ChannelOut])
def list_channels() -> Page[ChannelOut]:
    """List the channels with the settings that each reads."""
    config, found = desk().config, []
    for c in registry.CHANNELS.values():
        helps = [(f, f.help(config)) for f in c.fields]
        fields = [FieldOut(f.key, f.title, f.kind, f.required, f.secret, s.doc, s.value) for f, s in helps]
        found.append(ChannelOut(c.name, c.title, c.configured(config), c.personal, list(c.places(config)), fields))
    return Page(tuple(found))


@route(bp, "POST", "/channels/<channel>/test", scope="admin", body=TestIn, answer=TestOut)
def test_channel(channel: str, body: TestIn) -> TestOut:
    """Send a test message now, past the outbox."""
    return TestOut(**outbox.send_test(desk(), channel, body.target, body.language))


@route(bp, "POST", "/channels/<channel>/actions", scope=PUBLIC)
def press(channel: str) -> Response:
    """Take a pressed button of a chat (Slack's interactivity request address), signed by the chat."""
    acting.press(desk(), channel, dict(request.headers), request.get_data(cache=True))
    return Response(status=200)
