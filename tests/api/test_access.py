"""Who may call what: scopes, roles, whose tickets, browsers' sessions and requests from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from servicedesk.app import create_app
from servicedesk.config import Config, Http
from servicedesk.desk import open_desk
from servicedesk.errors import ConfigError
from servicedesk.services import people, sessions, tokens
from servicedesk.web.auth import CSRF_HEADER
from tests.api.conftest import OPERATOR, Caller, Callers

NEW = {"title": "Mail is slow"}


def caller(callers: Callers, user: str, *scopes: str) -> Caller:
    return Caller(callers.app, tokens.create(callers.desk, OPERATOR, user=user, scopes=scopes))


@pytest.mark.feature("A1")
def test_a_tokens_right_is_its_scope_and_its_users_roles(one: Callers) -> None:
    reads = caller(one, "lead", "read")
    reads.get("/incidents")
    reads.post("/incidents", NEW, 403)
    caller(one, "lead", "work").get("/incidents", 403)
    caller(one, "requester", "read", "work", "admin").post("/services", {"name": "shop"}, 403)
    caller(one, "admin", "read", "work").post("/services", {"name": "shop"}, 403)
    caller(one, "admin", "admin").post("/services", {"name": "shop"}, 201)
    one.sender.get("/incidents", 403)


@pytest.mark.feature("A1")
def test_a_services_token_reads_and_changes_nothing(one: Callers) -> None:
    one.lead.post("/incidents", NEW, 201)
    robot = Caller(one.app, tokens.create(one.desk, OPERATOR, service="grafana", scopes=("read", "work")))
    assert len(robot.get("/incidents")["items"]) == 1
    robot.get("/incidents/1")
    robot.post("/incidents", NEW, 403)
    assert robot.call("POST", "/incidents/1/acknowledgement", json={}).status_code in (403, 409)


@pytest.mark.feature("A1", "T1")
def test_a_requester_sees_their_own_tickets_only(one: Callers) -> None:
    one.lead.post("/incidents", NEW, 201)
    mine = one.requester.post("/incidents", {"title": "I cannot print"}, 201)
    assert [i["number"] for i in one.requester.get("/incidents")["items"]] == [mine["number"]]
    assert one.requester.get(f"/incidents/{mine['number']}")["requester"] == "requester"
    one.requester.get("/incidents/1", 404)
    one.stranger.get(f"/incidents/{mine['number']}", 404)
    one.stranger.post(f"/incidents/{mine['number']}/comments", {"text": "hello"}, 404)
    assert one.stranger.get("/incidents?requester=requester")["items"] == []
    for path in ("/alerts", "/deliveries", "/users", "/teams", "/notifications", "/policies", "/playbooks"):
        one.requester.get(path, 403)
    one.requester.get(f"/incidents/{mine['number']}/timeline", 403)


@pytest.mark.feature("T6")
def test_a_requester_sees_nothing_of_the_inside(one: Callers) -> None:
    mine = f"/incidents/{one.requester.post('/incidents', {'title': 'I cannot print'}, 201)['number']}"
    one.lead.post(f"{mine}/comments", {"text": "He always forgets the paper"}, 201)
    one.lead.post(f"{mine}/comments", {"text": "Is there paper?", "visibility": "public"}, 201)
    assert [c["text"] for c in one.requester.get(f"{mine}/comments")["items"]] == ["Is there paper?"]
    assert len(one.lead.get(f"{mine}/comments")["items"]) == 2
    seen = one.requester.get(mine)
    assert (seen["checklist"], seen["alerts"], seen["playbooks"], seen["creation"]) == ([], [], [], {})
    assert seen["actions"] == {"comment": None}, "what bars the desk's own people is not told"
    said = one.requester.post(f"{mine}/comments", {"text": "Yes", "visibility": "internal"}, 201)
    assert said["visibility"] == "public", "a requester writes no internal notes"


@pytest.fixture
def browser(one: Callers) -> tuple[FlaskClient, str]:
    """A signed-in lead's browser and its CSRF token."""
    link = people.signin_link(one.desk, one.people["admin"], "lead")
    signed_in = sessions.use_link(one.desk, link)
    client = one.app.test_client()
    client.set_cookie("servicedesk", signed_in.cookie)
    return client, signed_in.csrf


@pytest.mark.feature("A2")
def test_a_sessions_changes_need_its_csrf_token(browser: tuple[FlaskClient, str]) -> None:
    client, csrf = browser
    assert client.get("/api/v1/incidents").status_code == 200
    for headers in ({}, {CSRF_HEADER: "wrong"}, {CSRF_HEADER: ""}):
        assert client.post("/api/v1/incidents", json=NEW, headers=headers).status_code == 403
    assert client.post("/api/v1/incidents", json=NEW, headers={CSRF_HEADER: csrf}).status_code == 201


@pytest.mark.feature("A2")
@pytest.mark.parametrize(
    "elsewhere",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}],
)
def test_another_site_changes_nothing_even_with_the_token(
    browser: tuple[FlaskClient, str], elsewhere: dict[str, str]
) -> None:
    client, csrf = browser
    answer = client.post("/api/v1/incidents", json=NEW, headers={CSRF_HEADER: csrf} | elsewhere)
    assert answer.status_code == 403
    good = {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}
    assert client.post("/api/v1/incidents", json=NEW, headers={CSRF_HEADER: csrf} | good).status_code == 201


