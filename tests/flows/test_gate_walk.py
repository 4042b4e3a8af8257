"""Every state × action × role, with solo mode on and off: no path reaches `closed` without its records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from servicedesk.app import create_app
from servicedesk.config import Config
from servicedesk.desk import Desk, open_desk
from servicedesk.domain import incident as words
from servicedesk.domain.incident import Actor
from servicedesk.errors import DeskError
from servicedesk.services import incidents, resolution, reviews, second_person, tokens
from servicedesk.services import settings as desk_settings
from servicedesk.services.incidents import NewTicket
from servicedesk.store import triggers
from tests.support import gates
from tests.support.attempts import attempts
from tests.support.clock import Clock
from tests.support.crew import crew
from tests.support.entrances import api_calls, call, cli_calls, run
from tests.support.rehearsal import Undone, rehearse
from tests.support.reviews import body

Crew = dict[str, Actor]
FORMS = {
    "requester P3": NewTicket("Cannot print", category="infrastructure", service="unknown", requester="requester"),
    "requester P1": NewTicket("Shop down", "incident", "", "infrastructure", 1, 1, "unknown", requester="requester"),
    "nobody P3": NewTicket("Noise in rack 4", category="infrastructure", service="unknown"),
    "question": NewTicket("How?", "question", category="infrastructure", service="unknown", requester="requester"),
}


def _desk(url: str, folder: Path, clock: Clock) -> Iterator[Desk]:
    opened = open_desk(Config(data_dir=str(folder / "data"), database_url=url), clock.now)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_desk(sqlite_database: str, tmp_path: Path, clock: Clock) -> Iterator[Desk]:
    yield from _desk(sqlite_database, tmp_path, clock)


@pytest.fixture
def postgres_desk(postgres_database: str, tmp_path: Path, clock: Clock) -> Iterator[Desk]:
    yield from _desk(postgres_database, tmp_path, clock)


def lead_to(desk: Desk, people: Crew, form: NewTicket, state: str) -> int:
    """A ticket in this state, by the way that people take."""
    number = incidents.open_ticket(desk, people["agent"], form)
    if state == words.NEW:
        return number
    if state == words.CANCELLED:
        code = "withdrawn" if form.requester else "false_positive"
        if form.impact == 1:
            asked = second_person.ask(desk, people["agent"], number, "cancellation", "dropped", code)
            second_person.approve(desk, people["lead2"], asked)
        incidents.cancel(desk, people["lead"], number, code, "dropped")
        return number
    incidents.take(desk, people["owner"], number)
    if state == words.PENDING:
        incidents.hold(desk, people["owner"], number, "vendor")
    if state in (words.IN_PROGRESS, words.PENDING):
        return number
    resolution.resolve(desk, people["owner"], number, "fixed", "capacity", "cleaned up", "It works again.")
    if state == words.RESOLVED:
        return number
    resolution.verify(desk, people["agent"], number, "pass", "used it", "seen", True)
    resolution.confirm(desk, people["requester" if form.requester else "lead"], number, True)
    if state == words.CLOSED:
        reviews.save(desk, people["owner"], number, body("full"))
        reviews.submit(desk, people["owner"], number)
        for reviewer in ("reviewer", "reviewer2"):
            if incidents.facts(desk, number).status != words.CLOSED:
                reviews.approve(desk, people[reviewer], number)
    return number


@pytest.mark.feature("T2")
@pytest.mark.parametrize("solo", [False, True], ids=["", "solo"])
@pytest.mark.parametrize("kind", FORMS)
def test_every_state_action_and_role(sqlite_desk: Desk, kind: str, solo: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    walk_services(sqlite_desk, kind, solo, monkeypatch)


@pytest.mark.postgres
@pytest.mark.feature("T2")
def test_every_state_action_and_role_on_postgresql(postgres_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    walk_services(postgres_desk, "requester P1", False, monkeypatch)


def scene(desk: Desk, kind: str, solo: bool) -> tuple[Crew, dict[str, int], int]:
    """Everybody, one ticket in each state, and another open one."""
    people = crew(desk)
    tickets = {state: lead_to(desk, people, FORMS[kind], state) for state in words.STATES}
    for state, number in tickets.items():
        assert incidents.facts(desk, number).status == state
    other = incidents.open_ticket(desk, people["agent"], FORMS["nobody P3"])
    if solo:
        desk_settings.set_solo_mode(desk, people["admin"], True)
    return people, tickets, other


def walk_services(desk: Desk, kind: str, solo: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    people, tickets, other = scene(desk, kind, solo)
    went = set()
    for state, number in tickets.items():
        for name, attempt in attempts(other).items():
            for actor in people.values():
                with rehearse(desk, monkeypatch, lambda tx, n=number, s=state: gates.check(tx, n, s)):
                    try:
                        attempt(desk, actor, number)
                    except Undone:
                        went.add((state, name))
                    except DeskError:
                        continue
    judge_coverage(went)


def judge_coverage(went: set[tuple[str, str]]) -> None:
    """The walk did get through where it may, and out of `closed` only by reopening."""
    assert {("new", "take"), ("in_progress", "resolve"), ("review", "save review"), ("closed", "reopen")} <= went
    assert {name for state, name in went if state == words.CLOSED} <= {"reopen", "note", "message", "judge"}


@pytest.mark.feature("T2")
@pytest.mark.feature("O3")
@pytest.mark.parametrize("solo", [False, True], ids=["", "solo"])
def test_every_state_action_and_role_by_the_api(sqlite_desk: Desk, solo: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = sqlite_desk
    people, tickets, other = scene(desk, "requester P1", solo)
    tokens_of = {n: tokens.create(desk, people["admin"], user=n, scopes=words.SCOPES) for n in people}
    client = create_app(desk).test_client()
    assert {client.get("/api/v1/incidents", headers=_bearer(t)).status_code for t in tokens_of.values()} == {200}
    went: set[tuple[str, str]] = set()
    for state, number in tickets.items():
        for name, (method, path, payload) in api_calls(other).items():
            for who in people:
                seen = lambda tx, n=number, s=state, a=name: (gates.check(tx, n, s), went.add((s, a)))  # noqa: E731
                with rehearse(desk, monkeypatch, seen):
                    status = call(client, tokens_of[who], number, method, path, payload)
                assert status in (403, 404, 409, 422) or (state, name) in went, (state, name, who, status)
    judge_coverage(went)
    assert not {name for _, name in went} & {"write status"}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.feature("T2")
@pytest.mark.feature("O4")
def test_every_state_action_and_role_by_the_command_line(
    sqlite_desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    desk = sqlite_desk
    people, tickets, other = scene(desk, "requester P3", False)
    environment = {"SERVICEDESK_DATABASE_URL": desk.config.database_url, "SERVICEDESK_DATA_DIR": desk.config.data_dir}
    went: set[tuple[str, str]] = set()
    for state, number in tickets.items():
        for name, arguments in cli_calls(other, tmp_path / "review.json").items():
            for who in ("owner", "lead", "requester"):
                seen = lambda tx, n=number, s=state, a=name: (gates.check(tx, n, s), went.add((s, a)))  # noqa: E731
                with rehearse(desk, monkeypatch, seen):
                    code = run(who, number, arguments, environment)
                assert code == 1, (state, name, who, code)  # refused, or undone by the rehearsal
    judge_coverage(went)
    assert people


def test_the_oracle_sees_a_dishonest_close(sqlite_desk: Desk) -> None:
    """The check of this walk fails where it must: a ticket closed by raw SQL with the triggers away."""
    desk = sqlite_desk
    people = crew(desk)
    number = lead_to(desk, people, FORMS["requester P3"], words.RESOLVED)
    desk.write(triggers.drop)
    desk.write(lambda tx: tx.run(text("UPDATE incident SET status = 'closed' WHERE id = :n"), {"n": number}))
    with desk.read() as tx, pytest.raises(AssertionError, match="verification"):
        gates.check(tx, number)
