"""What is under observation: fixes that prove themselves, and alerts that must stay quiet, and for how long still."""

from __future__ import annotations

from servicedesk.store.views import observations
from servicedesk.web.context import desk

from .blueprint import get
from .page import need_staff, shell


@get("/observations")
def observations_page() -> str:
    """Fixes under observation, quiet windows, and what lately ended."""
    need_staff()
    with desk().read() as tx:
        watched, quiet = observations.watched(tx), observations.quiet(tx)
        lately = observations.lately(tx)
    return shell("check/observations.html", "observations", watched=watched, quiet=quiet, lately=lately)
