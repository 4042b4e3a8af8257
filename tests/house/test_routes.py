"""Every route says who may call it, and keeps to it: a stranger gets nothing from any route that is not public."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.routing import Rule

from servicedesk.app import create_app
from servicedesk.config import Config
from servicedesk.desk import open_desk
from servicedesk.web.route import PUBLIC, endpoint_of, route

# Whoever makes a route public says so here, with the reason.
PUBLIC_ROUTES = {
    "/healthz": "an orchestrator asks whether the process lives",
    "/readyz": "an orchestrator asks whether it can serve",
    "/metrics": "Prometheus scrapes it; figures only",
    "/static/<path:filename>": "style sheets and scripts",
    "/favicon.ico": "the browser asks for it",
    "/sign-in": "where people sign in",
    "/sign-out": "ends the session that it finds",
    "/link/<secret>": "a signed link carries its own proof",
    "/confirm/<secret>": "a signed link carries its own proof",
}
ARGUMENTS = {"number": "1", "int": "1", "path": "x", "string": "x", "default": "x"}


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
    """The rule with something in each of its places."""
    values = {name: 1 if "number" in repr(kind).lower() or "int" in repr(kind).lower() else "x" for name, kind in
              rule._converters.items()}  # fmt: skip
    built = rule.build(values)
    assert built is not None, rule
    return built[1]


def test_every_route_declares_who_may_call_it(app: Flask) -> None:
    assert undeclared(app) == []
    assert len(list(app.url_map.iter_rules())) > 30


def test_public_routes_are_the_listed_ones(app: Flask) -> None:
    assert public(app) - set(PUBLIC_ROUTES) == set()


@pytest.mark.feature("A1")
def test_a_stranger_gets_nothing(app: Flask) -> None:
    client, let_in = app.test_client(), []
    for rule in app.url_map.iter_rules():
        endpoint = endpoint_of(app.view_functions[rule.endpoint])
        if endpoint is None or endpoint.scope == PUBLIC:
            continue
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            answer = client.open(address(app, rule), method=method)
            to_sign_in = answer.status_code in {302, 303} and "/sign-in" in answer.headers.get("Location", "")
            if answer.status_code != 401 and not to_sign_in:
                let_in.append(f"{method} {rule}: {answer.status_code}")
    assert let_in == []


@pytest.mark.feature("A1")
def test_a_wrong_token_gets_nothing(app: Flask) -> None:
    client, let_in = app.test_client(), []
    for rule in app.url_map.iter_rules():
        endpoint = endpoint_of(app.view_functions[rule.endpoint])
        if endpoint is None or endpoint.scope == PUBLIC:
            continue
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            headers = {"Authorization": "Bearer sd_000000000000000000000000_wrong"}
            code = client.open(address(app, rule), method=method, headers=headers).status_code
            if code != 401:
                let_in.append(f"{method} {rule}: {code}")
    assert let_in == []


def test_it_sees_an_undeclared_route(app: Flask) -> None:
    planted = Flask("planted")
    planted.add_url_rule("/backdoor", view_func=lambda: "hello", endpoint="backdoor")
    assert undeclared(planted) == ["/backdoor"]
    assert public(planted) == {"/backdoor", "/static/<path:filename>"}


def test_a_route_needs_a_known_scope() -> None:
    from flask import Blueprint

    with pytest.raises(ValueError, match="does not exist"):
        route(Blueprint("x", "x"), "GET", "/x", scope="everybody")
