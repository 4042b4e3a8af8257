"""Slack by its Web API: chat.postMessage, chat.update in place, threads; buttons by the signed interactive callback.

One message a ticket and place: it shows where the ticket is now; what happens later is told below it, in its thread.
Documented at docs.slack.dev: Web API (chat.postMessage, chat.update, users.info, views.open), Block Kit, and "Verifying
requests from Slack" (X-Slack-Signature: v0=HMAC-SHA256 of "v0:timestamp:body").
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from servicedesk.channels import posting
from servicedesk.channels.channel import Channel, Field, Inbound, NotGenuine, Permanent, Press, Temporary
from servicedesk.config import Config
from servicedesk.domain.incident import parse_number
from servicedesk.domain.messages import Message, line

FRESH = 300.0  # seconds that a callback may be old
_DOWN = {"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout", "not_authed",
         "invalid_auth", "account_inactive", "token_revoked", "token_expired", "missing_scope"}  # fmt: skip
_BUTTONS = {
    "en": {"acknowledge": "Acknowledge", "take": "Take", "note": "Note", "send": "Send", "close": "Cancel"},
    "fr": {
        "acknowledge": "Accuser réception",
        "take": "Prendre",
        "note": "Note",
        "send": "Envoyer",
        "close": "Annuler",
    },
}


def send(config: Config, target: str, message: Message) -> str:
    """Post, or update and post below; answers "channel:ts". Raises Temporary or Permanent."""
    where, _, root = message.root.partition(":")
    if root:
        body = {"channel": where, "ts": root, "text": escape(message.subject), "blocks": blocks(message)}
        _call(config, "chat.update", body)
        if message.event == "state":
            return message.root
    answer = _call(config, "chat.postMessage", _new(config, target, message, where, root))
    return f"{answer.get('channel', '')}:{answer.get('ts', '')}" if not root else message.root


def _new(config: Config, target: str, message: Message, where: str, root: str) -> dict[str, Any]:
    if root:
        words = "\n".join(part for part in (message.lead, message.text) if part)
        return {"channel": where, "thread_ts": root, "text": posting.cut(escape(words), 3000)}
    channel = config.slack.channel if target == "slack" else target
    body = {"channel": channel, "text": escape(message.subject), "blocks": blocks(message)}
    return body | {"unfurl_links": False, "unfurl_media": False}


def blocks(message: Message) -> list[dict[str, Any]]:
    """Block Kit within its limits; what others wrote stands in plain_text alone."""
    facts = [_plain(f"{label}: {value}", 2000) for label, value in message.facts[:10]]
    found: list[dict[str, Any]] = [{"type": "header", "text": _plain(message.subject, 150)}]
    found.append({"type": "section", "text": _plain(message.lead, 3000)} | ({"fields": facts} if facts else {}))
    if message.text:
        found.append({"type": "section", "text": _plain(message.text, 3000)})
    found.append({"type": "actions", "elements": _buttons(message)})
    if message.state:
        found.append({"type": "context", "elements": [_plain(message.state, 2000)]})
    return found


def _buttons(message: Message) -> list[dict[str, Any]]:
    words = _BUTTONS["fr" if message.language == "fr" else "en"]
    acts = [
        {"type": "button", "action_id": act, "value": message.number, "text": _plain(words[act], 75)}
        for act in message.buttons
    ]
    link = {"type": "button", "action_id": "open", "url": message.link, "text": _plain(message.link_title, 75)}
    return [*acts, link]


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": posting.cut(text, limit) or "–", "emoji": False}


def escape(text: str) -> str:
    """The three characters that steer Slack's own text."""
    return posting.no_mention(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def _call(config: Config, method: str, body: Mapping[str, Any], timeout: float = posting.TIMEOUT) -> dict[str, Any]:
    """One call of the Web API. Raises Temporary (later, or to be set right) or Permanent (this place)."""
    headers = {"Authorization": f"Bearer {config.slack.token}", "Content-Type": "application/json; charset=utf-8"}
    url = f"{config.slack.api.rstrip('/')}/{method}"
    answer = posting.post("Slack", url, posting.encode(body), headers, "slack.api", timeout).json()
    if answer.get("ok") is True:
        return answer
    error = line(answer.get("error") or "no answer that it would give", 100)
    if error in _DOWN or not answer:
        raise Temporary(f"Slack, {method}: {error}", down=True)
    raise Permanent(f"Slack, {method}: {error}")


# --- what comes back ------------------------------------------------------------------------------------------------


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """v0=<hex HMAC-SHA256 over "v0:timestamp:body">."""
    return "v0=" + hmac.new(secret.encode(), b"v0:%s:%s" % (timestamp.encode(), body), "sha256").hexdigest()


def verify(config: Config, headers: Mapping[str, str], body: bytes) -> None:
    """Is it from Slack, and fresh? Raises NotGenuine."""
    timestamp = headers.get("X-Slack-Request-Timestamp", "")
    if not config.slack.signing_secret:
        raise NotGenuine("slack.signing_secret is not set: no button of Slack is believed")
    if not (timestamp.isascii() and timestamp.isdigit()) or abs(time.time() - int(timestamp[:12])) > FRESH:
        raise NotGenuine("the time of the request is missing, or too far from now")
    made = signature(config.slack.signing_secret, timestamp, body)
    if not hmac.compare_digest(made.encode(), headers.get("X-Slack-Signature", "").encode()):
        raise NotGenuine("the signature does not fit")


def parse(body: bytes) -> Press | None:
    """A pressed button (block_actions), or the note that was typed (view_submission)."""
    try:
        given = json.loads(parse_qs(body.decode("utf-8", "replace")).get("payload", ["null"])[0])
        return _press(given) if isinstance(given, dict) else None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None


def _press(given: dict[str, Any]) -> Press | None:
    user = str(given["user"]["id"])
    if given.get("type") == "view_submission":
        view = given["view"]
        number, _, answer = str(view["private_metadata"]).partition(" ")
        text = view["state"]["values"]["note"]["text"]["value"]
        incident = parse_number(number)
        return Press("note", incident, user, str(text or ""), answer) if incident else None
    action = given["actions"][0]
    incident = parse_number(str(action.get("value", "")))
    if given.get("type") != "block_actions" or action.get("action_id") not in _BUTTONS["en"] or incident is None:
        return None
    answer, trigger = str(given.get("response_url", "")), str(given.get("trigger_id", ""))
    return Press(action["action_id"], incident, user, answer=answer, trigger=trigger)


def email_of(config: Config, user: str) -> str:
    """The address of somebody in Slack (scope users:read.email); "" where there is none. Raises SendError."""
    headers = {"Authorization": f"Bearer {config.slack.token}", "Content-Type": "application/x-www-form-urlencoded"}
    url = f"{config.slack.api.rstrip('/')}/users.info"
    safe = "".join(c for c in user if c.isalnum())
    answer = posting.post("Slack", url, f"user={safe}".encode(), headers, "slack.api", 2.5).json()
    profile = (answer.get("user") or {}).get("profile") or {}
    return str(profile.get("email", "")) if answer.get("ok") is True else ""


def answer(config: Config, press: Press, text: str) -> None:
    """Say something to who pressed, and to nobody else. Raises SendError."""
    if press.answer.startswith(("https://hooks.slack.com/", config.slack.api.split("/api")[0] + "/")):
        body = {"response_type": "ephemeral", "replace_original": False, "text": escape(text)}
        posting.post("Slack", press.answer, posting.encode(body), {}, timeout=2.5)


def ask_note(config: Config, press: Press) -> None:
    """Open a dialog with one field. Raises SendError."""
    words = _BUTTONS["en"]
    field = {"type": "plain_text_input", "action_id": "text", "multiline": True, "max_length": 3000}
    view = {
        "type": "modal",
        "private_metadata": f"INC-{press.incident_id} {press.answer}"[:3000],
        "title": _plain(f"INC-{press.incident_id}", 24),
        "submit": _plain(words["send"], 24),
        "close": _plain(words["close"], 24),
        "blocks": [{"type": "input", "block_id": "note", "label": _plain(words["note"], 2000), "element": field}],
    }
    _call(config, "views.open", {"trigger_id": press.trigger, "view": view}, 2.5)


CHANNEL = Channel(
    name="slack",
    title="Slack",
    fields=(
        Field("slack.token", "Bot token", "secret", required=True),
        Field("slack.channel", "Channel", required=True),
        Field("slack.signing_secret", "Signing secret", "secret"),
        Field("slack.api", "Address of the Web API", "address"),
    ),
    personal=False,
    configured=lambda config: bool(config.slack.token and config.slack.channel),
    send=send,
    places=lambda config: (config.slack.channel,),
    updates=True,
    inbound=Inbound(verify, parse, email_of, answer, ask_note),
)
