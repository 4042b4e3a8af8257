"""Users, teams, services: who may change them, what is refused, and that each change stands in the log."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.errors import BadInput, Conflict, NotAllowed, NotFound, Refused
from servicedesk.services import people, settings
from servicedesk.services.people import NewUser
from servicedesk.store.tables import timeline, timeline_content
from servicedesk.store.views import people as views
from tests.support.crew import crew

Actors = dict[str, Actor]


@pytest.fixture
def actors(desk: Desk) -> Actors:
    return crew(desk)


@pytest.fixture
def admin(actors: Actors) -> Actor:
    return actors["admin"]


def log(desk: Desk) -> list[tuple[str, int | None, dict[str, Any]]]:
    """(kind, actor, content) of the administration log, oldest first."""
    same = (timeline.c.incident_id == timeline_content.c.incident_id) & (timeline.c.seq == timeline_content.c.seq)
    query = select(timeline.c.kind, timeline.c.actor_id, timeline_content.c.content).join(timeline_content, same)
    with desk.read() as tx:
        rows = tx.run(query.where(timeline.c.incident_id == 0).order_by(timeline.c.seq))
        return [(row.kind, row.actor_id, row.content) for row in rows]


def found(desk: Desk, name: str) -> views.User:
    with desk.read() as tx:
        return next(user for user in views.users(tx) if user.name == name)


@pytest.mark.feature("A1", "A11")
def test_adding_and_changing_somebody(desk: Desk, admin: Actor) -> None:
    form = NewUser("zoé", ("agent",), display="Zoé", email="zoe@example.org", language="fr", password="correct horse b")
    people.add_user(desk, admin, form)
    zoe = found(desk, "zoé")
    assert (zoe.roles, zoe.teams, zoe.shown, zoe.language) == (("agent",), ("Operations",), "Zoé", "fr")
    kind, by, content = log(desk)[-1]
    assert (kind, by) == ("user", admin.id)
    assert content["before"] is None
    assert content["after"]["roles"] == ["agent"]
    assert "password" not in str(content)
    people.change_user(desk, admin, "zoé", {"roles": ["reviewer", "agent"], "email": ""})
    assert found(desk, "zoé").roles == ("agent", "reviewer")
    assert log(desk)[-1][2] == {
        "name": "zoé",
        "before": {"email": "zoe@example.org", "roles": ["agent"]},
        "after": {"email": "", "roles": ["agent", "reviewer"]},
    }
    before = len(log(desk))
    people.change_user(desk, admin, "zoé", {"email": ""})
    assert len(log(desk)) == before  # nothing changed, nothing to tell


@pytest.mark.feature("A1")
def test_agents_join_the_default_team_unless_told_otherwise(desk: Desk, admin: Actor) -> None:
    people.add_team(desk, admin, "Network", "net@example.org")
    for name, roles, teams in (
        ("a", ("agent",), None),
        ("b", ("requester",), None),
        ("c", ("lead",), ("Network",)),
        ("d", ("agent",), ()),
    ):
        people.add_user(desk, admin, NewUser(name, roles, teams=teams))
    assert [found(desk, name).teams for name in "abcd"] == [("Operations",), (), ("Network",), ()]
    people.change_user(desk, admin, "b", {"roles": ["agent"]})
    assert found(desk, "b").teams == ("Operations",)
    people.change_user(desk, admin, "b", {"teams": ["Network"]})
    assert found(desk, "b").teams == ("Network",)
    with desk.read() as tx:
        network = next(team for team in views.teams(tx) if team.name == "Network")
    assert {member.name: member.lead for member in network.members} == {"b": False, "c": True}


@pytest.mark.feature("A1")
def test_only_an_admin_and_people_for_themselves(desk: Desk, actors: Actors) -> None:
    for actor in (actors["lead"], actors["reviewer"], actors["requester"]):
        for attempt in (
            lambda a: people.add_user(desk, a, NewUser("x")),
            lambda a: people.change_user(desk, a, "agent", {"display": "x"}),
            lambda a: people.add_team(desk, a, "x"),
            lambda a: people.change_team(desk, a, "Operations", {"name": "x"}),
            lambda a: people.put_member(desk, a, "Operations", "requester"),
            lambda a: people.drop_member(desk, a, "Operations", "agent"),
            lambda a: people.add_service(desk, a, "x"),
            lambda a: people.change_service(desk, a, "General", {"criticality": 1}),
            lambda a: people.signin_link(desk, a, "admin"),
            lambda a: settings.set_solo_mode(desk, a, True),
        ):
            with pytest.raises(NotAllowed):
                attempt(actor)
    people.change_user(desk, actors["agent"], "agent", {"display": "Me", "language": "fr", "email": "me@example.org"})
    for change in ({"roles": ["admin"]}, {"teams": []}, {"active": True}, {"display": "x", "roles": ["admin"]}):
        with pytest.raises(NotAllowed):
            people.change_user(desk, actors["agent"], "agent", change)
    borrowed = Actor(actors["agent"].id, "agent", frozenset({"agent"}), frozenset({"read"}))
    with pytest.raises(NotAllowed):
        people.change_user(desk, borrowed, "agent", {"email": "thief@example.org"})


@pytest.mark.feature("A1")
def test_the_last_admin_stays(desk: Desk, admin: Actor) -> None:
    for changes in ({"active": False}, {"roles": ["lead"]}, {"roles": ["lead"], "active": False}):
        with pytest.raises(Refused, match="last admin"):
            people.change_user(desk, admin, "admin", changes)
    people.add_user(desk, admin, NewUser("second", ("admin",)))
    people.change_user(desk, admin, "admin", {"roles": ["lead"]})
    with pytest.raises(Refused, match="last admin"):
        people.change_user(desk, admin, "second", {"active": False})


HOSTILE = ["", " ", "a b", "-x", "x" * 101, "a/b", "<script>", "a\x00b", "a\nb", "\ud800", "'; DROP TABLE token; --"]


def test_a_name_that_is_none_is_refused(desk: Desk, admin: Actor) -> None:
    for name in HOSTILE:
        refused(desk, admin, name)


def refused(desk: Desk, admin: Actor, name: str) -> None:
    with pytest.raises(BadInput):
        people.add_user(desk, admin, NewUser(name))
    for attempt in (people.change_user, people.change_service):
        with pytest.raises(NotFound):
            attempt(desk, admin, name, {"description": "x"} if attempt is people.change_service else {"display": "x"})
    with pytest.raises(BadInput):
        people.change_team(desk, admin, name, {"email": ""})


BAD = [
    ("email", "nobody"), ("email", "a@b@c"), ("email", "a b@c"), ("email", "@"), ("email", "x" * 255 + "@y"),
    ("language", "xx"), ("display", "a\nb"), ("display", "x" * 201), ("roles", ["king"]), ("roles", []),
    ("teams", ["Nowhere"]), ("id", 1), ("password_hash", "x"), ("name", "y"),
]  # fmt: skip


def test_bad_values_name_their_field(desk: Desk, admin: Actor) -> None:
    for field, value in BAD:
        with pytest.raises(BadInput) as wrong:
            people.change_user(desk, admin, "agent", {field: value})
        assert list(wrong.value.fields) == ["team" if field == "teams" else field]
    assert found(desk, "agent").email == "agent@example.org"


def test_names_are_unique_whatever_their_case(desk: Desk, admin: Actor) -> None:
    for attempt in (
        lambda: people.add_user(desk, admin, NewUser("Agent")),
        lambda: people.add_team(desk, admin, "OPERATIONS"),
        lambda: people.add_service(desk, admin, "general"),
    ):
        with pytest.raises(Conflict, match="already"):
            attempt()


@pytest.mark.feature("A9", "A11")
def test_teams_and_services(desk: Desk, admin: Actor) -> None:
    people.add_team(desk, admin, "Network", "net@example.org")
    people.change_team(desk, admin, "Network", {"name": "Networks"})
    with pytest.raises(Conflict):
        people.change_team(desk, admin, "Networks", {"name": "operations"})
    with pytest.raises(BadInput):
        people.change_team(desk, admin, "Networks", {"id": 5})
    people.add_service(desk, admin, "dns", "Networks", 1, "names")
    people.add_service(desk, admin, "wiki")
    people.change_service(desk, admin, "wiki", {"team": "Networks", "criticality": 3})
    for bad in ({"criticality": 4}, {"criticality": "x"}, {"team": "Nowhere"}, {"owner": "x"}):
        with pytest.raises(BadInput):
            people.change_service(desk, admin, "wiki", bad)
    with pytest.raises(BadInput, match="no service"):
        people.add_service(desk, admin, "unknown")
    with desk.read() as tx:
        listed = {service.name: (service.team, service.criticality) for service in views.services(tx)}
    assert listed == {"General": ("Operations", 2), "dns": ("Networks", 1), "wiki": ("Networks", 3)}
    people.put_member(desk, admin, "Networks", "agent", lead=True)
    people.put_member(desk, admin, "Networks", "agent")
    people.drop_member(desk, admin, "Networks", "agent")
    with pytest.raises(NotFound):
        people.drop_member(desk, admin, "Networks", "agent")
    told = [content["after"] for kind, _, content in log(desk) if kind == "team_member"]
    assert told == [{"agent": "lead"}, {"agent": "member"}, {"agent": "no"}]


@pytest.mark.feature("A11")
def test_solo_mode_is_kept_and_logged(desk: Desk, admin: Actor) -> None:
    def on() -> bool:
        with desk.read() as tx:
            return settings.solo_mode(tx, desk)

    assert not on()
    assert settings.set_solo_mode(desk, admin, True)
    assert on()
    assert log(desk)[-1][2] == {"name": "solo_mode", "before": {"value": False}, "after": {"value": True}}
    assert not settings.set_solo_mode(desk, admin, False)
    assert not on()
