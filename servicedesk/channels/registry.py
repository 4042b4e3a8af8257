"""The channels: one line each. Whoever wants one asks here by name."""

from __future__ import annotations

from servicedesk.channels import smtp, webhook
from servicedesk.channels.channel import Channel
from servicedesk.config import Config
from servicedesk.domain.notification import Reach

CHANNELS: dict[str, Channel] = {
    smtp.CHANNEL.name: smtp.CHANNEL,
    webhook.CHANNEL.name: webhook.CHANNEL,
}


def reach(config: Config) -> Reach:
    """The channels that this configuration fills in."""
    ready = [c for c in CHANNELS.values() if c.configured(config)]
    return Reach(tuple(c.name for c in ready if c.personal), tuple(c.name for c in ready if not c.personal))
