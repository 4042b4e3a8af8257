"""Users, teams and services: who may do what, and who looks after what. Every change is in the administration log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain.incident import ADMIN, AGENT, LEAD, ROLES, Actor, held_roles
from servicedesk.errors import BadInput, Conflict, NotAllowed, NotFound, Refusal, Refused
from servicedesk.services.shared import announcing, identity, passwords, verified
from servicedesk.store import access, people
from servicedesk.store.db import Tx

LANGUAGES = ("en", "fr")
OWN_FIELDS = {"display", "email", "language"}  # what people change for themselves


@dataclass(frozen=True, slots=True)
class NewUser:
    """name: for signing in; teams: names, None: agents join the default team; language: "", "en" or "fr"."""

    name: str
    roles: tuple[str, ...] = ("requester",)
    display: str = ""
    email: str = ""
    language: str = ""
    teams: tuple[str, ...] | None = None
    password: str = ""


def add_user(desk: Desk, actor: Actor, form: NewUser) -> int:
    """Add somebody; answers the id. Raises NotAllowed, BadInput, Conflict."""
    identity.need_admin(actor)
    values: dict[str, Any] = {"name": form.name, "roles": list(form.roles), **_profile(form)}
    if form.password:
        values["password_hash"] = passwords.make(form.password, form.name)
    return desk.write(lambda tx: identity.add_user(tx, desk, actor, values, form.teams))


def change_user(desk: Desk, actor: Actor, name: str, changes: Mapping[str, Any]) -> None:
    """Change display, email, language, roles, active, teams (names). The last admin stays; a person may change
    display, email and language of their own. Raises NotAllowed, NotFound, BadInput, Refused."""
    unknown = sorted(changes.keys() - {*OWN_FIELDS, "roles", "active", "teams"})
    if unknown:
        raise BadInput(dict.fromkeys(unknown, "cannot be changed"))
    if not (actor.has(ADMIN) or (identity.in_person(actor, name) and changes.keys() <= OWN_FIELDS)):
        raise NotAllowed("Only an admin may do this.")
    values = _changed_values(changes)

    def change(tx: Tx) -> None:
        row = identity.user_named(tx, name)
        _keep_an_admin(tx, row, values)
        before = _shown(tx, row)
        people.update_user(tx, row.id, values)
        _join(tx, desk, actor, row, values, changes.get("teams"))
        if values.get("active") is False:
            access.delete_sessions(tx, row.id)
        identity.record(tx, desk, actor, "user", row.name, before, _shown(tx, people.user_by_id(tx, row.id)))
        tx.after_commit.append(lambda: verified.forget(desk))

    desk.write(change)


def set_password(desk: Desk, actor: Actor, name: str, new: str, current: str = "", keep_session: bytes = b"") -> None:
    """An admin sets anybody's; a person their own, with the current one if there is one. Signs out everywhere else.

    Raises NotAllowed, NotFound, BadInput, Busy.
    """
    own = identity.in_person(actor, name)
    if not (own or actor.has(ADMIN)):
        raise NotAllowed("Only an admin may do this.")
    with desk.read() as tx:
        row = next((u for u in people.users(tx) if u.name == name), None)
    if row is None:
        raise NotFound(f"There is no user {name!r}.")
    if own and row.password_hash and not passwords.check(row.password_hash, current):
        raise BadInput({"current": "is not your password"})
    hashed = passwords.make(new, name)

    def change(tx: Tx) -> None:
        people.update_user(tx, row.id, {"password_hash": hashed, "failed_logins": 0, "locked_until": None})
        access.delete_sessions(tx, row.id, keep_session)
        identity.record(tx, desk, actor, "password", name, None, {"set": True})

    desk.write(change)


def signin_link(desk: Desk, actor: Actor, name: str) -> str:
    """The secret of a one-time link by which somebody comes in and sets a new password. Raises NotAllowed, NotFound."""
    identity.need_admin(actor)

    def change(tx: Tx) -> str:
        row = identity.user_named(tx, name)
        if not row.active:
            raise BadInput({"name": f"the account {name!r} is disabled"})
        return identity.new_signin_link(tx, desk, actor, row.id, row.name)

    return desk.write(change)


def add_team(desk: Desk, actor: Actor, name: str, email: str = "") -> int:
    """Raises NotAllowed, BadInput, Conflict."""
    identity.need_admin(actor)
    name, email = identity.clean_text(name, "name", 100, required=True), _email(email)

    def change(tx: Tx) -> int:
        if people.team_named(tx, name) is not None:
            raise Conflict(f"there is a team {name!r} already")
        team_id = people.insert_team(tx, name, email)
        identity.record(tx, desk, actor, "team", name, None, {"email": email})
        return team_id

    return desk.write(change)


def change_team(desk: Desk, actor: Actor, name: str, changes: Mapping[str, Any]) -> None:
    """Change name, email or handover ("channel:place"). Raises NotAllowed, BadInput, Conflict."""
    identity.need_admin(actor)
    values: dict[str, Any] = {}
    if "name" in changes:
        values["name"] = identity.clean_text(str(changes["name"]), "name", 100, required=True)
    if "email" in changes:
        values["email"] = _email(str(changes["email"]))
    if "handover" in changes:
        values["handover"] = announcing.clean(desk, str(changes["handover"]))
    _only(changes, values)

    def change(tx: Tx) -> None:
        row = identity.team_named(tx, name)
        other = people.team_named(tx, values.get("name", name))
        if other is not None and other.id != row.id:
            raise Conflict(f"there is a team {values['name']!r} already")
        people.update_team(tx, row.id, values)
        before = {key: getattr(row, key) for key in values}
        identity.record(tx, desk, actor, "team", row.name, before, values)

    desk.write(change)


def put_member(desk: Desk, actor: Actor, team: str, user: str, lead: bool = False) -> None:
    """Add somebody to a team, or change whether they lead it. Raises NotAllowed, BadInput, NotFound."""
    identity.need_admin(actor)

    def change(tx: Tx) -> None:
        group, row = identity.team_named(tx, team), identity.user_named(tx, user)
        before = people.memberships(tx, row.id).get(group.id)
        people.put_member(tx, group.id, row.id, lead)
        _record_member(tx, desk, actor, group.name, row.name, before, lead)

    desk.write(change)


def drop_member(desk: Desk, actor: Actor, team: str, user: str) -> None:
    """Raises NotAllowed, BadInput, NotFound."""
    identity.need_admin(actor)

    def change(tx: Tx) -> None:
        group, row = identity.team_named(tx, team), identity.user_named(tx, user)
        before = people.memberships(tx, row.id).get(group.id)
        if not people.drop_member(tx, group.id, row.id):
            raise NotFound(f"{user!r} is not in team {team!r}.")
        _record_member(tx, desk, actor, group.name, row.name, before, None)

    desk.write(change)


def add_service(
    desk: Desk, actor: Actor, name: str, team: str = "", criticality: int = 2, description: str = ""
) -> int:
    """criticality 1 (high) to 3 (low); team: a name, "" the default one. Raises NotAllowed, BadInput, Conflict."""
    identity.need_admin(actor)
    name = identity.clean_text(name, "name", 200, required=True)
    if name == "unknown":
        raise BadInput({"name": "“unknown” is the word for no service"})
    values = {"name": name, "criticality": _level(criticality), "description": description.strip()[:2000]}

    def change(tx: Tx) -> int:
        if people.service_named(tx, name) is not None:
            raise Conflict(f"there is a service {name!r} already")
        team_id = identity.team_named(tx, team).id if team else identity.ensure_defaults(tx, desk, actor)
        service_id = people.insert_service(tx, {**values, "team_id": team_id})
        identity.record(tx, desk, actor, "service", name, None, {**values, "team": team})
        return service_id

    return desk.write(change)


def change_service(desk: Desk, actor: Actor, name: str, changes: Mapping[str, Any]) -> None:
    """Change team (name), criticality or description. Raises NotAllowed, BadInput, NotFound."""
    identity.need_admin(actor)
    values: dict[str, Any] = {}
    if "criticality" in changes:
        values["criticality"] = _level(changes["criticality"])
    if "description" in changes:
        values["description"] = str(changes["description"]).strip()[:2000]
    _only({key: value for key, value in changes.items() if key != "team"}, values)

    def change(tx: Tx) -> None:
        row = people.service_named(tx, name)
        if row is None:
            raise NotFound(f"There is no service {name!r}.")
        if "team" in changes:
            values["team_id"] = identity.team_named(tx, str(changes["team"])).id
        people.update_service(tx, row.id, values)
        before = {key: getattr(row, key) for key in values}
        identity.record(tx, desk, actor, "service", row.name, before, values)

    desk.write(change)


def _profile(form: NewUser) -> dict[str, Any]:
    return {
        "display": identity.clean_text(form.display, "display", 200),
        "email": _email(form.email),
        "language": _language(form.language),
    }


def _changed_values(changes: Mapping[str, Any]) -> dict[str, Any]:
    read: dict[str, Callable[[Any], Any]] = {
        "display": lambda v: identity.clean_text(str(v), "display", 200),
        "email": lambda v: _email(str(v)),
        "language": lambda v: _language(str(v)),
        "roles": lambda v: list(identity.clean_words(v, ROLES, "roles")),
        "active": bool,
    }
    return {key: read[key](value) for key, value in changes.items() if key in read}


def _keep_an_admin(tx: Tx, row: Any, values: Mapping[str, Any]) -> None:
    stays = values.get("active", row.active) and ADMIN in values.get("roles", row.roles)
    if stays or not (row.active and ADMIN in row.roles):
        return
    if not any(ADMIN in other.roles and other.id != row.id for other in people.active_users(tx)):
        raise Refused([Refusal("A", "admin", "This is the last admin: make somebody else admin first.", "users")])


def _join(tx: Tx, desk: Desk, actor: Actor, row: Any, values: Mapping[str, Any], teams: Iterable[str] | None) -> None:
    """Set the teams when told; somebody who becomes an agent and is in no team joins the default one."""
    now_in = people.memberships(tx, row.id)
    roles = values.get("roles", row.roles)
    if teams is not None:
        wanted = {identity.team_named(tx, name).id for name in teams}
        for team_id in now_in.keys() - wanted:
            people.drop_member(tx, team_id, row.id)
        for team_id in sorted(wanted - now_in.keys()):
            people.put_member(tx, team_id, row.id, LEAD in roles)
    elif not now_in and AGENT in held_roles(frozenset(roles)):
        people.put_member(tx, identity.ensure_defaults(tx, desk, actor), row.id, LEAD in roles)


def _shown(tx: Tx, row: Any) -> dict[str, Any]:
    fields = ("display", "email", "language", "roles", "active")
    return {**{f: getattr(row, f) for f in fields}, "teams": people.team_names(tx, people.memberships(tx, row.id))}


def _record_member(
    tx: Tx, desk: Desk, actor: Actor, team: str, user: str, before: bool | None, after: bool | None
) -> None:
    words = {None: "no", False: "member", True: "lead"}
    identity.record(tx, desk, actor, "team_member", team, {user: words[before]}, {user: words[after]})


def _email(text: str) -> str:
    email = identity.clean_text(text, "email", 254)
    if email and (email.count("@") != 1 or " " in email or email.startswith("@") or email.endswith("@")):
        raise BadInput({"email": f"{text!r} is no mail address"})
    return email


def _language(text: str) -> str:
    if text not in ("", *LANGUAGES):
        raise BadInput({"language": f"{text!r} is unknown; use {' or '.join(LANGUAGES)}"})
    return text


def _level(value: Any) -> int:
    if str(value) not in ("1", "2", "3"):
        raise BadInput({"criticality": "is 1 (high), 2 or 3 (low)"})
    return int(value)


def _only(changes: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    unknown = sorted(changes.keys() - known.keys())
    if unknown:
        raise BadInput(dict.fromkeys(unknown, "cannot be changed"))
