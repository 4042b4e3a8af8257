"""Coming in by mail: invitation and forgotten password, through the pages. Both databases."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from servicedesk.app import create_app
from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.errors import BadInput, NotAllowed
from servicedesk.services import invitations, outbox, sessions
from servicedesk.store.tables import outbox as table
from servicedesk.store.tables import signin_link, user
from tests.support.clock import Clock
from tests.told.receivers import Mailbox
from tests.told.rows import rows

Crew = dict[str, Actor]
GOOD = "correct horse battery"


@pytest.fixture
def browser(mailing: Desk) -> FlaskClient:
    return create_app(mailing).test_client()


def drain(desk: Desk) -> None:
    while outbox.send_due(desk):
        pass


def link_in(mailbox: Mailbox, address: str) -> str:
    text: str = mailbox.to(address)[-1].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    return "/sign-in/link/" + text.split("/sign-in/link/")[1].split()[0]


@pytest.mark.feature("A10")
def test_an_invitation_lets_somebody_in_once(
    mailing: Desk, people: Crew, browser: FlaskClient, mailbox: Mailbox, clock: Clock
) -> None:
    mailing.write(lambda tx: tx.run(update(user).where(user.c.name == "owner").values(language="fr", display="Ann")))
    invitations.invite(mailing, people["admin"], "owner")
    drain(mailing)
    (mail,) = mailbox.to("owner@example.org")
    assert mail["Subject"] == "Vous êtes invité au centre de services"
    assert "Un compte a été créé pour vous : Ann." in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    link = link_in(mailbox, "owner@example.org")
    clock.advance(days=6)
    assert browser.get(link).status_code == 200  # a mail scanner looks at it
    answer = browser.post(link)
    assert (answer.status_code, answer.location) == (303, "/settings#password")
    assert browser.post(link).status_code == 401
    kept = [r.payload for r in rows(mailing)]
    secret = link.rsplit("/", 1)[1]
    assert secret not in str(kept)  # the database alone lets nobody in


def test_an_invitation_ends_after_a_week_and_a_new_one_voids_the_old(
    mailing: Desk, people: Crew, browser: FlaskClient, mailbox: Mailbox, clock: Clock
) -> None:
    links = []
    for _ in range(2):
        invitations.invite(mailing, people["admin"], "owner")
        drain(mailing)
        links.append(link_in(mailbox, "owner@example.org"))
        clock.advance(minutes=1)
    assert [browser.get(link).status_code for link in links] == [404, 200]
    clock.advance(days=7)
    assert browser.get(links[1]).status_code == 404


def test_who_may_invite_whom(mailing: Desk, people: Crew) -> None:
    with pytest.raises(NotAllowed):
        invitations.invite(mailing, people["lead"], "owner")
    mailing.write(lambda tx: tx.run(update(user).where(user.c.name == "owner").values(email="")))
    with pytest.raises(BadInput, match="no mail address"):
        invitations.invite(mailing, people["admin"], "owner")


def test_without_a_mail_server_it_is_said(desk: Desk, people: Crew) -> None:
    with pytest.raises(BadInput, match=r"set mail\.host"):
        invitations.invite(desk, people["admin"], "owner")
    page = create_app(desk).test_client().get("/sign-in").text
    assert "/sign-in/forgotten" not in page


@pytest.mark.feature("A10")
@pytest.mark.parametrize("who", ["owner", "OWNER@example.org", " owner@example.org "])
def test_a_forgotten_password_is_set_anew_by_a_mailed_link(
    mailing: Desk, people: Crew, browser: FlaskClient, mailbox: Mailbox, who: str
) -> None:
    from servicedesk.services import people as service

    service.set_password(mailing, people["admin"], "owner", GOOD)
    assert "/sign-in/forgotten" in browser.get("/sign-in").text
    assert browser.post("/sign-in/forgotten", data={"name": who}).status_code == 200
    drain(mailing)
    assert sessions.sign_in(mailing, "owner", GOOD).actor.name == "owner"  # until the link is used nothing changed
    link = link_in(mailbox, "owner@example.org")
    assert browser.post(link).status_code == 303
    assert browser.get("/settings").status_code == 200


def test_nobody_learns_who_has_an_account(mailing: Desk, people: Crew, browser: FlaskClient, mailbox: Mailbox) -> None:
    mailing.write(lambda tx: tx.run(update(user).where(user.c.name == "stranger").values(active=False)))
    mailing.write(lambda tx: tx.run(update(user).where(user.c.name == "reviewer").values(email="")))
    asked = ("owner", "nobody", "stranger", "reviewer", "nobody@example.org", "", "x" * 300, "a\x00b", "é\u202e")
    answers = {browser.post("/sign-in/forgotten", data={"name": who}).data for who in asked}
    assert len(answers) == 1
    drain(mailing)
    assert [to for to, _ in mailbox.received] == [["owner@example.org"]]


def test_asking_again_and_again_floods_nobody(mailing: Desk, people: Crew, mailbox: Mailbox, clock: Clock) -> None:
    for _ in range(10):
        invitations.ask_reset(mailing, "owner")
        clock.advance(seconds=20)
    drain(mailing)
    assert len(mailbox.mails) == 1
    clock.advance(minutes=5)
    invitations.ask_reset(mailing, "owner")
    drain(mailing)
    assert len(mailbox.mails) == 2
    with mailing.read() as tx:
        assert tx.run(select(func.count()).select_from(signin_link)).scalar_one() == 1


def test_a_reset_does_not_void_an_invitation(
    mailing: Desk, people: Crew, mailbox: Mailbox, browser: FlaskClient
) -> None:
    invitations.invite(mailing, people["admin"], "owner")
    drain(mailing)
    link = link_in(mailbox, "owner@example.org")
    invitations.ask_reset(mailing, "owner")
    assert browser.get(link).status_code == 200


def test_the_link_of_a_reset_ends_after_an_hour(
    mailing: Desk, people: Crew, mailbox: Mailbox, browser: FlaskClient, clock: Clock
) -> None:
    invitations.ask_reset(mailing, "owner")
    drain(mailing)
    clock.advance(timedelta(hours=1))
    assert browser.get(link_in(mailbox, "owner@example.org")).status_code == 404
    with mailing.read() as tx:
        assert tx.run(select(table.c.incident_id)).scalars().all() == [None]
