"""Where a refusal's or guard's `where` leads on the pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import url_for

from servicedesk.domain.incident import parse_number
from servicedesk.web.i18n import gettext as _
from servicedesk.web.i18n import marked


@dataclass(frozen=True, slots=True)
class Link:
    href: str
    text: str


_ACTS = {
    "assignment": ("assign", marked("Assign")),
    "triage": ("edit", marked("Triage")),
    "resolution": ("resolve", marked("Write the resolution")),
    "verifications": ("verify", marked("Verify")),
    "confirmation": ("confirm", marked("Confirm")),
    "explanation": ("explain", marked("Write it")),
    "second-person-requests": ("ask_second_person", marked("Ask")),
    "hold": ("hold", marked("Put on hold")),
    "cancellation": ("cancel", marked("Cancel")),
}
_ANCHORS = {"tasks": ("playbooks", marked("Steps")), "alerts": ("alerts", marked("Alerts"))}
_REVIEW = {"review": ("", marked("Review")), "action-items": ("actions", marked("Follow-ups"))}


def where(ticket: str | int, place: str, actions: Mapping[str, Any] | None = None) -> Link | None:
    """The link for a place that a rule names; None where there is nothing to go to.

    actions: what `allowed` says; then only places where something can be done now are linked.
    """
    number = ticket if isinstance(ticket, int) else parse_number(ticket)
    if number is None:
        return None
    if place in _ACTS:
        action, text = _ACTS[place]
        if actions is not None and actions.get(action, ()) is not None:
            return None
        return Link(url_for("ui.act", number=number, action=action), _(text))
    if place in _ANCHORS:
        anchor, text = _ANCHORS[place]
        return Link(url_for("ui.ticket_page", number=number, _anchor=anchor), _(text))
    if place in _REVIEW:
        anchor, text = _REVIEW[place]
        if actions is not None and "write_review" not in actions:
            return None
        return Link(url_for("ui.review", number=number, _anchor=anchor or None), _(text))
    if place == "version":
        return Link(url_for("ui.ticket_page", number=number), _("Reload"))
    return None
