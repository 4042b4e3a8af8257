"""Acting from the message: the acknowledge link on a phone, the buttons in Slack. Real HTTP to the application."""

import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

from servicedesk.app import create_app
from servicedesk.config import Slack
from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.errors import NotFound
from servicedesk.services import acting, incidents, outbox
from tests.support.clock import Clock
from tests.told.receivers import Hook, Mailbox, hook_server
from tests.told.rows import lines, opened, row_of, rows, set_incident

Crew = dict[str, Actor]
SIGNING = "8f742231b10e8888abcd99yyyzzz85a5"


def drain(desk: Desk) -> None:
    while outbox.send_due(desk):
        pass


@pytest.fixture
def phone(mailing: Desk) -> FlaskClient:
    """A browser that nobody signed in with."""
    return create_app(mailing).test_client()


def main(page: str) -> str:
    return page.split("<main")[1].split("</main>")[0]


def mailed_link(desk: Desk, mailbox: Mailbox, address: str) -> str:
    drain(desk)
    text = mailbox.to(address)[-1].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    return "/portal/acknowledge/" + text.split("/portal/acknowledge/")[1].split()[0]


@pytest.mark.feature("N2")
def test_the_link_opens_a_page_with_one_button_and_the_button_takes_the_ticket(
    mailing: Desk, people: Crew, phone: FlaskClient, mailbox: Mailbox
) -> None:
    number = opened(mailing, people["agent"])
    link = mailed_link(mailing, mailbox, "lead@example.org")
    before = row_of(mailing, number)
    for _ in range(2):  # a mail scanner looks at it, too
        page = phone.get(link)
        assert page.status_code == 200
        assert main(page.text).count("<button") == 1
        assert "Checkout is down" in page.text
    assert row_of(mailing, number) == before
    assert phone.post(link).status_code == 303
    assert (row_of(mailing, number).status, row_of(mailing, number).owner_id) == ("in_progress", people["lead"].id)
    assert lines(mailing, number, "status")[-1]["owner"] == people["lead"].id
    version = row_of(mailing, number).version
    assert phone.post(link).status_code == 303  # again: nothing
    assert row_of(mailing, number).version == version
    assert "<button" not in main(phone.get(link).text)


def test_each_persons_link_is_their_own(mailing: Desk, people: Crew, phone: FlaskClient, mailbox: Mailbox) -> None:
    number = opened(mailing, people["agent"])
    drain(mailing)
    one, two = (mailed_link(mailing, mailbox, f"{name}@example.org") for name in ("lead", "lead2"))
    assert one != two
    phone.post(two)
    phone.post(one)  # too late to own it, but it is noted who is on it
    assert row_of(mailing, number).owner_id == people["lead2"].id
    assert len(lines(mailing, number, "acknowledged")) == 1


def test_the_link_ends(mailing: Desk, people: Crew, phone: FlaskClient, mailbox: Mailbox, clock: Clock) -> None:
    number = opened(mailing, people["agent"])
    link = mailed_link(mailing, mailbox, "lead@example.org")
    clock.advance(days=3)
    assert phone.get(link).status_code == 404
    assert phone.post(link).status_code == 404
    assert row_of(mailing, number).status == "new"


def test_a_link_is_for_its_purpose_alone(mailing: Desk, people: Crew, phone: FlaskClient, mailbox: Mailbox) -> None:
    opened(mailing, people["agent"])
    secret = mailed_link(mailing, mailbox, "lead@example.org").rsplit("/", 1)[1]
    for path in (f"/portal/confirm/{secret}", f"/sign-in/link/{secret}"):
        assert phone.get(path).status_code == 404
    for wrong in ("x", secret[:-1] + ("A" if secret[-1] != "A" else "B"), "%00", "é" * 50):
        assert phone.get(f"/portal/acknowledge/{wrong}").status_code == 404


def test_who_left_acts_no_more(mailing: Desk, people: Crew, phone: FlaskClient, mailbox: Mailbox) -> None:
    from sqlalchemy import update

    from servicedesk.store.tables import user

    opened(mailing, people["agent"])
    link = mailed_link(mailing, mailbox, "lead@example.org")
    mailing.write(lambda tx: tx.run(update(user).where(user.c.name == "lead").values(active=False)))
    assert phone.post(link).status_code == 404


