"""A person at a real Chromium walks an alert to `closed` on the real program: with JavaScript, and without."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import Watched, chromium
from tests.support.server import Client, Server
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.real, pytest.mark.timeout(240)]

PASSWORD = "correct horse battery staple"
POLICY = "schema: 1\nalerts:\n  quiet_window: {1: 1s, 2: 1s, 3: 1s, 4: 1s, 5: 1s}\n"
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}'
LABELS = {
    "alertname": "KubePodCrashLooping",
    "severity": "warning",
    "namespace": "shop",
    "pod": "cart-5f7",
    "container": "cart",
    "service": "cart",
    "evil": HOSTILE,
}


@pytest.fixture
def quick_server(engine_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """The real program with a quiet window of a second."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    running = Server(tmp_path / "server", engine_url, {"SERVICEDESK_POLICIES": str(policy)})
    running.start()
    yield running
    running.finish(failed=request.session.testsfailed > 0)


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def person(server: Server, name: str, *roles: str) -> None:
    chosen = [word for role in roles for word in ("--role", role)]
    server.run("user", "add", name, *chosen, "--display", name.title(), "--password-stdin", text=PASSWORD + "\n")


def alert(status: str, began: datetime) -> dict[str, Any]:
    ended = datetime.now(UTC) if status == "resolved" else datetime(1, 1, 1, tzinfo=UTC)
    one = {
        "status": status,
        "labels": LABELS,
        "annotations": {"summary": f"cart restarts {HOSTILE}", "runbook_url": "javascript:alert(3)"},
        "startsAt": began.isoformat(),
        "endsAt": ended.isoformat().replace("+00:00", "Z"),
        "generatorURL": "https://prometheus.example/graph?g0.expr=up",
        "fingerprint": "a" * 16,
    }
    common: dict[str, Any] = {"groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}}
    head = {"version": "4", "groupKey": "{}", "receiver": "desk", "externalURL": "", "truncatedAlerts": 0}
    return head | common | {"status": status, "alerts": [one]}


def send(sender: Client, status: str, began: datetime) -> None:
    sender.post("/receivers/alertmanager", alert(status, began))


def state(page: Page) -> str:
    return page.locator(".ticket-head .badge").first.inner_text().strip()


def reload_until(page: Page, text: str) -> None:
    """The page of a ticket, loaded again until its state reads like this."""

    def shows() -> bool:
        page.reload()
        return state(page) == text

    wait_until(shows, 40, f"the ticket to read {text!r}", every=0.3)


def tick_steps(page: Page) -> None:
    """The first step is done, the others are skipped with a reason; a skip without one is refused in place."""
    steps = page.locator(".steps > li")
    for i in range(steps.count()):
        step = page.locator(".steps > li").nth(i)
        if step.locator("details[open]").count() == 0:
            step.locator("summary").click()
        if i == 1:
            step.get_by_role("button", name="Skip").click()
            expect(page.locator(".steps > li").nth(i).locator(".field-error")).to_contain_text("Say why")
            step = page.locator(".steps > li").nth(i)
        step.get_by_label("Result or reason").fill("restarted twice" if i == 0 else "not needed here")
        step.get_by_role("button", name="Done" if i == 0 else "Skip").click()
        done = "done" if i == 0 else "skipped"
        expect(page.locator(".steps > li").nth(i)).to_have_class(done)


def resolve(page: Page) -> None:
    """First with nothing filled in: what is missing stands in the form, and what was typed stays."""
    page.get_by_role("link", name="Resolve", exact=True).click()
    panel = page.locator("#panel")
    panel.get_by_label("What was done").fill("Rolled the image back; the old one is stable.")
    panel.get_by_role("button", name="Resolve").click()
    expect(panel.get_by_role("alert")).to_contain_text("resolution code")
    expect(panel.get_by_label("What was done")).to_have_value("Rolled the image back; the old one is stable.")
    panel.get_by_label("Resolution").select_option("workaround")
    panel.get_by_label("Cause class").select_option("change")
    panel.get_by_role("button", name="Resolve").click()
    expect(page.locator(".ticket-head .badge").first).to_contain_text("Resolved")


def write_review(page: Page) -> None:
    """Handing in an empty review names its fields; then it is written, with a follow-up."""
    page.get_by_role("link", name="Write the review").click()
    page.get_by_role("button", name="Save and hand in").click()
    expect(page.locator("#editor [data-problems]")).to_contain_text("Summary")
    editor = page.locator("#editor")
    editor.get_by_label("Summary").fill("The cart crashed after a new image.")
    editor.locator("#f-impact").fill("No orders for five minutes.")
    for name in ("Impact began", "Detected", "Restored", "Resolved"):
        field = editor.get_by_label(name, exact=True)
        if not field.input_value():
            field.fill("2026-11-21T10:00")
    editor.get_by_label("Factor 1").fill("No canary for the image")
    editor.get_by_label("What went well").fill("Found at once.")
    editor.get_by_label("What went badly").fill("The roll-back was not written down.")
    page.get_by_role("button", name="Save the draft").click()
    expect(page.locator("#editor").get_by_label("Summary")).to_have_value("The cart crashed after a new image.")
    page.locator("#actions summary", has_text="Add a follow-up").click()
    actions = page.locator("#actions")
    actions.get_by_label("What, beginning with a verb").fill("Roll out to a canary first")
    actions.get_by_label("Type").select_option("prevent")
    actions.get_by_label("Owner").select_option("ada")
    actions.get_by_label("Due").fill((datetime.now(UTC) + timedelta(days=20)).date().isoformat())
    actions.get_by_role("button", name="Add").click()
    expect(page.locator("#actions")).to_contain_text("Roll out to a canary first")
    page.get_by_role("button", name="Save and hand in").click()
    expect(page.locator("[data-problems]")).to_have_count(0)
    expect(page.locator(".page-head")).to_contain_text("To approve")


def walk(browser: Browser, server: Server, **options: Any) -> tuple[Watched, Watched]:
    """Alert → taken → steps → recovered → resolved → quiet → review → approved by another → closed."""
    person(server, "ada", "agent")
    person(server, "ben", "agent")
    sender, began = server.sender(), datetime.now(UTC) - timedelta(minutes=5)
    send(sender, "firing", began)
    ada = Watched(browser, server.base_url, **options)
    page = ada.sign_in("ada", PASSWORD)

    def in_the_queue() -> bool:
        page.goto("/queue")
        return page.locator(".queue tbody tr").count() == 1

    wait_until(in_the_queue, 20, "the ticket in the queue")
    page.locator(".queue .subject a").click()
    expect(page.locator("h1")).to_contain_text("<script>alert(2)</script>")
    expect(page.locator(".labels").first).to_contain_text(HOSTILE)
    assert page.locator("a[href^='javascript:']").count() == 0
    page.get_by_role("button", name="Take it").click()
    expect(page.locator(".ticket-head .badge").first).to_have_text("In progress")
    expect(page.locator("#moves .barred")).to_contain_text("still firing")
    tick_steps(page)
    send(sender, "resolved", began)
    wait_until(lambda: page.reload() and page.locator("#moves a", has_text="Resolve").count(), 20, "the recovery")
    resolve(page)
    reload_until(page, "Resolved – review under way")
    assert page.locator("#moves").get_by_role("link", name="Close").count() == 0
    write_review(page)
    expect(page.locator("#decide")).to_contain_text("cannot approve")

    ben = Watched(browser, server.base_url, **options)
    other = ben.sign_in("ben", PASSWORD)
    other.goto("/reviews")
    other.get_by_role("link", name="KubePodCrashLooping").click()
    other.get_by_role("button", name="Approve the review").click()
    expect(other.locator("#decide")).to_contain_text("Approved")
    other.goto("/incidents/INC-1")
    assert state(other) == "Closed"
    expect(other.locator("#gates-title")).to_contain_text("Every gate passed")
    return ada, ben


@pytest.mark.feature("T2", "T21", "P2", "R1", "R3", "A7", "A6")
def test_from_alert_to_closed(quick_server: Server, browser: Browser) -> None:
    for window in walk(browser, quick_server):
        assert window.complaints == []
        window.close()


@pytest.mark.feature("A6")
def test_from_alert_to_closed_without_javascript(tmp_path: Path, browser: Browser) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    server = Server(tmp_path / "server", env={"SERVICEDESK_POLICIES": str(policy)}).start()
    try:
        for window in walk(browser, server, java_script_enabled=False):
            assert window.complaints == []
            window.close()
    finally:
        server.finish(failed=True)
