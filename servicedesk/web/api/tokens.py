"""Tokens: made (shown once), listed, revoked; and the policy in force, to read."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

import msgspec
from flask import Blueprint

from servicedesk.domain.incident import ADMIN
from servicedesk.services import settings, tokens
from servicedesk.store.views import people
from servicedesk.store.views.paging import Page
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.route import STAFF, Answer, route

bp = Blueprint("api_tokens", __name__, url_prefix="/api/v1")
Scope = Literal["ingest", "read", "work", "review", "admin"]
Life = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,3}[dh]$")]


class TokenIn(msgspec.Struct, frozen=True):
    """For a user (its right = scopes ∩ roles) or a service. source: what its deliveries are filed under.

    expires: "90d" or "12h"; absent: never.
    """

    scopes: tuple[Scope, ...]
    user: str = ""
    service: str = ""
    source: str = ""
    expires: Life | None = None


class TokenOut(msgspec.Struct, frozen=True):
    """The only time that the token is shown."""

    id: str
    token: str


class PolicyOut(msgspec.Struct, frozen=True):
    """The policy in force: the shipped defaults with the operator's files laid over them."""

    solo_mode: bool
    policy: dict[str, Any]


@route(bp, "GET", "/tokens", scope="read", answer=Page[people.Token])
def list_tokens() -> Page[people.Token]:
    """List tokens without their secrets: an admin all, everybody else their own."""
    actor = auth.current_actor()
    mine = None if ADMIN in actor.roles else (actor.id if actor.id is not None else -1)
    with desk().read() as tx:
        return Page(people.tokens(tx, mine))


@route(bp, "POST", "/tokens", scope="work", body=TokenIn, answer=TokenOut, status=201)
def create_token(body: TokenIn) -> Answer:
    """Make a token; admins for anybody, others for themselves."""
    life = _life(body.expires)
    made = tokens.create(
        desk(),
        auth.current_actor(),
        user=body.user,
        service=body.service,
        scopes=body.scopes,
        source=body.source,
        expires_in=life,
    )
    return Answer(TokenOut(made.split("_")[1], made), 201)


def _life(text: str | None) -> timedelta | None:
    found = re.fullmatch(r"(\d+)([dh])", text or "")
    if found is None:
        return None
    return timedelta(days=int(found[1])) if found[2] == "d" else timedelta(hours=int(found[1]))


@route(bp, "DELETE", "/tokens/<token_id>", scope="work", status=204)
def revoke_token(token_id: str) -> Answer:
    """Revoke a token: at once here, within a minute on other nodes."""
    tokens.revoke(desk(), auth.current_actor(), token_id)
    return Answer()


@route(bp, "GET", "/policies", scope="read", role=STAFF, answer=PolicyOut)
def show_policy() -> PolicyOut:
    """Show the policy in force."""
    with desk().read() as tx:
        solo = settings.solo_mode(tx, desk())
    return PolicyOut(solo, msgspec.to_builtins(desk().policy, enc_hook=str, str_keys=True))
