"""Tokens: shown once, scoped, revocable, two at a time for one source; remembered for a minute, never longer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from servicedesk.desk import Desk
from servicedesk.domain.incident import ADMIN, AGENT, LEAD, REVIEWER, Actor
from servicedesk.errors import BadInput, Busy, NotAllowed, NotFound, NotSignedIn
from servicedesk.services import people, tokens
from servicedesk.store.tables import token
from tests.support.clock import Clock
from tests.support.crew import crew
from tests.support.waiting import wait_until

ALL = ("ingest", "read", "work", "review", "admin")


@pytest.fixture
def actors(desk: Desk) -> dict[str, Actor]:
    return crew(desk)


@pytest.fixture
def admin(actors: dict[str, Actor]) -> Actor:
    return actors["admin"]


@pytest.mark.feature("A1")
def test_a_token_is_who_made_it_can_be(desk: Desk, admin: Actor) -> None:
    made = tokens.create(desk, admin, user="lead", scopes=("read", "work"))
    actor = tokens.authenticate(desk, made)
    assert (actor.name, actor.scopes) == ("lead", frozenset({"read", "work"}))
    assert actor.has(AGENT)
    assert actor.has(LEAD)
    assert not actor.has(ADMIN)
    assert [actor.may(scope) for scope in ALL] == [False, True, True, False, False]
    reading = tokens.authenticate(desk, tokens.create(desk, admin, user="admin", scopes=("read",)))
    assert not any(reading.has(role) for role in (AGENT, LEAD, REVIEWER, ADMIN))


@pytest.mark.feature("A1")
def test_only_a_hash_is_stored(desk: Desk, admin: Actor) -> None:
    made = tokens.create(desk, admin, service="am", scopes=("ingest",))
    kind, token_id, secret = made.split("_", 2)
    assert (kind, len(token_id)) == ("sd", 12)
    assert len(secret) == 43  # 256 bits
    with desk.read() as tx:
        row = tx.run(select(token).where(token.c.id == token_id)).one()
        log = str(tx.run(text("SELECT content FROM timeline_content")).scalars().all())
    assert secret not in repr(row)
    assert secret not in log
    assert token_id in log


@pytest.mark.feature("A1")
def test_a_service_is_no_person(desk: Desk, admin: Actor) -> None:
    """Its token sends and reads; nothing that a person has to answer for."""
    for scope in ("review", "admin"):
        with pytest.raises(BadInput, match="person"):
            tokens.create(desk, admin, service="ci", scopes=("read", scope))
    actor = tokens.authenticate(desk, tokens.create(desk, admin, service="ci", scopes=("ingest", "read", "work")))
    assert (actor.id, actor.name) == (None, "ci")
    assert not any(actor.has(role) for role in (AGENT, LEAD, REVIEWER, ADMIN))


@pytest.mark.feature("I21")
def test_two_tokens_of_one_source_are_valid_at_once(desk: Desk, admin: Actor) -> None:
    old = tokens.create(desk, admin, service="am", scopes=("ingest",), source="prod-am")
    new = tokens.create(desk, admin, service="am", scopes=("ingest",), source="prod-am")
    assert {tokens.authenticate(desk, made).source for made in (old, new)} == {"prod-am"}
    tokens.revoke(desk, admin, old.split("_")[1])
    with pytest.raises(NotSignedIn):
        tokens.authenticate(desk, old)
    assert tokens.authenticate(desk, new).source == "prod-am"


@pytest.mark.feature("A1")
def test_expiry_counts_also_for_a_remembered_token(desk: Desk, admin: Actor, clock: Clock) -> None:
    made = tokens.create(desk, admin, service="am", scopes=("ingest",), expires_in=timedelta(seconds=90))
    tokens.authenticate(desk, made)
    clock.advance(seconds=59)
    tokens.authenticate(desk, made)
    clock.advance(seconds=2)
    tokens.authenticate(desk, made)
    clock.advance(seconds=29)
    with pytest.raises(NotSignedIn):
        tokens.authenticate(desk, made)


@pytest.mark.feature("A1")
def test_what_another_process_changed_is_seen_within_a_minute(desk: Desk, admin: Actor, clock: Clock) -> None:
    made = tokens.create(desk, admin, user="agent", scopes=("read",))
    tokens.authenticate(desk, made)
    desk.write(lambda tx: tx.run(text("UPDATE token SET revoked_at = 1")) and None)  # another process
    clock.advance(seconds=59)
    tokens.authenticate(desk, made)
    clock.advance(seconds=1)
    with pytest.raises(NotSignedIn):
        tokens.authenticate(desk, made)


@pytest.mark.feature("A1")
@pytest.mark.parametrize("changes", [{"active": False}, {"roles": ["requester"]}])
def test_a_change_of_the_person_counts_at_once(desk: Desk, admin: Actor, changes: dict[str, object]) -> None:
    made = tokens.create(desk, admin, user="agent", scopes=("read", "work"))
    assert tokens.authenticate(desk, made).has(AGENT)
    people.change_user(desk, admin, "agent", changes)
    if "active" in changes:
        with pytest.raises(NotSignedIn):
            tokens.authenticate(desk, made)
    else:
        assert not tokens.authenticate(desk, made).has(AGENT)


WRONG = ["", "sd", "sd_", "sd_x_y", "sd__", "Bearer sd_x_y", "sd_%_%", "x" * 5000, "sd_\x00_\x00", "sd_a_" + "é" * 50]


@pytest.mark.feature("A1")
def test_what_is_no_token(desk: Desk) -> None:
    for presented in WRONG:
        with pytest.raises(NotSignedIn):
            tokens.authenticate(desk, presented)


@pytest.mark.feature("A1")
def test_the_right_id_with_another_secret(desk: Desk, admin: Actor) -> None:
    one = tokens.create(desk, admin, service="a", scopes=("ingest",))
    two = tokens.create(desk, admin, service="b", scopes=("ingest",))
    tokens.authenticate(desk, one)
    mixed = "_".join([*one.split("_", 2)[:2], two.split("_", 2)[2]])
    with pytest.raises(NotSignedIn):
        tokens.authenticate(desk, mixed)


@contextmanager
def database_away(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """New connections fail, as when the server is down."""

    def gone(*_: object, **__: object) -> object:
        raise OperationalError("SELECT 1", {}, Exception("the server is down"))

    with monkeypatch.context() as patch:
        for name in ("_read_engine", "_write_engine"):
            patch.setattr(getattr(desk.db, name), "connect", gone)
        yield


@pytest.mark.feature("I4")
def test_a_remembered_sender_is_known_while_the_database_is_away(
    desk: Desk, admin: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tokens.create(desk, admin, service="am", scopes=("ingest",))
    other = tokens.create(desk, admin, service="am", scopes=("ingest",))
    tokens.authenticate(desk, known)
    with database_away(desk, monkeypatch):
        assert tokens.authenticate(desk, known).name == "am"
        with pytest.raises(Busy):
            tokens.authenticate(desk, other)
        clock.advance(seconds=61)
        with pytest.raises(Busy):
            tokens.authenticate(desk, known)


@pytest.mark.feature("I21")
def test_the_last_use_is_noted_at_most_once_a_minute(desk: Desk, admin: Actor, clock: Clock) -> None:
    made = tokens.create(desk, admin, service="am", scopes=("ingest",))

    def used():  # type: ignore[no-untyped-def]
        with desk.read() as tx:
            return tx.run(select(token.c.last_used_at)).scalar_one()

    assert used() is None
    tokens.authenticate(desk, made)
    wait_until(lambda: used() is not None, 10, "the first use to be noted")
    first = used()
    clock.advance(seconds=30)
    for _ in range(5):
        tokens.authenticate(desk, made)
    clock.advance(seconds=31)
    tokens.authenticate(desk, made)
    wait_until(lambda: used() != first, 10, "the next minute's use to be noted")
    assert used() - first == timedelta(seconds=61)


@pytest.mark.feature("A1")
def test_who_may_make_and_revoke(desk: Desk, actors: dict[str, Actor]) -> None:
    agent = actors["agent"]
    for bad in ({"service": "x"}, {"user": "lead"}):
        with pytest.raises(NotAllowed):
            tokens.create(desk, agent, scopes=("read",), **bad)  # type: ignore[arg-type]
    for scope in ("ingest", "admin"):
        with pytest.raises(NotAllowed):
            tokens.create(desk, agent, user="agent", scopes=(scope,))
    mine = tokens.create(desk, agent, user="agent", scopes=("read", "work"))
    by_token = tokens.authenticate(desk, mine)
    with pytest.raises(NotAllowed):  # a token that is out on loan makes no other
        tokens.create(desk, by_token, user="agent", scopes=("read", "work", "review"))
    with pytest.raises(NotAllowed):
        tokens.revoke(desk, actors["lead"], mine.split("_")[1])
    with pytest.raises(NotFound):
        tokens.revoke(desk, actors["admin"], "nothing")
    with pytest.raises(NotAllowed):
        tokens.revoke(desk, agent, "nothing")
    tokens.revoke(desk, agent, mine.split("_")[1])
    with pytest.raises(NotSignedIn):
        tokens.authenticate(desk, mine)


BAD = [
    {"scopes": ("fly",), "service": "x"},
    {"scopes": (), "service": "x"},
    {"scopes": ("read",)},
    {"scopes": ("read",), "user": "agent", "service": "x"},
    {"scopes": ("read",), "service": "x\ny"},
    {"scopes": ("ingest",), "service": "x", "source": "a\x00b"},
    {"scopes": ("ingest",), "service": "x", "expires_in": timedelta(0)},
    {"scopes": ("ingest",), "service": "x", "expires_in": timedelta(days=9999)},
]


def test_bad_input_is_refused(desk: Desk, admin: Actor) -> None:
    for form in BAD:
        with pytest.raises(BadInput):
            tokens.create(desk, admin, **form)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        tokens.create(desk, admin, user="nobody", scopes=("read",))
