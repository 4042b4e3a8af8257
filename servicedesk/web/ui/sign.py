"""Signing in and out: by password, or by a one-time link (whose page asks first: mail scanners look at links)."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request, url_for

from servicedesk.errors import Busy, NotFound, NotSignedIn
from servicedesk.services import invitations, sessions
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.i18n import gettext as _
from servicedesk.web.route import PUBLIC

from .blueprint import get, post
from .forms import Form, filled, typed


@get("/sign-in", scope=PUBLIC)
def sign_in_page() -> Any:
    """The form; who is signed in goes on."""
    if auth.find_actor() is not None:
        return redirect(_next(), 303)
    return _sign_in_page(filled({"next": request.args.get("next", "")}))


@post("/sign-in", scope=PUBLIC)
def sign_in() -> Any:
    """By name and password."""
    form = typed(request.form)
    try:
        found = sessions.sign_in(desk(), form.value("name").strip(), form.value("password"), _browser())
    except NotSignedIn as error:
        form.errors = {"": str(error)}
        return _sign_in_page(form), 401
    except Busy as error:
        form.errors = {"": str(error)}
        return _sign_in_page(form), 503
    return _welcome(found, _next())


def _sign_in_page(form: Form) -> str:
    return render_template("sign/in.html", form=form, by_mail=invitations.possible(desk()))


@get("/sign-in/link/<secret>", scope=PUBLIC)
def link_page(secret: str) -> str:
    """One button; looking at it changes nothing."""
    if not sessions.link_is_fresh(desk(), secret):
        raise NotFound(_("This link was used already, or it is too old: ask an admin for a new one."))
    return render_template("sign/link.html", secret=secret)


@post("/sign-in/link/<secret>", scope=PUBLIC)
def use_link(secret: str) -> Any:
    """Come in by the link, then set a password."""
    return _welcome(sessions.use_link(desk(), secret, _browser()), url_for("ui.settings", _anchor="password"))


@get("/sign-in/forgotten", scope=PUBLIC)
def forgotten_page() -> str:
    """Ask for a link to set a new password."""
    return render_template("sign/forgotten.html", form=filled(), asked=False)


@post("/sign-in/forgotten", scope=PUBLIC)
def forgotten() -> Any:
    """The same answer whoever is named."""
    form = typed(request.form)
    try:
        invitations.ask_reset(desk(), form.value("name"))
    except Busy as error:
        form.errors = {"": str(error)}
        return render_template("sign/forgotten.html", form=form, asked=False), 503
    return render_template("sign/forgotten.html", form=form, asked=True)


@post("/sign-out", scope=PUBLIC)
def sign_out() -> Any:
    """End the session of this browser."""
    cookie = request.cookies.get(auth.cookie_name())
    if cookie:
        sessions.sign_out(desk(), cookie)
    answer = redirect(url_for("ui.sign_in_page"), 303)
    auth.forget(answer)
    return answer


def _welcome(found: sessions.SignedIn, where: str) -> Any:
    answer = redirect(where, 303)
    auth.remember(answer, found.cookie)
    return answer


def _browser() -> str:
    return request.headers.get("User-Agent", "")[:200]


def _next() -> str:
    """Only a path of this site: never an address that somebody put into a link."""
    wanted = request.values.get("next", "")
    plain = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if plain else url_for("ui.home")
