"""The channels: one line each. Whoever wants one asks here by name."""

from __future__ import annotations

from servicedesk.channels import anything, mattermost, slack, smtp, teams, webhook
from servicedesk.channels.channel import Channel
from servicedesk.config import Config
from servicedesk.domain.notification import Reach

CHANNELS: dict[str, Channel] = {
    smtp.CHANNEL.name: smtp.CHANNEL,
    webhook.CHANNEL.name: webhook.CHANNEL,
    slack.CHANNEL.name: slack.CHANNEL,
    mattermost.CHANNEL.name: mattermost.CHANNEL,
    teams.CHANNEL.name: teams.CHANNEL,
    anything.CHANNEL.name: anything.CHANNEL,
}


def reach(config: Config) -> Reach:
    """The channels that this configuration fills in."""
    ready = [c for c in CHANNELS.values() if c.configured(config)]
    return Reach(
        tuple(c.name for c in ready if c.personal),
        tuple(c.name for c in ready if not c.personal),
        tuple(c.name for c in ready if c.updates),
    )
