"""Who works here and on what: services, teams, users."""

from __future__ import annotations

from typing import Literal

import msgspec
from flask import Blueprint
from msgspec import UNSET, UnsetType

from servicedesk.errors import NotFound
from servicedesk.services import invitations, people
from servicedesk.store.views import people as look
from servicedesk.store.views.paging import Page
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.route import STAFF, Answer, route

from .followups import changes

bp = Blueprint("api_organisation", __name__, url_prefix="/api/v1")
Role = Literal["requester", "agent", "lead", "reviewer", "admin"]


class ServiceIn(msgspec.Struct, frozen=True):
    """criticality: 1 high to 3 low; team: "" the default one."""

    name: str
    team: str = ""
    criticality: int = 2
    description: str = ""


class ServicePatch(msgspec.Struct, frozen=True):
    team: str | UnsetType = UNSET
    criticality: int | UnsetType = UNSET
    description: str | UnsetType = UNSET


class TeamIn(msgspec.Struct, frozen=True):
    name: str
    email: str = ""


class TeamPatch(msgspec.Struct, frozen=True):
    """handover: "channel:place" where the team's new tickets are announced, "" for none."""

    name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    handover: str | UnsetType = UNSET


class MemberIn(msgspec.Struct, frozen=True):
    lead: bool = False


class UserIn(msgspec.Struct, frozen=True):
    """teams: names; absent: agents join the default team. Without a password: ask for a sign-in link."""

    name: str
    roles: tuple[Role, ...] = ("requester",)
    display: str = ""
    email: str = ""
    language: str = ""
    teams: tuple[str, ...] | None = None
    password: str = ""


class UserPatch(msgspec.Struct, frozen=True):
    display: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    language: str | UnsetType = UNSET
    roles: tuple[Role, ...] | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    teams: tuple[str, ...] | UnsetType = UNSET


class LinkOut(msgspec.Struct, frozen=True):
    """A one-time sign-in link, shown once."""

    link: str


@route(bp, "GET", "/services", scope="read", answer=Page[look.Service])
def list_services() -> Page[look.Service]:
    """List services, by name."""
    with desk().read() as tx:
        return Page(look.services(tx))


@route(bp, "POST", "/services", scope="admin", body=ServiceIn, answer=look.Service, status=201, once=True)
def add_service(body: ServiceIn) -> Answer:
    """Add a service."""
    people.add_service(desk(), auth.current_actor(), body.name, body.team, body.criticality, body.description)
    return Answer(_service(body.name.strip()), 201)


@route(bp, "PATCH", "/services/<name>", scope="admin", body=ServicePatch, answer=look.Service)
def change_service(name: str, body: ServicePatch) -> look.Service:
    """Change a service's team, criticality or description."""
    people.change_service(desk(), auth.current_actor(), name, changes(body))
    return _service(name)


def _service(name: str) -> look.Service:
    with desk().read() as tx:
        found = next((s for s in look.services(tx) if s.name == name), None)
    if found is None:
        raise NotFound(f"There is no service {name!r}.")
    return found


@route(bp, "GET", "/teams", scope="read", role=STAFF, answer=Page[look.Team])
def list_teams() -> Page[look.Team]:
    """List teams with their members, by name."""
    with desk().read() as tx:
        return Page(look.teams(tx))


@route(bp, "POST", "/teams", scope="admin", body=TeamIn, answer=look.Team, status=201, once=True)
def add_team(body: TeamIn) -> Answer:
    """Add a team."""
    people.add_team(desk(), auth.current_actor(), body.name, body.email)
    return Answer(_team(body.name.strip()), 201)


@route(bp, "PATCH", "/teams/<name>", scope="admin", body=TeamPatch, answer=look.Team)
def change_team(name: str, body: TeamPatch) -> look.Team:
    """Change a team's name or address."""
    people.change_team(desk(), auth.current_actor(), name, changes(body))
    return _team(name if isinstance(body.name, UnsetType) else body.name.strip())


@route(bp, "PUT", "/teams/<name>/members/<user>", scope="admin", body=MemberIn, answer=look.Team)
def put_member(name: str, user: str, body: MemberIn) -> look.Team:
    """Add somebody to a team, or change whether they lead it."""
    people.put_member(desk(), auth.current_actor(), name, user, body.lead)
    return _team(name)


@route(bp, "DELETE", "/teams/<name>/members/<user>", scope="admin", answer=look.Team)
def drop_member(name: str, user: str) -> look.Team:
    """Take somebody out of a team."""
    people.drop_member(desk(), auth.current_actor(), name, user)
    return _team(name)


def _team(name: str) -> look.Team:
    with desk().read() as tx:
        found = next((t for t in look.teams(tx) if t.name == name), None)
    if found is None:
        raise NotFound(f"There is no team {name!r}.")
    return found


@route(bp, "GET", "/users", scope="read", role=STAFF, answer=Page[look.User])
def list_users() -> Page[look.User]:
    """List users with their roles and teams, by name."""
    with desk().read() as tx:
        return Page(look.users(tx))


@route(bp, "POST", "/users", scope="admin", body=UserIn, answer=look.User, status=201, once=True)
def add_user(body: UserIn) -> Answer:
    """Add a user."""
    people.add_user(desk(), auth.current_actor(), people.NewUser(**msgspec.structs.asdict(body)))
    return Answer(_user(body.name.strip()), 201)


@route(bp, "GET", "/users/<name>", scope="read", role=STAFF, answer=look.User)
def show_user(name: str) -> look.User:
    """Show a user; "me" is who asks."""
    return _user(auth.current_actor().name if name == "me" else name)


@route(bp, "PATCH", "/users/<name>", scope="admin", body=UserPatch, answer=look.User)
def change_user(name: str, body: UserPatch) -> look.User:
    """Change a user; `active` false ends all sessions and tokens."""
    people.change_user(desk(), auth.current_actor(), name, changes(body))
    return _user(name)


@route(bp, "POST", "/users/<name>/invitation", scope="admin", status=204)
def invite_user(name: str) -> None:
    """Mail a link by which somebody comes in and sets a password."""
    invitations.invite(desk(), auth.current_actor(), name)


@route(bp, "POST", "/users/<name>/sign-in-link", scope="admin", answer=LinkOut, status=201)
def signin_link(name: str) -> Answer:
    """Make a one-time link by which a user comes in and sets a new password."""
    secret = people.signin_link(desk(), auth.current_actor(), name)
    return Answer(LinkOut(f"{desk().config.base_url}/sign-in/link/{secret}"), 201)


def _user(name: str) -> look.User:
    with desk().read() as tx:
        found = next((u for u in look.users(tx) if u.name == name), None)
    if found is None:
        raise NotFound(f"There is no user {name!r}.")
    return found
