"""One's own settings: password, language, theme, sessions; an admin's switch of solo mode."""

from __future__ import annotations

from typing import Any

from flask import request, url_for

from servicedesk.domain.incident import ADMIN
from servicedesk.services import people as people_service
from servicedesk.services import sessions
from servicedesk.services import settings as settings_service
from servicedesk.store.views import people
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.i18n import LANGUAGES

from .blueprint import get, post
from .forms import Form, filled
from .page import THEMES, go, shell, submit

YEAR = 365 * 24 * 3600


@get("/settings")
def settings() -> str:
    """One's own account."""
    return _page()


def _page(**forms: Form) -> str:
    actor, session = auth.current_actor(), auth.current_session()
    with desk().read() as tx:
        user = people.find_user(tx, actor.id or 0)
        open_sessions = people.sessions(tx, actor.id or 0)
    begin = {name: getattr(user, name) for name in ("display", "email", "language")}
    shown = {"password_form": filled(), "profile_form": filled(begin)} | forms
    current = session.key.hex() if session else ""
    has_password = session.has_password if session else True
    return shell(
        "people/settings.html",
        "settings",
        user=user,
        sessions=open_sessions,
        current=current,
        has_password=has_password,
        languages=LANGUAGES,
        **shown,
    )


@post("/settings/profile")
def save_profile() -> Any:
    """Name, address and language."""
    actor = auth.current_actor()
    return submit(
        lambda f: people_service.change_user(
            desk(), actor, actor.name, {name: f.value(name) for name in ("display", "email", "language")}
        ),
        lambda _none: url_for("ui.settings", said="saved"),
        lambda form: _page(profile_form=form),
    )


@post("/settings/password")
def save_password() -> Any:
    """A new password; every other browser is signed out."""
    actor, session = auth.current_actor(), auth.current_session()
    keep = session.key if session else b""
    return submit(
        lambda f: people_service.set_password(desk(), actor, actor.name, f.value("new"), f.value("current"), keep),
        lambda _none: url_for("ui.settings", said="saved"),
        lambda form: _page(password_form=form),
    )


@post("/settings/theme")
def save_theme() -> Any:
    """Light, dark, or as the system says; kept in this browser."""
    wanted = request.form.get("theme", "")
    answer = go(url_for("ui.settings", said="saved"))
    if wanted in THEMES:
        answer.set_cookie("theme", wanted, max_age=YEAR, samesite="Lax", httponly=True, secure=auth.secure())
    else:
        answer.delete_cookie("theme")
    return answer


@post("/settings/sessions/<key>")
def end_session(key: str) -> Any:
    """Sign one browser out."""
    actor = auth.current_actor()
    return submit(
        lambda _form: sessions.revoke(desk(), actor, _digest(key)),
        lambda _none: url_for("ui.settings", said="revoked"),
        lambda _form: _page(),
    )


def _digest(key: str) -> bytes:
    try:
        return bytes.fromhex(key)
    except ValueError:
        return b""


@post("/settings/solo-mode", role=ADMIN)
def switch_solo_mode() -> Any:
    """Let one person do what otherwise needs two; recorded."""
    actor = auth.current_actor()
    return submit(
        lambda f: settings_service.set_solo_mode(desk(), actor, f.value("on") == "1"),
        lambda _on: url_for("ui.settings", said="saved"),
        lambda _form: _page(),
    )
