"""Who asks: a bearer token, a browser's session, or (for receivers) basic authentication with the token as password.

A request with an Authorization header is judged by that header alone. A session's unsafe requests carry the session's
CSRF token, in the form field `csrf_token` or the header `X-CSRF-Token`, and must not come from another site.
"""

from __future__ import annotations

import hmac
from typing import cast
from urllib.parse import urlsplit

from flask import g, request
from werkzeug.wrappers import Response

from servicedesk.domain.incident import AGENT, REVIEWER, Actor, held_roles
from servicedesk.errors import NotAllowed, NotSignedIn
from servicedesk.services import sessions, tokens

from . import i18n
from .context import desk

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
PUBLIC, INGEST, STAFF = "public", "ingest", "staff"
CSRF_FIELD, CSRF_HEADER = "csrf_token", "X-CSRF-Token"


def current_actor() -> Actor:
    """Who asks. Raises NotSignedIn."""
    actor = find_actor()
    if actor is None:
        raise NotSignedIn("Sign in, or send a token: Authorization: Bearer sd_…")
    return actor


def find_actor() -> Actor | None:
    """Who asks, or None for nobody known. Raises NotSignedIn for a token that is wrong."""
    if "stranger" in g:  # judged already in this request
        raise g.stranger
    if "actor" not in g:
        try:
            g.actor = _identify()
        except NotSignedIn as error:
            g.stranger = error
            raise
    return cast("Actor | None", g.actor)


def current_session() -> sessions.SignedIn | None:
    """The browser's session, when the request is judged by it."""
    find_actor()
    return cast("sessions.SignedIn | None", g.get("session"))


def csrf_token() -> str:
    """The session's token for forms; "" when nobody is signed in."""
    session = current_session()
    return session.csrf if session else ""


def enter(scope: str, role: str, *, basic: bool) -> None:
    """Judge a request before its handler runs. Raises NotSignedIn or NotAllowed."""
    g.basic = basic
    if scope == PUBLIC:
        if request.method not in SAFE:
            _same_site()
        return
    actor = current_actor()
    if current_session() is not None and request.method not in SAFE:
        _same_site()
        _csrf()
    if not actor.may(scope) or (scope == INGEST and actor.scopes is None):
        raise NotAllowed(f"This needs a token with the scope “{scope}”.")
    if role == STAFF and not sees_everything(actor):
        raise NotAllowed("This is for agents and reviewers.")
    if role not in ("", STAFF) and not _holds(actor, role):
        raise NotAllowed(f"This needs the role “{role}”.")


def sees_everything(actor: Actor) -> bool:
    """Agents and reviewers see every ticket, and so does a service's token; a requester sees their own."""
    return _holds(actor, AGENT) or _holds(actor, REVIEWER)


def _holds(actor: Actor, role: str) -> bool:
    """By the person's roles; what the token's scope allows is judged apart, and again by the service function."""
    return role in held_roles(actor.roles) or (actor.id is None and bool(actor.token_id) and role in (AGENT, REVIEWER))


def _identify() -> Actor | None:
    g.session = None
    header = request.authorization
    if header is not None and header.type == "bearer":
        return tokens.authenticate(desk(), header.token or "")
    if header is not None and header.type == "basic" and g.get("basic"):
        return tokens.authenticate(desk(), header.password or "")
    if "Authorization" in request.headers:
        raise NotSignedIn("Authorization must be “Bearer sd_…”.")
    secret = request.cookies.get(cookie_name())
    found = sessions.authenticate(desk(), secret) if secret else None
    if found is None:
        return None
    g.session = found
    i18n.prefer(found.language)  # before anything is put into words
    return found.actor


def _same_site() -> None:
    """A browser says where a request comes from; other clients say nothing and carry no cookie of ours."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    foreign = site not in (None, "same-origin", "none")
    if site is None and origin is not None:
        foreign = urlsplit(origin).netloc != request.host
    if foreign:
        raise NotAllowed("This request came from another site.")


def _csrf() -> None:
    sent = request.headers.get(CSRF_HEADER) or request.form.get(CSRF_FIELD) or ""
    if not hmac.compare_digest(sent.encode(), csrf_token().encode()):
        raise NotAllowed("The form is too old or not ours: load the page again and send it once more.")


def secure() -> bool:
    """Do people reach the desk over https?"""
    return desk().config.base_url.startswith("https://") or request.is_secure


def cookie_name() -> str:
    """`__Host-` binds the cookie to this host and to https, where there is https."""
    return "__Host-servicedesk" if secure() else "servicedesk"


def remember(response: Response, secret: str) -> None:
    """Hand a new session's secret to the browser."""
    response.set_cookie(cookie_name(), secret, httponly=True, samesite="Lax", secure=secure(), path="/")


def forget(response: Response) -> None:
    """Take the session's cookie from the browser."""
    response.delete_cookie(cookie_name(), httponly=True, samesite="Lax", secure=secure(), path="/")
