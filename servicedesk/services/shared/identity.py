"""What the services about people, tokens and first start share. The caller's transaction; the caller checked rights."""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from servicedesk.desk import Desk
from servicedesk.domain import heartbeat
from servicedesk.domain.incident import ADMIN, AGENT, LEAD, ROLES, SCOPES, Actor, held_roles
from servicedesk.domain.selfwatch import SOURCE
from servicedesk.errors import BadInput, Conflict, NotAllowed, NotFound
from servicedesk.services.shared import timeline
from servicedesk.services.shared.timeline import Line
from servicedesk.store import access, people
from servicedesk.store.db import Tx

DEFAULT_TEAM = "Operations"
DEFAULT_SERVICE = "General"
SIGNIN = "signin"
LINK_LIFE = timedelta(hours=24)
_NAME = re.compile(r"\w[\w.@+-]{0,99}")


def need_admin(actor: Actor) -> None:
    if not actor.has(ADMIN):
        raise NotAllowed("Only an admin may do this.")


def in_person(actor: Actor, name: str) -> bool:
    """Is it the user of this name, signed in (not a token, which may be out on loan)?"""
    return actor.id is not None and actor.scopes is None and actor.name == name


def record(
    tx: Tx,
    desk: Desk,
    actor: Actor,
    kind: str,
    name: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    """A line of the administration log; only what differs is kept. Never a secret."""
    if before is not None and after is not None:
        changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
        if not changed:
            return
        before = {key: before.get(key) for key in sorted(changed)}
        after = {key: after.get(key) for key in sorted(changed)}
    content = {"name": name, "before": _json(before), "after": _json(after)}
    timeline.append(tx, desk, Line(timeline.ADMIN_LOG, kind, content, actor))


def clean_name(text: str, field: str = "name") -> str:
    """A sign-in name: letters, digits and . @ + - _, up to 100. Raises BadInput."""
    name = unicodedata.normalize("NFC", text.strip())
    if not _NAME.fullmatch(name):
        raise BadInput({field: f"{text!r} is no name: use letters, digits and . @ + - _, at most 100"})
    return name


def clean_text(text: str, field: str, limit: int, required: bool = False) -> str:
    """One line of text without control characters. Raises BadInput."""
    value = unicodedata.normalize("NFC", text.strip())
    if any(unicodedata.category(c) == "Cc" for c in value):
        raise BadInput({field: "must be one line without control characters"})
    if len(value) > limit or (required and not value):
        raise BadInput({field: f"must have {'1' if required else '0'} to {limit} characters"})
    return value


def clean_words(values: Iterable[str], known: tuple[str, ...], field: str) -> tuple[str, ...]:
    """A set of known words in their usual order. Raises BadInput that names the known ones."""
    given = {value.strip() for value in values if value.strip()}
    unknown = sorted(given - set(known))
    if unknown or not given:
        what = f"{', '.join(unknown)}: unknown" if unknown else "is empty"
        raise BadInput({field: f"{what}; use {', '.join(known)}"})
    return tuple(word for word in known if word in given)


def ensure_defaults(tx: Tx, desk: Desk, actor: Actor) -> int:
    """One team and one service stand from the start; answers the default team's id."""
    team = people.default_team(tx)
    if team is None:
        team_id = people.insert_team(tx, DEFAULT_TEAM, "")
        record(tx, desk, actor, "team", DEFAULT_TEAM, None, {"email": ""})
    else:
        team_id = team.id
    if not people.any_service(tx):
        values = {"name": DEFAULT_SERVICE, "team_id": team_id, "criticality": 2, "description": ""}
        people.insert_service(tx, values)
        record(tx, desk, actor, "service", DEFAULT_SERVICE, None, {"criticality": 2})
    return int(team_id)


def add_user(tx: Tx, desk: Desk, actor: Actor, values: Mapping[str, Any], teams: Iterable[str] | None) -> int:
    """A new account. values: columns; teams: names, or None: agents join the default team.

    Raises BadInput, Conflict.
    """
    roles = clean_words(values["roles"], ROLES, "roles")
    name = clean_name(values["name"])
    if people.user_named(tx, name) is not None:
        raise Conflict(f"there is a user {name!r} already")
    user_id = people.insert_user(tx, {**values, "name": name, "roles": list(roles)})
    if teams is not None:
        joined = [team_named(tx, team).id for team in teams]
    else:
        joined = [ensure_defaults(tx, desk, actor)] if AGENT in held_roles(frozenset(roles)) else []
    for team_id in joined:
        people.put_member(tx, team_id, user_id, LEAD in roles)
    shown = {key: values[key] for key in values.keys() - {"name", "password_hash"}}
    record(tx, desk, actor, "user", name, None, {**shown, "roles": roles, "teams": people.team_names(tx, joined)})
    return user_id


def team_named(tx: Tx, name: str) -> Any:
    """Raises BadInput."""
    row = people.team_named(tx, name)
    if row is None:
        raise BadInput({"team": f"there is no team {name!r}"})
    return row


def user_named(tx: Tx, name: str) -> Any:
    """The account, locked. Raises NotFound."""
    row = people.user_named(tx, name)
    if row is None:
        raise NotFound(f"There is no user {name!r}.")
    return row


def new_token(
    tx: Tx,
    desk: Desk,
    actor: Actor,
    *,
    name: str,
    user_id: int | None,
    scopes: Iterable[str],
    source: str = "",
    expires_at: datetime | None = None,
) -> str:
    """A token `sd_<id>_<secret>`; this is the only moment at which it can be read. Raises BadInput."""
    chosen = clean_words(scopes, SCOPES, "scopes")
    if user_id is None and (barred := sorted({"review", "admin"} & set(chosen))):
        raise BadInput({"scopes": f"{', '.join(barred)}: only in a person's name, use --user"})
    source = clean_text(source, "source", 100)
    if source in (SOURCE, heartbeat.SOURCE):
        raise BadInput({"source": f"{source} is the source of the desk's own alerts: choose another name"})
    token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    values = {"name": name, "user_id": user_id, "scopes": list(chosen), "source": source, "expires_at": expires_at}
    access.insert_token(tx, {**values, "id": token_id, "secret_hash": digest(secret)})
    record(tx, desk, actor, "token", token_id, None, values)
    return f"sd_{token_id}_{secret}"


def new_signin_link(tx: Tx, desk: Desk, actor: Actor, user_id: int, name: str) -> str:
    """The secret of a one-time sign-in link: 24 hours, older unused ones void."""
    secret = secrets.token_urlsafe(32)
    access.delete_unused_links(tx, user_id, SIGNIN)
    expires_at = tx.now + LINK_LIFE
    access.insert_link(tx, {"id_hash": digest(secret), "purpose": SIGNIN, "user_id": user_id, "expires_at": expires_at})
    record(tx, desk, actor, "signin_link", name, None, {"expires_at": expires_at})
    return secret


def digest(secret: str) -> bytes:
    """SHA-256: enough for secrets of 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def _json(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if values is None:
        return None
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in values.items()}
