"""The words of messages, a team's own place and words, the channels page: as an admin uses them. Both databases."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.app import create_app
from servicedesk.config import Places
from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.domain.message_words import FIELDS
from servicedesk.domain.messages import fill, unknown_fields
from servicedesk.errors import BadInput, NotAllowed, NotFound
from servicedesk.services import outbox, wording
from servicedesk.services import people as service
from tests.told.receivers import Hook, Mailbox
from tests.told.rows import opened, rows

Crew = dict[str, Actor]
Browser = Callable[[str], FlaskClient]
PASSWORD = "correct horse battery"


def drain(desk: Desk) -> None:
    while outbox.send_due(desk):
        pass


@pytest.fixture
def browser(mailing: Desk, people: Crew) -> Browser:
    def sign_in(name: str) -> FlaskClient:
        service.set_password(mailing, people["admin"], name, PASSWORD)
        client = create_app(mailing).test_client()
        assert client.post("/sign-in", data={"name": name, "password": PASSWORD}).status_code == 303
        return client

    return sign_in


def token(page: str) -> str:
    return page.split('name="csrf_token" value="')[1].split('"')[0]


@pytest.mark.feature("N1")
def test_an_admin_writes_words_of_their_own_sees_them_and_goes_back(
    mailing: Desk, people: Crew, browser: Browser, mailbox: Mailbox
) -> None:
    admin, where = browser("admin"), "/messages/opened/en"
    page = admin.get(where)
    assert page.status_code == 200
    assert "New: {title}" in page.text
    form = {"csrf_token": token(page.text), "subject": "Alarm in {where}: {title}", "lead": "Since {since}. Hurry."}
    seen = admin.post(where, data=form | {"do": "preview"})
    assert "[INC-42] P1 Alarm in checkout · eu-1: Checkout is down" in seen.text
    opened(mailing, people["agent"], "First")
    drain(mailing)
    assert mailbox.to("lead@example.org")[-1]["Subject"] == "[INC-1] P1 New: First"  # a preview changes nothing
    assert admin.post(where, data=form | {"do": "save"}).status_code == 303
    opened(mailing, people["agent"], "Second {number} <b>")
    drain(mailing)
    mail = mailbox.to("lead@example.org")[-1]
    assert mail["Subject"] == "[INC-2] P1 Alarm in General: Second {number} <b>"
    assert "Since 2026-11-02 09:00 UTC. Hurry." in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert admin.post(where, data=form | {"do": "reset"}).status_code == 303
    assert wording.show(mailing, "opened", "en").own is False


@pytest.mark.feature("N1")
def test_a_field_that_there_is_not_is_named(mailing: Desk, people: Crew, browser: Browser) -> None:
    admin, where = browser("admin"), "/messages/opened/fr"
    form = {"csrf_token": token(admin.get(where).text), "subject": "{titel}", "lead": "{owner.__class__} {title}"}
    for do in ("preview", "save"):
        answer = admin.post(where, data=form | {"do": do})
        assert answer.status_code == 422
        assert "titel" in answer.text
        assert "owner.__class__" in answer.text
    with pytest.raises(BadInput, match="There is no field titel; known: number, title"):
        wording.check("{titel}", "x")
    for subject, lead in (("", "x"), ("x", " "), ("a\nb", "x"), ("x" * 151, "x"), ("x", "x" * 401)):
        with pytest.raises(BadInput, match="One line of 1 to"):
            wording.check(subject, lead)


def test_only_an_admin_writes_and_only_what_there_is(mailing: Desk, people: Crew, browser: Browser) -> None:
    with pytest.raises(NotAllowed):
        wording.put(mailing, people["lead"], "opened", "en", "x", "y")
    with pytest.raises(NotFound):
        wording.put(mailing, people["admin"], "opened", "de", "x", "y")
    lead = browser("lead")
    assert [lead.get(path).status_code for path in ("/messages", "/messages/opened/en", "/channels")] == [403] * 3


@given(st.text(), st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text()))
def test_a_value_is_never_looked_at_again(text: str, values: dict[str, str]) -> None:
    made = fill(text, values)
    if "{" not in text:
        assert made == text
    assert fill("{title}", {"title": "{owner}", "owner": "x"}) == "{owner}"
    assert all(name not in FIELDS for name in unknown_fields(text))


@pytest.fixture
def chat(mailing: Desk, hook: Hook) -> Desk:
    """Mail, and Mattermost with two places."""
    places = Places((f"ops: {hook.base}/hooks/1", f"net: {hook.base}/hooks/2"))
    mailing.config = replace(mailing.config, mattermost=places)
    return mailing


@pytest.mark.feature("N10")
def test_a_teams_new_tickets_are_announced_in_its_own_place_in_its_own_words(
    chat: Desk, people: Crew, hook: Hook
) -> None:
    opened(chat, people["agent"])
    drain(chat)
    assert [post.path for post in hook.posts] == ["/hooks/1"]
    service.change_team(chat, people["admin"], "Operations", {"handover": "mattermost:net"})
    wording.put(
        chat, people["admin"], "opened", "en", "{team}: {title}", "{number}, {priority}, {where}.", "Operations"
    )
    number = opened(chat, people["agent"])
    low = opened(chat, people["agent"], "Low", level=3)  # announced there, too, though nobody is called for it
    drain(chat)
    assert [post.path for post in hook.posts[1:]] == ["/hooks/2", "/hooks/2"]
    shown = hook.posts[1].body["attachments"][0]
    assert shown["fallback"] == f"[INC-{number}] P1 Operations: Checkout is down"
    assert {f["title"] for f in shown["fields"]} == {"What", "Where", "Since", "Priority", "Owner", "Number"}
    assert {r.channel for r in rows(chat, low)} == {"mattermost"}


def test_a_place_that_there_is_not_is_refused(chat: Desk, people: Crew) -> None:
    for wrong in ("mattermost:gone", "pigeon:x", "slack:#ops", "email:a@example.org"):
        with pytest.raises(BadInput, match="there are: mattermost:ops, mattermost:net"):
            service.change_team(chat, people["admin"], "Operations", {"handover": wrong})
    service.change_team(chat, people["admin"], "Operations", {"handover": ""})


@pytest.mark.feature("I20")
def test_every_channel_can_be_tested_from_its_page(
    chat: Desk, people: Crew, browser: Browser, mailbox: Mailbox, hook: Hook
) -> None:
    admin = browser("admin")
    page = admin.get("/channels").text
    assert "mattermost.urls" in page
    assert hook.base not in page  # whoever knows the address may post there
    csrf = {"csrf_token": token(page)}
    assert admin.post("/channels/mattermost/test", data=csrf | {"target": "net"}).status_code == 200
    assert [post.path for post in hook.posts] == ["/hooks/2"]
    answer = admin.post("/channels/email/test", data=csrf | {"target": "ops@example.org"})
    assert "2.0.0 Ok: queued as 4X1" in answer.text
    mailbox.answers["no@example.org"] = "550 5.1.1 No such user"
    answer = admin.post("/channels/email/test", data=csrf | {"target": "no@example.org"})
    assert (answer.status_code, "550 5.1.1 No such user" in answer.text) == (422, True)
    assert admin.post("/channels/slack/test", data=csrf).status_code == 422