def test_what_is_over_is_not_taken(mailing: Desk, people: Crew, phone: FlaskClient, mailbox: Mailbox) -> None:
    number = opened(mailing, people["agent"])
    link = mailed_link(mailing, mailbox, "lead@example.org")
    set_incident(mailing, number, status="cancelled")
    assert phone.post(link).status_code == 409
    assert row_of(mailing, number).status == "cancelled"


# --- Slack -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def slack() -> Iterator[Hook]:
    """A recorder that answers as Slack's Web API documents it."""
    with hook_server(slack_answers) as api:
        yield api


def slack_answers(path: str, body: bytes) -> bytes:
    if path.endswith("users.info"):
        emails = {b"user=ULEAD": "Lead@example.org", b"user=UREQ": "requester@example.org"}
        found = {"ok": True, "user": {"profile": {"email": emails.get(body, "")}}}
        return json.dumps(found).encode()
    if path.endswith(("chat.postMessage", "chat.update")):
        given = json.loads(body)
        return json.dumps({"ok": True, "channel": "C1", "ts": given.get("ts", "1503435956.000247")}).encode()
    return b'{"ok": true}'


@pytest.fixture
def chatting(mailing: Desk, slack: Hook) -> Desk:
    settings = Slack(token="xoxb-1", channel="#ops", signing_secret=SIGNING, api=slack.base + "/api")
    mailing.config = replace(mailing.config, slack=settings)
    return mailing


def called(slack: Hook, method: str) -> list[dict[str, Any]]:
    return [post.body for post in slack.posts if post.path == f"/api/{method}"]


def pressed(desk: Desk, slack: Hook, act: str, number: int, user: str = "ULEAD", **change: Any) -> int:
    """Slack's request for a pressed button, as documented (block_actions); answers the status."""
    payload: dict[str, Any] = {
        "type": "block_actions",
        "user": {"id": user, "username": "x"},
        "trigger_id": "13345224609.738474920.8088930838d88f008e0",
        "response_url": slack.base + "/actions/T1/1/x",
        "container": {"type": "message", "message_ts": "1503435956.000247", "channel_id": "C1"},
        "actions": [{"type": "button", "action_id": act, "value": f"INC-{number}", "action_ts": "1"}],
    } | change
    return sent_by_slack(desk, payload)


def sent_by_slack(desk: Desk, payload: Any, secret: str = SIGNING, age: int = 0) -> int:
    body = urlencode({"payload": json.dumps(payload)}).encode()
    timestamp = str(int(time.time()) - age)
    made = "v0=" + hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, "sha256").hexdigest()
    headers = {"X-Slack-Signature": made, "X-Slack-Request-Timestamp": timestamp}
    client = create_app(desk).test_client()
    address = "/api/v1/channels/slack/actions"
    form = "application/x-www-form-urlencoded"
    return client.post(address, data=body, headers=headers, content_type=form).status_code


@pytest.mark.feature("N1", "N2")
def test_one_message_in_slack_that_shows_where_the_ticket_is(chatting: Desk, people: Crew, slack: Hook) -> None:
    number = opened(chatting, people["agent"])
    drain(chatting)
    (posted,) = called(slack, "chat.postMessage")
    assert posted["channel"] == "#ops"
    kinds = [block["type"] for block in posted["blocks"]]
    assert kinds == ["header", "section", "actions", "context"]
    buttons = {e["action_id"]: e.get("value") for e in posted["blocks"][2]["elements"]}
    assert buttons == {"acknowledge": f"INC-{number}", "take": f"INC-{number}", "note": f"INC-{number}", "open": None}
    assert slack.posts[0].headers["authorization"] == "Bearer xoxb-1"
    assert [r.provider_id for r in rows(chatting, number) if r.channel == "slack"] == ["C1:1503435956.000247"]
    incidents.take(chatting, people["owner"], number)
    drain(chatting)
    (update,) = called(slack, "chat.update")
    assert (update["channel"], update["ts"]) == ("C1", "1503435956.000247")
    assert "In progress" in json.dumps(update["blocks"])
    assert [e["action_id"] for e in update["blocks"][2]["elements"]] == ["take", "note", "open"]
    assert len(called(slack, "chat.postMessage")) == 1


