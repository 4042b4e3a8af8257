"""One signed post a notice, Slack-compatible: Slack, Mattermost and Rocket.Chat show it, any program can check it.

Signature: Standard Webhooks 1.0.0 (webhook-id, webhook-timestamp, webhook-signature "v1,<base64 HMAC-SHA256>" over
"id.timestamp.body"). The id is the same at every try: a receiver drops a double by it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from servicedesk import __version__
from servicedesk.channels.channel import Channel, Permanent, Temporary
from servicedesk.config import Config
from servicedesk.domain.messages import Message, line

if TYPE_CHECKING:
    import requests

TIMEOUT = 10.0  # seconds, to connect and between two bytes of the answer
_LATER = {408, 425, 429}
_MENTION = re.compile(r"@(?=\w)")


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
    blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": title}})
    lines = [f"*{escape(message.subject)}*", escape(message.lead)]
    lines += [f"{escape(label)}: {escape(value)}" for label, value in message.facts]
    lines += [escape(message.text)] if message.text else []
    return {"text": "\n".join([*lines, title]), "blocks": blocks}


def escape(text: str) -> str:
    """Slack's three characters; and no @channel wakes a whole room where mentions are read out of plain text."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MENTION.sub("@\u200b", safe)


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": text if len(text) <= limit else text[: limit - 1] + "…", "emoji": False}


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
    import requests  # here, because the desk starts without it

    body = json.dumps(body_of(message), ensure_ascii=False).encode()
    now = int(time.time())  # the receiver compares it with its own clock
    webhook_id = f"msg_{message.id}"
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"servicedesk/{__version__}",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(now),
    }
    if config.webhook.secret:
        headers["webhook-signature"] = signature(config.webhook.secret, webhook_id, now, body)
    try:
        return _post(config.webhook.url, body, headers)
    except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema) as e:
        raise Temporary(f"webhook.url cannot be used: {line(e)}", down=True) from e
    except requests.RequestException as error:
        raise Temporary(f"the webhook does not answer: {line(_reason(error))}", down=True) from error


def _post(url: str, body: bytes, headers: dict[str, str]) -> str:
    import requests

    with requests.Session() as session:
        session.trust_env = False  # no proxy, no .netrc from the environment
        with session.post(
            url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False, stream=True
        ) as response:
            _judge(response)
            return line(response.headers.get("x-slack-req-id") or str(response.status_code), 100)


def _judge(response: requests.Response) -> None:
    code = response.status_code
    if 200 <= code < 300:
        return
    if 300 <= code < 400:
        raise Permanent(f"the webhook answered {code}: redirects are not followed, configure the address it leads to")
    said = f"the webhook answered {code}: {_beginning(response)}"
    if code in _LATER or code >= 500:
        raise Temporary(said, retry_after(response.headers.get("retry-after", ""), datetime.now(UTC)), code == 429)
    raise Permanent(said)


def _beginning(response: requests.Response) -> str:
    """The first words of the answer: it is somebody else's, and may be endless."""
    raw = next(response.iter_content(300), b"")
    return line(raw.decode("utf-8", "replace"), 200)


def retry_after(value: str, now: datetime) -> float | None:
    """Seconds of a Retry-After header (RFC 9110: a number or a date); None when there is none."""
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())


def _reason(error: Exception) -> str:
    """The innermost cause: requests wraps three times, with object addresses in the text."""
    while (inner := error.__cause__ or error.__context__ or getattr(error, "reason", None)) is not None:
        if not isinstance(inner, Exception):
            break
        error = inner
    return str(error) or type(error).__name__


CHANNEL = Channel(
    name="webhook",
    title="Webhook (Slack-compatible)",
    fields=("webhook.url", "webhook.secret"),
    personal=False,
    configured=lambda config: bool(config.webhook.url),
    send=send,
)
