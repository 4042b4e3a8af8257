"""The first start: enough to begin with, shown once, whoever and however many start it."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import func, select, text

from servicedesk.desk import Desk
from servicedesk.domain.incident import SYSTEM, Actor
from servicedesk.errors import NotSignedIn
from servicedesk.services import people, sessions, setup, tokens
from servicedesk.services.people import NewUser
from servicedesk.services.setup import FirstRun
from servicedesk.store.tables import token, user
from servicedesk.store.views import people as views

OPERATOR = Actor(None, "operator", frozenset({"admin"}))


@pytest.mark.feature("O9", "A1")
def test_a_new_desk_has_what_it_needs(desk: Desk) -> None:
    first = setup.first_run(desk)
    assert first.admin == "admin"
    assert first.signin_path == f"/sign-in/link/{first.signin_secret}"
    assert tokens.authenticate(desk, first.ingest_token).scopes == {"ingest"}
    came = sessions.use_link(desk, first.signin_secret)
    assert came.actor.roles == {"admin"}
    with desk.read() as tx:
        teams, services = views.teams(tx), views.services(tx)
        secrets = str(tx.run(text("SELECT content FROM timeline_content")).scalars().all())
    assert [(t.name, [(m.name, m.lead) for m in t.members]) for t in teams] == [("Operations", [("admin", True)])]
    assert [s.name for s in services] == ["General"]
    assert first.signin_secret not in secrets
    assert setup.first_run(desk) == FirstRun()
    assert FirstRun().signin_path == ""


@pytest.mark.feature("O9")
def test_an_admin_who_never_came_in_gets_a_new_link(desk: Desk) -> None:
    first, second = setup.first_run(desk), setup.first_run(desk)
    assert (second.admin, second.ingest_token) == ("admin", "")
    with pytest.raises(NotSignedIn):
        sessions.use_link(desk, first.signin_secret)
    assert sessions.use_link(desk, second.signin_secret)
    assert setup.first_run(desk) == FirstRun()


def test_who_was_added_by_hand_is_left_alone(desk: Desk) -> None:
    people.add_user(desk, OPERATOR, NewUser("boss", ("admin",), password="correct horse b"))
    first = setup.first_run(desk)
    assert (first.admin, first.signin_secret) == ("", "")
    assert first.ingest_token.startswith("sd_")
    with desk.read() as tx:
        assert tx.run(select(user.c.name)).scalars().all() == ["boss"]
    assert setup.first_run(desk) == FirstRun()


def test_a_revoked_first_token_is_not_made_again(desk: Desk) -> None:
    first = setup.first_run(desk)
    tokens.revoke(desk, OPERATOR, first.ingest_token.split("_")[1])
    assert setup.first_run(desk).ingest_token == ""


def test_starts_at_once_make_one_of_each(desk: Desk) -> None:
    answers: list[FirstRun] = []
    threads = [threading.Thread(target=lambda: answers.append(setup.first_run(desk))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len([a for a in answers if a.ingest_token]) == 1
    with desk.read() as tx:
        assert [tx.run(select(func.count()).select_from(table)).scalar() for table in (user, token)] == [1, 1]
    assert SYSTEM.system
