"""Signing in: the same answer to every wrong try, growing delays, links that work once, sessions that end."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.errors import BadInput, NotAllowed, NotFound, NotSignedIn
from servicedesk.services import people, sessions
from servicedesk.services.people import NewUser
from servicedesk.services.shared import passwords
from servicedesk.store.tables import session, user
from servicedesk.store.views import people as views
from tests.support.clock import Clock
from tests.support.crew import crew

PASSWORD = "correct horse battery"
Actors = dict[str, Actor]


@pytest.fixture
def actors(desk: Desk) -> Actors:
    made = crew(desk)
    people.add_user(desk, made["admin"], NewUser("anna", ("agent",), password=PASSWORD, language="fr"))
    return made


def wrong(desk: Desk, name: str = "anna", password: str = "not the password") -> str:
    with pytest.raises(NotSignedIn) as refused:
        sessions.sign_in(desk, name, password)
    return str(refused.value)


@pytest.mark.feature("A2")
def test_by_password(desk: Desk, actors: Actors) -> None:
    came = sessions.sign_in(desk, "Anna", PASSWORD, "A\nbrowser")
    assert (came.actor.name, came.actor.scopes, came.language, came.has_password) == ("anna", None, "fr", True)
    again = sessions.authenticate(desk, came.cookie)
    assert again is not None
    assert (again.actor, again.csrf, again.cookie) == (came.actor, came.csrf, "")
    with desk.read() as tx:
        row = tx.run(select(session)).one()
        hashed = tx.run(select(user.c.password_hash).where(user.c.name == "anna")).scalar_one()
    assert came.cookie not in repr(row)
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert row.agent == "Abrowser"


@pytest.mark.feature("A2")
def test_every_wrong_try_gets_the_same_sentence(desk: Desk, actors: Actors) -> None:
    people.add_user(desk, actors["admin"], NewUser("gone", ("agent",), password=PASSWORD))
    people.change_user(desk, actors["admin"], "gone", {"active": False})
    told = {wrong(desk), wrong(desk, "nobody"), wrong(desk, ""), wrong(desk, "gone", PASSWORD), wrong(desk, "agent")}
    told |= {wrong(desk, "anna", ""), wrong(desk, "anna", PASSWORD + "x" * 500), wrong(desk, "x" * 5000, "\x00")}
    assert len(told) == 1


@pytest.mark.feature("A2")
def test_the_delay_grows_and_holds_for_the_right_password_too(desk: Desk, actors: Actors, clock: Clock) -> None:
    for _ in range(sessions.FREE_TRIES - 1):
        wrong(desk)
    sessions.sign_in(desk, "anna", PASSWORD)  # starts the count again
    for _ in range(sessions.FREE_TRIES):
        wrong(desk)
    wrong(desk, "anna", PASSWORD)
    clock.advance(seconds=30)
    wrong(desk)
    clock.advance(seconds=30)
    wrong(desk, "anna", PASSWORD)  # the second delay is 60 s
    clock.advance(seconds=30)
    assert sessions.sign_in(desk, "anna", PASSWORD).actor.name == "anna"
    with desk.read() as tx:
        log = tx.run(text("SELECT count(*) FROM timeline WHERE incident_id = 0 AND kind = 'lockout'")).scalar()
    assert log == 2


@pytest.mark.feature("A2")
def test_the_delay_has_a_ceiling(desk: Desk, actors: Actors, clock: Clock) -> None:
    for _ in range(20):
        wrong(desk)
        clock.advance(minutes=16)
    with desk.read() as tx:
        row = tx.run(select(user).where(user.c.name == "anna")).one()
    assert row.locked_until - (clock.now() - timedelta(minutes=16)) == sessions.LONGEST_DELAY


@pytest.mark.feature("A2")
def test_many_tries_at_once_count_each(desk: Desk, actors: Actors) -> None:
    """Tries are counted before the password is looked at: parallel ones do not slip through."""
    answers: list[str] = []

    def attempt(password: str) -> None:
        try:
            sessions.sign_in(desk, "anna", password)
            answers.append("in")
        except NotSignedIn:
            answers.append("out")

    threads = [threading.Thread(target=attempt, args=(f"guess number {i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == ["out"] * 8
    with desk.read() as tx:
        row = tx.run(select(user).where(user.c.name == "anna")).one()
    assert row.failed_logins == sessions.FREE_TRIES
    assert row.locked_until is not None


@pytest.mark.feature("A2")
def test_a_link_works_once_and_voids_the_password(desk: Desk, actors: Actors, clock: Clock) -> None:
    old = sessions.sign_in(desk, "anna", PASSWORD)
    first = people.signin_link(desk, actors["admin"], "anna")
    secret = people.signin_link(desk, actors["admin"], "anna")
    assert not sessions.link_is_fresh(desk, first)
    assert sessions.link_is_fresh(desk, secret)
    came = sessions.use_link(desk, secret)
    assert (came.actor.name, came.has_password) == ("anna", False)
    assert sessions.authenticate(desk, old.cookie) is None
    assert not sessions.link_is_fresh(desk, secret)
    for spent in (first, secret, "nonsense"):
        with pytest.raises(NotSignedIn, match="used already"):
            sessions.use_link(desk, spent)
    wrong(desk, "anna", PASSWORD)
    people.set_password(desk, came.actor, "anna", "another good one", keep_session=came.key)
    assert sessions.authenticate(desk, came.cookie) is not None
    assert sessions.sign_in(desk, "anna", "another good one").has_password


@pytest.mark.feature("A2")
def test_a_link_is_too_old_after_a_day_and_void_for_a_disabled_account(
    desk: Desk, actors: Actors, clock: Clock
) -> None:
    late, barred = (people.signin_link(desk, actors["admin"], name) for name in ("anna", "agent"))
    people.change_user(desk, actors["admin"], "agent", {"active": False})
    with pytest.raises(NotSignedIn):
        sessions.use_link(desk, barred)
    clock.advance(hours=24)
    with pytest.raises(NotSignedIn):
        sessions.use_link(desk, late)
    with pytest.raises(BadInput, match="disabled"):
        people.signin_link(desk, actors["admin"], "agent")


@pytest.mark.feature("A2")
def test_sessions_end_idle_or_old(desk: Desk, actors: Actors, clock: Clock) -> None:
    came = sessions.sign_in(desk, "anna", PASSWORD)
    for _ in range(27):  # used every half day but one hour
        clock.advance(hours=11)
        assert sessions.authenticate(desk, came.cookie) is not None
    clock.advance(hours=12)
    assert sessions.authenticate(desk, came.cookie) is None
    other = sessions.sign_in(desk, "anna", PASSWORD)
    for _ in range(30):
        clock.advance(hours=11)
        sessions.authenticate(desk, other.cookie)
    clock.advance(hours=11)
    assert sessions.authenticate(desk, other.cookie) is None
    assert sessions.clean(desk) == 2
    with desk.read() as tx:
        assert tx.run(select(session)).all() == []


@pytest.mark.feature("A2")
def test_sessions_are_listed_and_revoked(desk: Desk, actors: Actors) -> None:
    here, there = (sessions.sign_in(desk, "anna", PASSWORD, name) for name in ("here", "there"))
    anna = here.actor
    with desk.read() as tx:
        listed = views.sessions(tx, int(anna.id or 0))
    assert {s.agent for s in listed} == {"here", "there"}
    with pytest.raises(NotFound):
        sessions.revoke(desk, actors["agent"], there.key)
    sessions.revoke(desk, anna, there.key)
    assert sessions.authenticate(desk, there.cookie) is None
    assert sessions.authenticate(desk, here.cookie) is not None
    there = sessions.sign_in(desk, "anna", PASSWORD)
    with pytest.raises(NotAllowed):
        sessions.revoke_all(desk, actors["agent"], "anna")
    assert sessions.revoke_all(desk, anna, "anna", keep=here.key) == 1
    assert sessions.revoke_all(desk, actors["admin"], "anna") == 1
    assert sessions.authenticate(desk, here.cookie) is None
    out = sessions.sign_in(desk, "anna", PASSWORD)
    sessions.sign_out(desk, out.cookie)
    assert sessions.authenticate(desk, out.cookie) is None


@pytest.mark.feature("A1", "A2")
def test_a_changed_account_changes_its_sessions_at_once(desk: Desk, actors: Actors) -> None:
    came = sessions.sign_in(desk, "anna", PASSWORD)
    people.change_user(desk, actors["admin"], "anna", {"roles": ["reviewer"]})
    now = sessions.authenticate(desk, came.cookie)
    assert now is not None
    assert now.actor.roles == {"reviewer"}
    people.change_user(desk, actors["admin"], "anna", {"active": False})
    people.change_user(desk, actors["admin"], "anna", {"active": True})
    assert sessions.authenticate(desk, came.cookie) is None


@pytest.mark.feature("A2")
def test_passwords_that_are_refused_and_who_sets_them(desk: Desk, actors: Actors) -> None:
    anna = sessions.sign_in(desk, "anna", PASSWORD).actor
    for bad in ("short", "x" * 201, "aaaaaaaaaaaa", "1212121212"):
        with pytest.raises(BadInput):
            people.set_password(desk, anna, "anna", bad, current=PASSWORD)
    with pytest.raises(BadInput, match="not your password"):
        people.set_password(desk, anna, "anna", "a new good one", current="wrong")
    with pytest.raises(NotAllowed):
        people.set_password(desk, actors["agent"], "anna", "a new good one")
    with pytest.raises(NotFound):
        people.set_password(desk, actors["admin"], "nobody", "a new good one")
    other = sessions.sign_in(desk, "anna", PASSWORD)
    people.set_password(desk, actors["admin"], "anna", "set by the admin")
    assert sessions.authenticate(desk, other.cookie) is None
    assert sessions.sign_in(desk, "anna", "set by the admin")


def test_hashing_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never more than two hashes at a time, however many ask."""
    running, most, lock = 0, 0, threading.Lock()
    real = passwords._hasher()

    class Counting:
        def verify(self, hashed: str, password: bytes) -> bool:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            try:
                return real.verify(hashed, password)
            finally:
                with lock:
                    running -= 1

    hashed = passwords.make(PASSWORD, "anna")
    monkeypatch.setattr(passwords, "_hasher", Counting)
    threads = [threading.Thread(target=passwords.check, args=(hashed, PASSWORD)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert 1 <= most <= 2
