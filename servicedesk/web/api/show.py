"""A ticket as the API answers it."""

from __future__ import annotations

from servicedesk.services import incidents
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.route import Answer

from . import whole


def incident(incident_id: int, status: int = 200) -> Answer:
    """The whole ticket, with its row version as ETag. Raises NotFound."""
    actor = auth.current_actor()
    out = whole.full(desk(), incident_id, incidents.facts(desk(), incident_id), actor)
    if not auth.sees_everything(actor):
        out = whole.for_requester(out)
    location = f"/api/v1/incidents/{out.number}" if status == 201 else ""
    return Answer(out, status, etag=out.version, location=location)
