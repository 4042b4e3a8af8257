"""A real Chromium, and a watch over its pages: nothing on the console, no violation of the content security policy."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.support import missing

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
DEADLINE = 20_000  # ms for one step


@contextmanager
def chromium() -> Iterator[Browser]:
    """The installed Chromium, without a window."""
    path = missing.program("chromium")
    os.environ.setdefault("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


class Watched:
    """A browser window of one person. `complaints`: what the console, the page or the policy said."""

    def __init__(self, browser: Browser, base_url: str, **options: Any) -> None:
        self.complaints: list[str] = []
        self.context: BrowserContext = browser.new_context(base_url=base_url, **options)
        self.context.set_default_timeout(DEADLINE)
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda m: self._console(m.type, m.text))
        self.page.on("pageerror", lambda e: self.complaints.append(f"error: {e}"))
        self.page.on("dialog", lambda d: self._dialog(d))

    def _console(self, kind: str, text: str) -> None:
        """A refused form is answered with 409 or 422, and Chromium logs every such answer: that alone is no fault."""
        expected = any(f"status of {code}" in text for code in (409, 412, 422))
        if not expected:
            self.complaints.append(f"console {kind}: {text} at {self.page.url}")

    def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def sign_in(self, name: str, password: str) -> Page:
        self.page.goto("/sign-in")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(lambda url: "/sign-in" not in url)
        return self.page

    def close(self) -> None:
        self.context.close()
