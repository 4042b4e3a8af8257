"""Users, teams, members and services: the SQL of the people room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from .db import Tx
from .tables import service, setting, team, team_member, user


def user_named(tx: Tx, name: str) -> Row[Any] | None:
    """By sign-in name, upper and lower case alike; locked until the transaction ends."""
    if not name.isprintable():  # NUL and half characters, which no database takes
        return None
    query = select(user).where(func.lower(user.c.name) == name.lower()).with_for_update()
    found: Row[Any] | None = tx.run(query).first()
    return found


def user_by_id(tx: Tx, user_id: int) -> Row[Any] | None:
    found: Row[Any] | None = tx.run(select(user).where(user.c.id == user_id)).first()
    return found


def users(tx: Tx) -> list[Row[Any]]:
    return list(tx.run(select(user).order_by(user.c.id)))


def users_by_email(tx: Tx, email: str) -> list[Row[Any]]:
    """Everybody with this address, in any case of letters."""
    query = select(user).where(func.lower(user.c.email) == email.strip().lower()).order_by(user.c.id)
    return list(tx.run(query))


def active_users(tx: Tx) -> list[Row[Any]]:
    """Everybody who may sign in, locked: for "the last admin stays"."""
    return list(tx.run(select(user).where(user.c.active.is_(True)).order_by(user.c.id).with_for_update()))


def insert_user(tx: Tx, values: Mapping[str, Any]) -> int:
    return int(tx.run(insert(user).values(created_at=tx.now, **values).returning(user.c.id)).scalar_one())


def update_user(tx: Tx, user_id: int, values: Mapping[str, Any]) -> None:
    if values:
        tx.run(update(user).where(user.c.id == user_id).values(**values))


def team_named(tx: Tx, name: str) -> Row[Any] | None:
    if not name.isprintable():
        return None
    found: Row[Any] | None = tx.run(select(team).where(func.lower(team.c.name) == name.lower())).first()
    return found


def teams(tx: Tx) -> list[Row[Any]]:
    return list(tx.run(select(team).order_by(team.c.name)))


def default_team(tx: Tx) -> Row[Any] | None:
    """The oldest one."""
    found: Row[Any] | None = tx.run(select(team).order_by(team.c.id).limit(1)).first()
    return found


def insert_team(tx: Tx, name: str, email: str) -> int:
    values = {"name": name, "email": email, "created_at": tx.now}
    return int(tx.run(insert(team).values(**values).returning(team.c.id)).scalar_one())


def update_team(tx: Tx, team_id: int, values: Mapping[str, Any]) -> None:
    if values:
        tx.run(update(team).where(team.c.id == team_id).values(**values))


def memberships(tx: Tx, user_id: int) -> dict[int, bool]:
    """Team id → is the user its lead."""
    query = select(team_member.c.team_id, team_member.c.lead).where(team_member.c.user_id == user_id)
    return {row.team_id: row.lead for row in tx.run(query.order_by(team_member.c.team_id))}


def team_names(tx: Tx, ids: Iterable[int]) -> list[str]:
    return list(tx.run(select(team.c.name).where(team.c.id.in_(list(ids))).order_by(team.c.name)).scalars())


def put_member(tx: Tx, team_id: int, user_id: int, lead: bool) -> None:
    """Add somebody to a team, or change whether they lead it."""
    same = (team_member.c.team_id == team_id) & (team_member.c.user_id == user_id)
    if tx.run(select(team_member.c.lead).where(same)).first() is None:
        tx.run(insert(team_member).values(team_id=team_id, user_id=user_id, lead=lead))
    else:
        tx.run(update(team_member).where(same).values(lead=lead))


def drop_member(tx: Tx, team_id: int, user_id: int) -> bool:
    same = (team_member.c.team_id == team_id) & (team_member.c.user_id == user_id)
    return bool(tx.run(delete(team_member).where(same)).rowcount)


def service_named(tx: Tx, name: str) -> Row[Any] | None:
    if not name.isprintable():
        return None
    found: Row[Any] | None = tx.run(select(service).where(func.lower(service.c.name) == name.lower())).first()
    return found


def any_service(tx: Tx) -> bool:
    return tx.run(select(service.c.id).limit(1)).first() is not None


def insert_service(tx: Tx, values: Mapping[str, Any]) -> int:
    return int(tx.run(insert(service).values(created_at=tx.now, **values).returning(service.c.id)).scalar_one())


def update_service(tx: Tx, service_id: int, values: Mapping[str, Any]) -> None:
    if values:
        tx.run(update(service).where(service.c.id == service_id).values(**values))


def lock_setup(tx: Tx) -> None:
    """First starts of several processes take turns: they wait for the row of the administration log's head."""
    tx.run(select(setting.c.name).where(setting.c.name == "admin_log_head").with_for_update())


def setting_value(tx: Tx, name: str) -> Any:
    """A stored setting, or None."""
    return tx.run(select(setting.c.value).where(setting.c.name == name)).scalar()


def put_setting(tx: Tx, name: str, value: Any) -> None:
    if tx.run(update(setting).where(setting.c.name == name).values(value=value)).rowcount == 0:
        tx.run(insert(setting).values(name=name, value=value))