def test_a_wrong_token_is_not_saved_by_a_good_session(browser: tuple[FlaskClient, str]) -> None:
    client, _ = browser
    wrong = {"Authorization": "Bearer sd_000000000000_x"}
    assert client.get("/api/v1/incidents", headers=wrong).status_code == 401


@pytest.mark.feature("A2")
def test_a_revoked_session_is_over(one: Callers, browser: tuple[FlaskClient, str]) -> None:
    client, _ = browser
    sessions.revoke_all(one.desk, one.people["admin"], "lead")
    assert client.get("/api/v1/incidents").status_code == 401
    page = client.get("/queue?x=1", headers={"Accept": "text/html"})
    assert page.status_code in (303, 404)


def test_people_are_sent_to_sign_in_and_back(one: Callers) -> None:
    answer = one.app.test_client().get("/docs?x=1", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/sign-in?next=%2Fdocs%3Fx%3D1"


@pytest.mark.parametrize(
    ("base_url", "name", "secure"),
    [("https://desk.example", "__Host-servicedesk", True), ("", "servicedesk", False)],
)
def test_the_cookie(tmp_path: Path, sqlite_database: str, base_url: str, name: str, secure: bool) -> None:
    from flask import Response

    from servicedesk.web import auth

    config = Config(data_dir=str(tmp_path), database_url=sqlite_database, http=Http(base_url=base_url))
    desk = open_desk(config)
    app = create_app(desk)
    with app.test_request_context("/"):
        response = Response()
        auth.remember(response, "secret")
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith(f"{name}=secret;")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert ("Secure" in cookie) == secure
    assert "Domain" not in cookie
    assert ("Strict-Transport-Security" in app.test_client().get("/healthz").headers) == secure
    desk.close()


def remote(tmp_path: Path, database: str, trusted: tuple[str, ...], headers: dict[str, str], peer: str) -> int:
    """Status of a scrape that comes from `peer`."""
    config = Config(data_dir=str(tmp_path), database_url=database, http=Http(trusted_proxies=trusted))
    desk = open_desk(config)
    status = create_app(desk).test_client().get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": peer})
    desk.close()
    return status.status_code


@pytest.mark.feature("O5")
@pytest.mark.parametrize(
    ("trusted", "headers", "peer", "status"),
    [
        ((), {}, "127.0.0.1", 200),
        ((), {}, "::1", 200),
        ((), {}, "192.0.2.7", 401),
        ((), {"X-Forwarded-For": "127.0.0.1"}, "192.0.2.7", 401),
        ((), {"X-Forwarded-For": "192.0.2.7"}, "127.0.0.1", 401),
        (("127.0.0.1",), {"X-Forwarded-For": "192.0.2.7"}, "127.0.0.1", 401),
        (("10.0.0.0/8",), {"X-Forwarded-For": "127.0.0.1"}, "10.1.2.3", 401),
    ],
)
def test_metrics_are_open_to_this_machine_only(
    tmp_path: Path,
    sqlite_database: str,
    trusted: tuple[str, ...],
    headers: dict[str, str],
    peer: str,
    status: int,
) -> None:
    assert remote(tmp_path, sqlite_database, trusted, headers, peer) == status


def test_metrics_by_token_from_elsewhere(one: Callers) -> None:
    token = one.lead.token
    answer = one.app.test_client().get(
        "/metrics", headers={"Authorization": f"Bearer {token}"}, environ_base={"REMOTE_ADDR": "192.0.2.7"}
    )
    assert answer.status_code == 200


def test_forwarded_headers_are_believed_from_trusted_proxies_only(tmp_path: Path, sqlite_database: str) -> None:
    from flask import request

    config = Config(data_dir=str(tmp_path), database_url=sqlite_database, http=Http(trusted_proxies=("10.0.0.0/8",)))
    desk = open_desk(config)
    app = create_app(desk)
    app.add_url_rule("/who", view_func=lambda: f"{request.remote_addr} {request.scheme} {request.host}")
    client = app.test_client()
    sent = {
        "X-Forwarded-For": "1.1.1.1, 192.0.2.7, 10.9.9.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "desk.example",
    }
    by_proxy = client.get("/who", headers=sent, environ_base={"REMOTE_ADDR": "10.1.1.1"}).text
    assert by_proxy == "192.0.2.7 https desk.example"
    assert (
        client.get("/who", headers=sent, environ_base={"REMOTE_ADDR": "192.0.2.1"}).text == "192.0.2.1 http localhost"
    )
    desk.close()


def test_a_proxy_that_is_no_address_is_said(tmp_path: Path, sqlite_database: str) -> None:
    config = Config(data_dir=str(tmp_path), database_url=sqlite_database, http=Http(trusted_proxies=("nginx",)))
    desk = open_desk(config)
    with pytest.raises(ConfigError, match="nginx"):
        create_app(desk)
    desk.close()
