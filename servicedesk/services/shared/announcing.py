"""Where a team's new tickets are announced: "channel:place", such as "mattermost:network" or "slack:#network"."""

from __future__ import annotations

from servicedesk.channels import registry
from servicedesk.desk import Desk
from servicedesk.errors import BadInput


def choices(desk: Desk) -> tuple[str, ...]:
    """Every place of every channel that is configured and needs no address."""
    ready = [c for c in registry.CHANNELS.values() if c.configured(desk.config) and not c.personal]
    return tuple(f"{c.name}:{place}" for c in ready for place in (c.places(desk.config) or (c.name,)))


def clean(desk: Desk, text: str) -> str:
    """What is stored; "" for none. Raises BadInput where there is no such channel or place."""
    wanted = text.strip()
    channel, _, place = wanted.partition(":")
    free = channel == "slack" and place and len(place) <= 100 and place.isprintable()  # any channel of the workspace
    if wanted and wanted not in choices(desk) and not (free and f"{channel}:" in " ".join(choices(desk))):
        raise BadInput(
            {"handover": f"There is no place {text[:100]!r}; there are: {', '.join(choices(desk)) or 'none'}."}
        )
    return wanted