def test_what_happens_later_is_told_in_its_thread(chatting: Desk, people: Crew, slack: Hook) -> None:
    number = opened(chatting, people["agent"], requester="requester")
    drain(chatting)
    incidents.comment(chatting, people["requester"], number, "It is <!channel> worse & @here", public=True)
    drain(chatting)
    reply = called(slack, "chat.postMessage")[-1]
    assert reply["thread_ts"] == "1503435956.000247"
    assert "&lt;!channel&gt; worse &amp; @\u200bhere" in reply["text"]


@pytest.mark.feature("N2")
@pytest.mark.parametrize("act", ["acknowledge", "take"])
def test_a_button_takes_the_ticket_for_who_pressed_it(chatting: Desk, people: Crew, slack: Hook, act: str) -> None:
    number = opened(chatting, people["agent"])
    assert pressed(chatting, slack, act, number) == 200
    assert row_of(chatting, number).owner_id == people["lead"].id
    answer = next(post for post in slack.posts if post.path == "/actions/T1/1/x")
    assert answer.body == {
        "response_type": "ephemeral",
        "replace_original": False,
        "text": f"INC-{number} is yours.",
    }


def test_a_note_is_asked_for_and_kept(chatting: Desk, people: Crew, slack: Hook) -> None:
    number = opened(chatting, people["agent"])
    assert pressed(chatting, slack, "note", number) == 200
    (asked,) = called(slack, "views.open")
    assert asked["trigger_id"].startswith("13345224609")
    view = asked["view"]
    payload = {
        "type": "view_submission",
        "user": {"id": "ULEAD"},
        "view": {
            "private_metadata": view["private_metadata"],
            "state": {"values": {"note": {"text": {"type": "plain_text_input", "value": "Rebooted it."}}}},
        },
    }
    assert sent_by_slack(chatting, payload) == 200
    assert [line["text"] for line in lines(chatting, number, "note")] == ["Rebooted it."]


@pytest.mark.parametrize("user", ["UREQ", "UNKNOWN", "../x"])
def test_who_is_no_agent_here_changes_nothing(chatting: Desk, people: Crew, slack: Hook, user: str) -> None:
    number = opened(chatting, people["agent"])
    assert pressed(chatting, slack, "take", number, user=user) == 200
    assert row_of(chatting, number).status == "new"
    assert "INC" not in slack.posts[-1].body["text"]


@pytest.mark.feature("N2")
def test_only_slack_itself_is_believed(chatting: Desk, people: Crew, slack: Hook) -> None:
    number = opened(chatting, people["agent"])
    payload = {
        "type": "block_actions",
        "user": {"id": "ULEAD"},
        "actions": [{"action_id": "take", "value": f"{number}"}],
    }
    assert sent_by_slack(chatting, payload, secret="wrong") == 401
    assert sent_by_slack(chatting, payload, age=400) == 401  # a recorded request, played again
    assert sent_by_slack(chatting, payload, age=-400) == 401
    client = create_app(chatting).test_client()
    assert client.post("/api/v1/channels/slack/actions", data=b"payload={}").status_code == 401
    assert client.post("/api/v1/channels/email/actions", data=b"").status_code == 404
    chatting.config = replace(chatting.config, slack=replace(chatting.config.slack, signing_secret=""))
    assert sent_by_slack(chatting, payload, secret="") == 401
    assert row_of(chatting, number).status == "new"


@pytest.mark.parametrize(
    "payload", [None, [], {}, {"user": {"id": "U"}, "actions": []}, {"type": "view_submission"}, "x"]
)
def test_what_makes_no_sense_is_left_alone(chatting: Desk, people: Crew, payload: Any) -> None:
    assert sent_by_slack(chatting, payload) == 200


def test_there_is_no_offer_for_a_link_that_is_unknown(mailing: Desk) -> None:
    with pytest.raises(NotFound):
        acting.offer(mailing, "x")
