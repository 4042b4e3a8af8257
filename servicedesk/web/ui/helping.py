"""The help page: every state, priority, guard and move in its own words, drawn from the tables that rule."""

from __future__ import annotations

from servicedesk.domain.guards import GUARDS
from servicedesk.domain.incident import STATES, TYPES
from servicedesk.domain.lifecycle import ACTS, MOVES
from servicedesk.web.context import desk

from .blueprint import get
from .page import shell

DEPTHS = ("micro", "lite", "full")


@get("/help")
def help_page() -> str:
    """What everything means."""
    return shell(
        "help/page.html",
        "help",
        states=STATES,
        guards=GUARDS,
        moves=MOVES,
        acts=ACTS,
        types=TYPES,
        depths=DEPTHS,
        policy=desk().policy,
    )
