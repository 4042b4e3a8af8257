"""Receivers and mappings, and what a body becomes."""

from __future__ import annotations

from typing import Annotated

import msgspec
from flask import Blueprint
from msgspec import Meta

from servicedesk.services import mappings
from servicedesk.store.views.paging import Page
from servicedesk.web.context import desk
from servicedesk.web.route import STAFF, route

bp = Blueprint("api_mappings", __name__, url_prefix="/api/v1")


class MappingOut(msgspec.Struct, frozen=True):
    """address: where the sender posts to; setup: how it is set up (Markdown), empty for what is not a mapping."""

    name: str
    title: str
    address: str
    documentation: str
    setup: str
    sample: str


class PreviewIn(msgspec.Struct, frozen=True):
    """body: as the sender would send it; receiver: a name of GET /mappings, or mapping: the text of one (YAML)."""

    body: Annotated[str, Meta(max_length=mappings.MOST)]
    receiver: str = ""
    mapping: Annotated[str, Meta(max_length=mappings.MOST_MAPPING)] = ""


@route(bp, "GET", "/mappings", scope="read", role=STAFF, answer=Page[MappingOut])
def list_mappings() -> Page[MappingOut]:
    """List the receivers, those of mappings with how the sender is set up."""
    return Page(tuple(_out(name) for name in desk().receivers))


def _out(name: str) -> MappingOut:
    found, mapping = desk().receivers[name], desk().mappings.get(name)
    said = (mapping.documentation, mapping.setup) if mapping else ("", "")
    return MappingOut(name, found.title, f"/api/v1/receivers/{name}", *said, found.sample.decode("utf-8", "replace"))


@route(bp, "POST", "/mappings/preview", scope="read", role=STAFF, body=PreviewIn, answer=mappings.Preview)
def preview_mapping(body: PreviewIn) -> mappings.Preview:
    """Show the events that a body would give, and what is wrong with it; nothing is stored."""
    return mappings.preview(desk(), body.body, body.receiver, body.mapping)
