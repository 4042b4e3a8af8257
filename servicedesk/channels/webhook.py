"""One signed post a notice, Slack-compatible: Slack, Mattermost and Rocket.Chat show it, any program can check it.

Signature: Standard Webhooks 1.0.0 (webhook-id, webhook-timestamp, webhook-signature "v1,<base64 HMAC-SHA256>" over
"id.timestamp.body"). The id is the same at every try: a receiver drops a double by it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from typing import Any

from servicedesk.channels import posting
from servicedesk.channels.channel import Channel, Field, Temporary
from servicedesk.config import Config
from servicedesk.domain.messages import Message, line


def body_of(message: Message) -> dict[str, Any]:
    """`text` for every receiver, `blocks` for Slack (Block Kit); what others wrote stands in plain_text alone."""
    facts = [
        {"type": "plain_text", "text": f"{label}: {value}"[:2000], "emoji": False} for label, value in message.facts
    ]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(message.subject, 150)},
        {"type": "section", "text": _plain(message.lead, 3000), "fields": facts},
    ]
    if message.text:
        blocks.append({"type": "section", "text": _plain(message.text, 3000)})
    title = f"<{message.link}|{escape(message.link_title)}>"
    if message.act_link:
        title += f"  <{message.act_link}|{escape(message.act_title)}>"
    blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": title}})
    lines = [f"*{escape(message.subject)}*", escape(message.lead)]
    lines += [f"{escape(label)}: {escape(value)}" for label, value in message.facts]
    lines += [escape(message.text)] if message.text else []
    return {"text": "\n".join([*lines, title]), "blocks": blocks}


def escape(text: str) -> str:
    """Slack's three characters; and no @channel wakes a whole room where mentions are read out of plain text."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return posting.no_mention(safe)


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": posting.cut(text, limit), "emoji": False}


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Standard Webhooks: a secret that begins whsec_ is base64, any other is taken as it is."""
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.digest(_key(secret), signed, "sha256")).decode()


def _key(secret: str) -> bytes:
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise Temporary("webhook.secret begins with whsec_, but the rest is not base64", down=True) from error


def send(config: Config, _target: str, message: Message) -> str:
    """Post the message; answers the receiver's own id, or its status. Raises Temporary or Permanent."""
    body = posting.encode(body_of(message))
    now = int(time.time())  # the receiver compares it with its own clock
    webhook_id = f"msg_{message.id}"
    headers = {"webhook-id": webhook_id, "webhook-timestamp": str(now)}
    if config.webhook.secret:
        headers["webhook-signature"] = signature(config.webhook.secret, webhook_id, now, body)
    reply = posting.post("the webhook", config.webhook.url, body, headers, "webhook.url")
    return line(reply.headers.get("x-slack-req-id") or str(reply.status), 100)


CHANNEL = Channel(
    name="webhook",
    title="Webhook (signed, Slack-compatible)",
    fields=(
        Field("webhook.url", "Address", "secret", required=True),
        Field("webhook.secret", "Signing secret", "secret"),
    ),
    personal=False,
    configured=lambda config: bool(config.webhook.url),
    send=send,
)
