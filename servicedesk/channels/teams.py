"""Microsoft Teams by a webhook of its Workflows: one Adaptive Card (Microsoft's "Create incoming webhooks")."""

from __future__ import annotations

from typing import Any

from servicedesk.channels import posting
from servicedesk.channels.channel import Channel, Field, named_places, place
from servicedesk.config import Config
from servicedesk.domain.messages import Message


def body_of(message: Message) -> dict[str, Any]:
    """An Adaptive Card 1.4; texts are escaped, because TextBlock reads a part of Markdown."""
    body: list[dict[str, Any]] = [
        {
            "type": "TextBlock",
            "text": posting.escape_markdown(message.subject),
            "weight": "Bolder",
            "size": "Medium",
            "wrap": True,
        },
        {"type": "TextBlock", "text": posting.escape_markdown(message.lead), "wrap": True},
        {
            "type": "FactSet",
            "facts": [{"title": label, "value": posting.escape_markdown(value)} for label, value in message.facts],
        },
    ]
    if message.text:
        body.append(
            {"type": "TextBlock", "text": posting.cut(posting.escape_markdown(message.text), 6000), "wrap": True}
        )
    links = [(message.link_title, message.link)]
    if message.act_link:
        links.insert(0, (message.act_title, message.act_link))
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": title, "url": url} for title, url in links],
    }
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [content]}


def send(config: Config, target: str, message: Message) -> str:
    """Post the card; answers the workflow's run id, or the status. Raises Temporary or Permanent."""
    url = place("teams", config.teams.urls, target)
    reply = posting.post("Microsoft Teams", url, posting.encode(body_of(message)), {}, "teams.urls")
    return reply.headers.get("x-ms-workflow-run-id") or str(reply.status)


CHANNEL = Channel(
    name="teams",
    title="Microsoft Teams",
    fields=(Field("teams.urls", "Webhooks of workflows", "places", required=True),),
    personal=False,
    configured=lambda config: bool(config.teams.urls),
    send=send,
    places=lambda config: tuple(named_places("teams", config.teams.urls)),
)
