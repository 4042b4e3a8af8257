"""The playbook panel in a real Chromium: it follows its checks, keeps what was opened, and is worked on by keys."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from waitress import create_server

from servicedesk.config import Checks, Config
from servicedesk.desk import Desk, open_desk
from servicedesk.domain.incident import Actor
from servicedesk.services import checks, incidents
from tests.checks.conftest import Web, plain
from tests.checks.worked import BOOK, opened, outcomes
from tests.support.browser import Watched, chromium
from tests.support.clock import Clock
from tests.support.pages import PASSWORD, open_pages, sign_in_as
from tests.ui.test_browser import serious

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture
def own(sqlite_database: str, tmp_path: Path, clock: Clock, web: Web) -> Iterator[Desk]:
    """On SQLite alone: what a browser shows does not depend on the database."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "own.yaml").write_text(BOOK.format(url=web.url))
    settings = Checks(allow=("127.0.0.0/8",))
    config = Config(str(tmp_path / "data"), sqlite_database, playbooks=str(tmp_path / "own"), checks=settings)
    opened = open_desk(config, clock.now)
    yield opened
    opened.close()


@pytest.fixture
def window(own: Desk, people: dict[str, Actor]) -> Iterator[Watched]:
    """The owner's browser, signed in."""
    app = open_pages(own)
    sign_in_as(app, own, "owner")
    server = create_server(app, host="127.0.0.1", port=0, threads=6)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    with chromium() as browser:
        watched = Watched(browser, f"http://127.0.0.1:{server.effective_port}")
        watched.sign_in("owner", PASSWORD)
        yield watched
        watched.close()
    server.close()
    thread.join(5)


@pytest.mark.feature("P2", "P3", "A6")
def test_it_follows_and_is_worked_on_by_keys(own: Desk, people: dict[str, Actor], web: Web, window: Watched) -> None:
    web.answers["/"] = plain(500, "no")
    number = opened(own, people)
    incidents.take(own, people["owner"], number)
    page = window.page
    page.goto(f"/incidents/{number}")
    panel = page.locator("#playbooks")
    expect(panel.get_by_text("Waits to be asked").first).to_be_visible()
    panel.locator("[data-step] summary", has_text="Two").click()
    assert checks.finish(own, 10)
    expect(panel.get_by_text("500 Internal Server Error").first).to_be_visible()
    opened_by_hand = panel.locator("[data-step] details", has_text="Two")
    expect(opened_by_hand).to_have_attribute("open", "")
    assert serious(Axe().run(page)) == []
    for _ in range(4):
        page.keyboard.press("j")
    expect(panel.locator("[data-step][aria-selected=true]")).to_contain_text("Two")
    page.keyboard.press("s")
    page.keyboard.type("restarted it")
    page.keyboard.press("Escape")
    page.locator("#playbooks [aria-selected=true] [value=done]").click()
    expect(panel.get_by_text("restarted it")).to_be_visible()
    assert outcomes(own, number)["two"] == "done"
    expect(panel.locator("[data-step][aria-selected=true]")).to_contain_text("Two")
    page.keyboard.press("k")
    page.keyboard.press("k")
    expect(panel.locator("[data-step][aria-selected=true]")).to_contain_text("Which way?")
    page.keyboard.press("1")
    expect(panel.locator("[aria-pressed=true]")).to_have_text("It answers")
    assert outcomes(own, number)["one"] == ""
    page.keyboard.press("k")
    page.keyboard.press("r")
    expect(panel.get_by_text("Waits to be asked").first).to_be_visible()
    assert window.complaints == []
