"""Rules that hold on every page: escaped text, no inline script or style, tokens in forms, labels, known icons."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask

from servicedesk.desk import Desk
from tests.support.pages import Parsed, Visitor
from tests.support.source import ROOT

from .conftest import HOSTILE

STAFF = (
    "/queue", "/queue?status=all", "/queue?owner=me", "/queue?q=INC-1", "/queue?q=latency",
    "/queue?priority=1&type=incident",
    "/incidents/INC-1", "/incidents/INC-2", "/incidents/INC-2?order=old", "/incidents/INC-3", "/incidents/INC-2/review",
    "/incidents/INC-1/review", "/reviews", "/reviews?status=draft", "/second-person-requests",
    "/second-person-requests?status=expired", "/alerts", "/alerts?view=check", "/alerts?status=firing", "/alerts/1",
    "/alerts/gaps",
    "/deliveries", "/deliveries?view=all", "/deliveries/1", "/playbooks", "/playbooks/kubernetes-pod-crash-looping",
    "/incidents/INC-1/checks", "/observations", "/playbooks?q=pod", "/playbooks/coverage",
    "/playbooks/kubernetes-pod-crash-looping/preview?alert=1", "/incidents/INC-1/silences/new",
    "/incidents/INC-1/runs/1/plan",
    "/teams", "/services", "/help", "/settings", "/my", "/incidents/new", "/syslog",
    "/maintenance", "/maintenance?past=1", "/heartbeats",
    "/syslog?minutes=180&q=app", "/intake", "/intake?span=1h", "/mappings", "/mappings?receiver=zabbix",
    "/on-call", "/on-call/schedules/Primary", "/on-call/schedules/Primary?month=2027-03", "/on-call/me",
    "/on-call/policies", "/on-call/policies?priority=1&service=unknown&at=2026-11-03T03:00", "/on-call/hand-over",
    "/incidents/INC-1/hand-over",
)  # fmt: skip
ADMIN = (
    "/users",
    "/users/ada",
    "/tokens",
    "/on-call/new-schedule",
    "/on-call/new-policy",
    "/on-call/schedules/Primary/edit",
)
FORMS = (
    "assign",
    "hold",
    "resolve",
    "verify",
    "confirm",
    "explain",
    "reopen",
    "cancel",
    "ask_second_person",
    "edit",
    "take",
)


def pages(app: Flask) -> Iterator[tuple[str, Parsed, str]]:
    """Every page as an admin, a requester and a stranger see it."""
    ada, rosa, nobody = Visitor(app, "ada"), Visitor(app, "rosa"), Visitor(app)
    for path in (*STAFF, *ADMIN, *(f"/incidents/1/do/{name}" for name in FORMS)):
        yield path, ada.get(path), ada.html
    ada.get("/alerts")
    for path in {link for link in ada.page.links if link.startswith("/alerts/")}:
        yield path, ada.get(path), ada.html
    ada.get("/syslog")
    for path in [link for link in ada.page.links if link.startswith("/syslog/templates/")]:
        yield path, ada.get(path), ada.html
        yield f"{path}/preview", ada.send(path, "Try it", id="x", title="x", message="", app="", host=""), ada.html
    ada.get("/on-call/policies")
    for path in [link for link in ada.page.links if link.startswith("/on-call/policies/")]:
        yield path, ada.get(path), ada.html
    yield "/nothing", ada.get("/nothing", status=404), ada.html
    for path in ("/my", "/incidents/INC-3", "/incidents/new", "/help", "/settings"):
        yield path, rosa.get(path), rosa.html
    yield "/sign-in", nobody.get("/sign-in"), nobody.html


@pytest.mark.feature("A7")
def test_every_page_keeps_the_rules(full_desk: Flask) -> None:
    sprite = (ROOT / "servicedesk/web/static/vendor/icons.svg").read_text(encoding="utf-8")
    known = set(re.findall(r'<symbol id="([^"]+)"', sprite))
    for path, page, html in pages(full_desk):
        assert page.inline == [], f"{path}: inline script or style"
        assert "<script>alert(2)" not in html, f"{path}: text became markup"
        assert not re.search(r"<img[^>]+onerror", html), f"{path}: text became markup"
        assert not [link for link in page.links if urlsplit(link).scheme not in ("", "http", "https", "mailto")], path
        assert len(page.ids) == len(set(page.ids)), f"{path}: an id twice: {sorted(page.ids)}"
        for form in page.forms:
            if form.method == "post" and not form.action.startswith(("/sign-in", "/portal")):
                assert any(name == "csrf_token" and value for name, value in form.fields), f"{path}: {form.action}"
        used = {a["href"].split("#")[1] for tag, a in page.tags if tag == "use" and "icons.svg" in a["href"]}
        assert used <= known, f"{path}: unknown icons {used - known}"
        unlabelled = [a for tag, a in page.tags if tag in ("input", "select", "textarea") and not _named(a, page)]
        assert unlabelled == [], f"{path}: fields without a name for screen readers"


def _named(a: dict[str, str], page: Parsed) -> bool:
    hidden = a.get("type") in ("hidden", "radio", "checkbox")
    return hidden or a.get("id", "-") in page.labels or "aria-label" in a


@pytest.mark.feature("A1")
def test_a_requester_sees_only_what_is_theirs(full_desk: Flask) -> None:
    rosa = Visitor(full_desk, "rosa")
    for path in STAFF:
        if path.startswith(("/help", "/settings", "/my", "/incidents/new", "/incidents/INC-3")):
            continue
        rosa.get(path, status=404)
        assert HOSTILE[:20] not in rosa.text
    for path in ADMIN:
        rosa.get(path, status=403)
    for name in set(FORMS) - {"confirm", "reopen"}:
        rosa.get(f"/incidents/3/do/{name}", status=404)
    assert "Before it may close" not in rosa.get("/incidents/3").text


def test_a_form_without_its_token_is_refused(full_desk: Flask) -> None:
    ada = Visitor(full_desk, "ada")
    for action in ("/incidents/1/do/resume", "/incidents/1/comments", "/settings/theme", "/teams"):
        answer = ada.client.post(action, data={"text": "x"})
        assert answer.status_code == 403, action
        foreign = ada.client.post(action, data={"text": "x"}, headers={"Sec-Fetch-Site": "cross-site"})
        assert foreign.status_code == 403, action


def test_looking_changes_nothing(full_desk: Flask, desk: Desk) -> None:
    """No GET of a page writes to the database, the page of a mail link included."""
    from sqlalchemy import event

    written: list[str] = []
    ada = Visitor(full_desk, "ada")

    def watch(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
            written.append(statement)

    event.listen(desk.db.write_engine, "before_cursor_execute", watch)
    for path in (*STAFF, *ADMIN):
        ada.get(path)
    assert [s for s in written if " session" not in s] == []


@pytest.mark.parametrize("status", [401, 403, 404, 405, 409, 412, 413, 422, 429, 500, 503])
def test_error_pages_say_what_to_do(app: Flask, status: int) -> None:
    from flask import render_template

    from servicedesk.web.errors import Kind, Problem

    with app.test_request_context("/"):
        problem = Problem(Kind("x", status, "Title"), "The detail.", {"refusals": []})
        text = Parsed(render_template("errors/error.html", problem=problem, request_id="abc12345")).text
    assert str(status) in text
    assert "abc12345" in text
    assert "To the start page" in text


def test_the_fields_of_the_queue_narrow_it(full_desk: Flask) -> None:
    ada = Visitor(full_desk, "ada")
    assert "KubePodCrashLooping" in ada.get("/queue?owner=ada").text
    assert "KubePodCrashLooping" not in ada.get("/queue?owner=ben").text
    assert "No ticket fits" in ada.get("/queue?team=Nowhere").text
    ada.get("/queue?status=nonsense", status=422)
    ada.get("/queue?cursor=nonsense", status=422)


@pytest.mark.feature("T21")
def test_a_fingerprint_leads_to_the_ticket(full_desk: Flask, desk: Desk) -> None:
    from sqlalchemy import update

    from servicedesk.store.tables import alert

    desk.write(lambda tx: tx.run(update(alert).where(alert.c.id == 1).values(fingerprint="b" * 16)))
    ada = Visitor(full_desk, "ada")
    ada.get("/a/" + "b" * 16)
    assert ada.path == "/incidents/INC-1"
    ada.get("/a/unknown", status=404)


def test_templates_use_no_raw_markup() -> None:
    """Nothing is marked safe in a template: escaping is never switched off."""
    for path in sorted(Path(ROOT / "servicedesk/web/templates").rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        assert "|safe" not in text.replace(" ", ""), path
        assert "autoescape" not in text, path
