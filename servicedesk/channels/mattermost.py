"""Mattermost by an incoming webhook: a message with one attachment (Mattermost's "message attachments")."""

from __future__ import annotations

from typing import Any

from servicedesk.channels import posting
from servicedesk.channels.channel import Channel, Field, named_places, place
from servicedesk.config import Config
from servicedesk.domain.messages import Message


def body_of(message: Message) -> dict[str, Any]:
    """The fallback is what a phone shows."""
    links = f"[{message.link_title}]({message.link})"
    if message.act_link:
        links += f" · [{message.act_title}]({message.act_link})"
    texts = [posting.escape_markdown(message.lead), posting.escape_markdown(message.text), links]
    attachment = {
        "fallback": posting.cut(posting.no_mention(message.subject), 500),
        "title": posting.cut(posting.escape_markdown(message.subject), 500),
        "title_link": message.link,
        "text": posting.cut("\n\n".join(t for t in texts if t), 6000),
        "fields": [
            {"title": label, "value": posting.escape_markdown(value), "short": True} for label, value in message.facts
        ],
        "footer": message.footer,
    }
    return {"text": "", "attachments": [attachment]}


def send(config: Config, target: str, message: Message) -> str:
    """Post the message; answers Mattermost's request id. Raises Temporary or Permanent."""
    url = place("mattermost", config.mattermost.urls, target)
    reply = posting.post("Mattermost", url, posting.encode(body_of(message)), {}, "mattermost.urls")
    return reply.headers.get("x-request-id") or str(reply.status)


CHANNEL = Channel(
    name="mattermost",
    title="Mattermost",
    fields=(Field("mattermost.urls", "Incoming webhooks", "places", required=True),),
    personal=False,
    configured=lambda config: bool(config.mattermost.urls),
    send=send,
    places=lambda config: tuple(named_places("mattermost", config.mattermost.urls)),
)
