"""Teams, services and users: lists, and the forms that change them (an admin's; anybody of the desk may look)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import request, url_for

from servicedesk.domain.incident import ADMIN, ROLES
from servicedesk.errors import NotFound
from servicedesk.services import invitations
from servicedesk.services import people as service
from servicedesk.services.shared.announcing import choices as handover_places
from servicedesk.store.views import people as views
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.i18n import LANGUAGES

from . import options
from .blueprint import get, post
from .forms import Form, filled
from .page import need_staff, shell, submit


@get("/teams")
def teams_page() -> str:
    """Every team with its members."""
    return _teams_page(filled())


def _teams_page(form: Form) -> str:
    need_staff()
    with desk().read() as tx:
        teams = views.teams(tx)
    return shell(
        "people/teams.html", "teams", teams=teams, form=form, people=options.persons(), places=handover_places(desk())
    )


@post("/teams", role=ADMIN)
def change_teams() -> Any:
    """Add or change a team, add or take out a member."""
    actor, doing = auth.current_actor(), desk()
    acts: dict[str, Callable[[Form], Any]] = {
        "add": lambda f: service.add_team(doing, actor, f.value("name"), f.value("email")),
        "change": lambda f: service.change_team(
            doing, actor, f.value("team"), {k: f.value(k) for k in ("name", "email", "handover") if f.has(k)}
        ),
        "join": lambda f: service.put_member(doing, actor, f.value("team"), f.value("user"), f.flag("lead")),
        "leave": lambda f: service.drop_member(doing, actor, f.value("team"), f.value("user")),
    }
    act = acts.get(request.form.get("do", "add"), acts["add"])
    return submit(act, lambda _result: url_for("ui.teams_page", said="saved"), _teams_page)


@get("/services")
def services_page() -> str:
    """Every service with its team and criticality."""
    return _services_page(filled({"criticality": "2"}))


def _services_page(form: Form) -> str:
    need_staff()
    with desk().read() as tx:
        services = views.services(tx)
    return shell("people/services.html", "services", services=services, form=form, teams=options.teams())


@post("/services", role=ADMIN)
def change_services() -> Any:
    """Add or change a service."""
    actor = auth.current_actor()

    def act(f: Form) -> Any:
        level, text = f.number("criticality") or 2, f.value("description")
        if f.value("do") == "change":
            changes = {"team": f.value("team"), "criticality": level, "description": text}
            return service.change_service(desk(), actor, f.value("name"), changes)
        return service.add_service(desk(), actor, f.value("name"), f.value("team"), level, text)

    return submit(act, lambda _result: url_for("ui.services_page", said="saved"), _services_page)


@get("/users", role=ADMIN)
def users_page() -> str:
    """Everybody with an account."""
    return _users_page(filled())


def _users_page(form: Form, link: str = "", link_for: str = "") -> str:
    with desk().read() as tx:
        users = views.users(tx)
    return shell(
        "people/users.html",
        "users",
        users=users,
        form=form,
        roles=ROLES,
        link=link,
        link_for=link_for,
        languages=LANGUAGES,
    )


@post("/users", role=ADMIN)
def add_user() -> Any:
    """Add somebody; a one-time link lets them in."""
    actor = auth.current_actor()
    roles = tuple(request.form.getlist("roles"))

    def act(f: Form) -> Any:
        person = service.NewUser(f.value("name"), roles, f.value("display"), f.value("email"), f.value("language"))
        return service.add_user(desk(), actor, person)

    return submit(act, lambda _id: url_for("ui.users_page", said="saved"), _users_page)


@get("/users/<name>", role=ADMIN)
def user_page(name: str) -> Any:
    """One account, to change."""
    return _user_page(name, None)


def _user_page(name: str, form: Form | None) -> Any:
    with desk().read() as tx:
        user = next((u for u in views.users(tx) if u.name == name), None)
    if user is None:
        raise NotFound(f"There is no user {name!r}.")
    begin = {field: getattr(user, field) for field in ("display", "email", "language")}
    return shell("people/user.html", "users", u=user, form=form or filled(begin), roles=ROLES, languages=LANGUAGES)


@post("/users/<name>", role=ADMIN)
def change_user(name: str) -> Any:
    """Change roles, address, language, or disable the account."""
    actor = auth.current_actor()
    roles = request.form.getlist("roles")

    def act(f: Form) -> Any:
        changes: dict[str, Any] = {field: f.value(field) for field in ("display", "email", "language")}
        changes |= {"roles": roles, "active": f.flag("active")}
        return service.change_user(desk(), actor, name, changes)

    return submit(act, lambda _r: url_for("ui.users_page", said="saved"), lambda form: str(_user_page(name, form)))


@post("/users/<name>/link", role=ADMIN)
def user_link(name: str) -> Any:
    """A one-time sign-in link, shown once."""
    secret = service.signin_link(desk(), auth.current_actor(), name)
    address = desk().config.base_url + url_for("ui.link_page", secret=secret)
    return _users_page(filled(), address, name)


@post("/users/<name>/invitation", role=ADMIN)
def invite_user(name: str) -> Any:
    """Mail a link by which somebody comes in and sets a password."""
    actor = auth.current_actor()
    return submit(
        lambda _form: invitations.invite(desk(), actor, name),
        lambda _none: url_for("ui.users_page", said="sent"),
        _users_page,
    )
