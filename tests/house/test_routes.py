"""Every route says who may call it, and keeps to it: a stranger gets nothing from any route that is not public."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import BuildError, Rule

from servicedesk.app import create_app
from servicedesk.config import Config
from servicedesk.desk import open_desk
from servicedesk.web.route import PUBLIC, endpoint_of, route

# Whoever makes a route public says so here, with the reason.
PUBLIC_ROUTES = {
    "/healthz": "an orchestrator asks whether the process lives",
    "/readyz": "an orchestrator asks whether it can serve",
    "/api/v1/heartbeats/<key>/ping": "what pings knows the key, which allows nothing else",
    "/metrics": "Prometheus scrapes it; figures only",
    "/static/<path:filename>": "style sheets and scripts",
    "/favicon.ico": "the browser asks for it",
    "/calendar/<secret>.ics": "a calendar program fetches it; the address carries its own proof",
    "/sign-in": "where people sign in",
    "/sign-out": "ends the session that it finds",
    "/sign-in/link/<secret>": "a signed link carries its own proof",
    "/portal/confirm/<secret>": "a signed link carries its own proof",
    "/sign-in/forgotten": "who forgot the password is not signed in",
    "/portal/acknowledge/<secret>": "a signed link carries its own proof",
    "/api/v1/channels/<channel>/actions": "the chat signs what it sends",
    "/portal/thanks": "a sentence after the link was used",
}


@pytest.fixture
def app(sqlite_database: str, tmp_path: Path) -> Iterator[Flask]:
    desk = open_desk(Config(data_dir=str(tmp_path / "data"), database_url=sqlite_database))
    yield create_app(desk)
    desk.close()


def undeclared(app: Flask) -> list[str]:
    """Rules whose view was not made by `route`, so that nothing judges who calls it."""
    return [
        str(rule)
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static" and endpoint_of(app.view_functions[rule.endpoint]) is None
    ]


def public(app: Flask) -> set[str]:
    rules = app.url_map.iter_rules()
    declared = ((str(rule), endpoint_of(app.view_functions[rule.endpoint])) for rule in rules)
    return {rule for rule, endpoint in declared if endpoint is None or endpoint.scope == PUBLIC}


def address(app: Flask, rule: Rule) -> str:
    """The rule with something that fits in each of its places."""
    adapter = app.url_map.bind("localhost")
    for value in (1, "x"):
        values: dict[str, Any] = {}
        for name, converter in rule._converters.items():
            choices = getattr(converter, "items", None)  # of <any(a, b):name>
            values[name] = sorted(choices)[0] if choices else value
        try:
            return adapter.build(rule.endpoint, values)
        except (BuildError, ValueError):
            continue
    raise AssertionError(f"no address for {rule}")


def test_every_route_declares_who_may_call_it(app: Flask) -> None:
    assert undeclared(app) == []
    assert len(list(app.url_map.iter_rules())) > 30


def test_public_routes_are_the_listed_ones(app: Flask) -> None:
    assert public(app) - set(PUBLIC_ROUTES) == set()


WRONG = {"Authorization": "Bearer sd_000000000000000000000000_wrong"}


@pytest.mark.feature("A1")
@pytest.mark.parametrize("headers", [{}, WRONG], ids=["a stranger", "a wrong token"])
def test_who_is_not_known_gets_nothing(app: Flask, headers: dict[str, str]) -> None:
    client, let_in, asked = app.test_client(), [], 0
    for rule in app.url_map.iter_rules():
        endpoint = endpoint_of(app.view_functions[rule.endpoint])
        if endpoint is None or endpoint.scope == PUBLIC:
            continue
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            answer = client.open(address(app, rule), method=method, headers=headers)
            to_sign_in = answer.status_code in {302, 303} and "/sign-in" in answer.headers.get("Location", "")
            asked += 1
            if answer.status_code != 401 and not to_sign_in:
                let_in.append(f"{method} {rule}: {answer.status_code}")
    assert let_in == []
    assert asked > 30


def test_it_sees_an_undeclared_route(app: Flask) -> None:
    planted = Flask("planted")
    planted.add_url_rule("/backdoor", view_func=lambda: "hello", endpoint="backdoor")
    assert undeclared(planted) == ["/backdoor"]
    assert public(planted) == {"/backdoor", "/static/<path:filename>"}


def test_a_route_needs_a_known_scope() -> None:
    from flask import Blueprint

    with pytest.raises(ValueError, match="does not exist"):
        route(Blueprint("x", "x"), "GET", "/x", scope="everybody")
