"""Users, teams, services and tokens as lists for pages, choices in forms and the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from servicedesk.store.db import Tx
from servicedesk.store.tables import service, session, team, team_member, token, user

from .rows import fill, shown_name


@dataclass(frozen=True, slots=True)
class User:
    id: int
    name: str
    display: str
    email: str
    roles: tuple[str, ...]
    language: str
    active: bool
    created_at: datetime
    locked_until: datetime | None
    teams: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        return self.display or self.name


@dataclass(frozen=True, slots=True)
class Member:
    user_id: int
    sign_in: str
    name: str
    lead: bool
    active: bool


@dataclass(frozen=True, slots=True)
class Team:
    id: int
    name: str
    email: str
    created_at: datetime
    members: tuple[Member, ...] = ()
    handover: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    id: int
    name: str
    team_id: int
    team: str
    criticality: int
    description: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret. state: active | expired | revoked."""

    id: str
    name: str
    user: str
    scopes: tuple[str, ...]
    source: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    state: str


def users(tx: Tx) -> tuple[User, ...]:
    """Everybody, by name, with the names of their teams."""
    pairs = tx.run(
        select(team_member.c.user_id, team.c.name).join(team, team.c.id == team_member.c.team_id).order_by(team.c.name)
    )
    teams_of: dict[int, list[str]] = {}
    for user_id, name in pairs:
        teams_of.setdefault(user_id, []).append(name)
    found = tx.run(select(user).order_by(user.c.name)).mappings()
    return tuple(_user(r, tuple(teams_of.get(r["id"], ()))) for r in found)


def _user(r: Any, teams_of: tuple[str, ...]) -> User:
    return fill(User, r, roles=tuple(r["roles"] or ()), teams=teams_of)


def find_user(tx: Tx, user_id: int) -> User | None:
    r = tx.run(select(user).where(user.c.id == user_id)).mappings().one_or_none()
    return None if r is None else _user(r, ())


def teams(tx: Tx) -> tuple[Team, ...]:
    """Every team with its members, by name."""
    query = (
        select(team_member, user.c.name.label("sign_in"), shown_name(user).label("shown"), user.c.active)
        .join(user, user.c.id == team_member.c.user_id)
        .order_by(team_member.c.lead.desc(), user.c.name)
    )
    members: dict[int, list[Member]] = {}
    for r in tx.run(query):
        members.setdefault(r.team_id, []).append(Member(r.user_id, r.sign_in, r.shown, bool(r.lead), bool(r.active)))
    found = tx.run(select(team).order_by(team.c.name))
    return tuple(Team(r.id, r.name, r.email, r.created_at, tuple(members.get(r.id, ())), r.handover) for r in found)


def team_of(tx: Tx, user_id: int) -> tuple[int, ...]:
    """Ids of the teams that somebody belongs to."""
    query = select(team_member.c.team_id).where(team_member.c.user_id == user_id).order_by(team_member.c.team_id)
    return tuple(tx.run(query).scalars())


def services(tx: Tx) -> tuple[Service, ...]:
    """Every service with its team, by name."""
    query = select(service, team.c.name.label("team")).join(team, team.c.id == service.c.team_id)
    found = tx.run(query.order_by(service.c.name)).mappings()
    return tuple(fill(Service, r) for r in found)


def tokens(tx: Tx, user_id: int | None = None) -> tuple[Token, ...]:
    """Tokens, the newest first; those of one user when `user_id` is given."""
    query = select(token, shown_name(user).label("user")).outerjoin(user, user.c.id == token.c.user_id)
    if user_id is not None:
        query = query.where(token.c.user_id == user_id)
    found = tx.run(query.order_by(token.c.created_at.desc(), token.c.id)).mappings()
    return tuple(
        fill(Token, r, scopes=tuple(r["scopes"]), state=_token_state(r["revoked_at"], r["expires_at"], tx.now))
        for r in found
    )


def _token_state(revoked_at: datetime | None, expires_at: datetime | None, now: datetime) -> str:
    if revoked_at is not None:
        return "revoked"
    return "expired" if expires_at is not None and expires_at <= now else "active"


Choice = tuple[str, str]
"""One option of a selection: the name that services take, and the text to show."""


def choose_people(tx: Tx, team_id: int | None = None) -> tuple[Choice, ...]:
    """Active people, of one team when it is given, by the name shown."""
    shown = shown_name(user).label("shown")
    query = select(user.c.name, shown).where(user.c.active.is_(True))
    if team_id is not None:
        query = query.join(team_member, team_member.c.user_id == user.c.id).where(team_member.c.team_id == team_id)
    return tuple((r.name, r.shown) for r in tx.run(query.order_by(func.lower(shown)).limit(1000)))


def choose_teams(tx: Tx) -> tuple[Choice, ...]:
    return tuple((r.name, r.name) for r in tx.run(select(team.c.name).order_by(team.c.name).limit(1000)))


def choose_services(tx: Tx) -> tuple[Choice, ...]:
    return tuple((r.name, r.name) for r in tx.run(select(service.c.name).order_by(service.c.name).limit(2000)))


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser of somebody. key: for revoking it (hex of the stored hash)."""

    key: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    agent: str


def sessions(tx: Tx, user_id: int) -> tuple[Session, ...]:
    query = select(session).where(session.c.user_id == user_id, session.c.expires_at > tx.now)
    found = tx.run(query.order_by(session.c.seen_at.desc()))
    return tuple(Session(r.id_hash.hex(), r.created_at, r.seen_at, r.expires_at, r.agent) for r in found)
