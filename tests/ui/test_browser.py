"""In a real Chromium: accessibility in light and dark, keys, dialogs, narrow screens, lists that refresh themselves."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, expect
from waitress import create_server

from servicedesk.config import Config
from servicedesk.desk import Desk, open_desk
from servicedesk.services import incidents
from servicedesk.services.incidents import NewTicket
from tests.support.browser import Watched, chromium
from tests.support.clock import Clock
from tests.support.pages import PASSWORD, open_pages
from tests.ui.test_every_page import HOSTILE

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

PAGES = (
    "/queue", "/incidents/INC-1", "/incidents/INC-2", "/incidents/INC-2/review", "/incidents/1/do/cancel", "/reviews",
    "/second-person-requests", "/alerts", "/alerts/1", "/deliveries/1", "/playbooks", "/teams", "/services", "/users",
    "/tokens", "/settings", "/help", "/my", "/incidents/new", "/nothing", "/docs", "/syslog",
)  # fmt: skip


@pytest.fixture
def desk(sqlite_database: str, tmp_path: Path, clock: Clock) -> Iterator[Desk]:
    """On SQLite alone: what a browser shows does not depend on the database."""
    opened = open_desk(Config(data_dir=str(tmp_path / "data"), database_url=sqlite_database), clock.now)
    yield opened
    opened.close()


@pytest.fixture
def app(desk: Desk) -> Flask:
    from servicedesk.services import setup

    setup.first_run(desk)
    return open_pages(desk)


@pytest.fixture
def address(full_desk: Flask) -> Iterator[str]:
    """The pages of a full desk behind a real HTTP server."""
    server = create_server(full_desk, host="127.0.0.1", port=0, threads=6)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()
    thread.join(5)


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def serious(found: Any) -> list[str]:
    """What axe calls serious or critical: rule, and where."""
    return [
        f"{v['id']}: {[node['html'][:160] for node in v['nodes'][:3]]}"
        for v in found.response["violations"]
        if v["impact"] in ("serious", "critical")
    ]


@pytest.mark.feature("A6")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_barrier_on_any_page(address: str, browser: Browser, scheme: Any) -> None:
    window = Watched(browser, address, color_scheme=scheme)
    window.page.goto("/sign-in")
    assert serious(Axe().run(window.page)) == []
    page = window.sign_in("ada", PASSWORD)
    for path in PAGES:
        page.goto(path)
        assert serious(Axe().run(page)) == [], path
    assert [c for c in window.complaints if "404" not in c] == []
    window.close()


def test_nothing_is_wider_than_a_narrow_screen(address: str, browser: Browser) -> None:
    window = Watched(browser, address, viewport={"width": 360, "height": 740})
    page = window.sign_in("ada", PASSWORD)
    for path in PAGES:
        page.goto(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, f"{path} is {width} px wide"
    page.goto("/queue")
    expect(page.locator("#rail")).to_be_hidden()
    page.get_by_role("link", name="Menu").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    window.close()


def test_the_menu_opens_without_javascript(address: str, browser: Browser) -> None:
    window = Watched(browser, address, viewport={"width": 360, "height": 740}, java_script_enabled=False)
    page = window.sign_in("ada", PASSWORD)
    page.get_by_role("link", name="Menu").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    window.close()


@pytest.mark.feature("A6")
def test_the_keyboard_is_enough(address: str, browser: Browser) -> None:
    window = Watched(browser, address)
    page = window.sign_in("ada", PASSWORD)
    page.goto("/queue")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("j")
    page.keyboard.press("j")
    marked = page.locator("[data-rows] tr[aria-selected=true]")
    expect(marked).to_have_count(1)
    second = page.locator("[data-rows] tbody tr").nth(1).locator("a").inner_text()
    expect(page.locator("[data-rows] tr[aria-selected=true] a")).to_have_text(second)
    page.keyboard.press("k")
    first = page.locator("[data-rows] tbody tr").nth(0).locator("a").inner_text()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(first)
    page.keyboard.press("g")
    page.keyboard.press("r")
    expect(page).to_have_url(re.compile("/reviews$"))
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    page.goto("/queue")
    page.keyboard.press("/")
    page.keyboard.type("INC-1")
    page.keyboard.press("Enter")
    expect(page.locator("[data-rows] tbody tr")).to_have_count(1)
    assert window.complaints == []
    window.close()


def test_a_dialog_keeps_what_was_typed_and_gives_the_focus_back(address: str, browser: Browser) -> None:
    window = Watched(browser, address)
    page = window.sign_in("ada", PASSWORD)
    page.goto("/incidents/INC-1")
    opener = page.locator("#facts-title ~ .end a")
    opener.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_label("Title").fill("")
    dialog.get_by_label("Tags").fill("a b")
    dialog.get_by_role("button", name="Edit the facts").click()
    expect(dialog.get_by_role("alert")).to_be_focused()
    expect(dialog.get_by_label("Tags")).to_have_value("a b")
    assert serious(Axe().run(page)) == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    opener.click()
    dialog.get_by_label("Title").fill("A better title")
    dialog.get_by_role("button", name="Edit the facts").click()
    expect(page.locator("h1")).to_have_text("A better title")
    assert "said=" not in page.url, "what was said once is not said again on reload"
    assert window.complaints == []
    window.close()


def test_a_session_that_ended_leads_to_the_sign_in_page(address: str, browser: Browser) -> None:
    window = Watched(browser, address)
    page = window.sign_in("ada", PASSWORD)
    page.goto("/incidents/INC-1")
    window.context.clear_cookies()
    page.locator("#facts-title ~ .end a").click()
    expect(page).to_have_url(re.compile("/sign-in"))
    window.close()


def test_a_desk_that_is_away_is_said_and_the_text_stays(address: str, browser: Browser) -> None:
    window = Watched(browser, address)
    page = window.sign_in("ada", PASSWORD)
    page.goto("/incidents/INC-1")
    page.route("**/comments", lambda route: route.abort())
    page.locator("#write textarea").fill("precious words")
    page.locator("#write").get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    expect(page.locator("#write textarea")).to_have_value("precious words")
    window.close()


def test_the_queue_shows_a_new_ticket_by_itself(address: str, browser: Browser, desk: Desk) -> None:
    from servicedesk.domain.incident import Actor

    window = Watched(browser, address)
    page = window.sign_in("ada", PASSWORD)
    page.clock.install()
    page.goto("/queue")
    incidents.open_ticket(desk, Actor(2, "ada", frozenset({"admin"})), NewTicket("Fresh from the press"))
    page.clock.run_for(16_000)
    expect(page.locator(".queue")).to_contain_text("Fresh from the press")
    assert window.complaints == []
    window.close()


def test_hostile_text_runs_nothing(address: str, browser: Browser) -> None:
    """What an attacker sends is read, not run: no dialog opens, nothing is fetched from elsewhere."""
    window = Watched(browser, address)
    asked: list[str] = []
    window.page.on("request", lambda r: asked.append(r.url))
    page = window.sign_in("ada", PASSWORD)
    for path in ("/queue?status=all", "/incidents/INC-1", "/incidents/INC-3", "/alerts/1", "/second-person-requests"):
        page.goto(path)
        expect(page.locator("main")).to_contain_text(HOSTILE[:30])
    assert window.complaints == []
    assert [url for url in asked if not url.startswith(address)] == []
    window.close()
