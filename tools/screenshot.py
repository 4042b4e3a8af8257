"""Makes docs/screenshot.png: a desk of its own with a few alerts, signed in as its first admin, the page of one ticket.

python -m tools.screenshot [FILE]
"""

from __future__ import annotations

import re
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page

from tests.support.alertmanager import body, member
from tests.support.browser import chromium
from tests.support.server import Client, Server
from tests.support.source import ROOT
from tests.support.waiting import wait_until

PODS = ("cart-7d9f-x2k4q", "cart-7d9f-b8m1z", "checkout-5c6b-4vq9t")
ALERTS = (
    ("KubePodCrashLooping", "critical", "shop", "Pod {0} is crash looping"),
    ("NodeFilesystemAlmostOutOfSpace", "warning", "monitoring", "Filesystem of {0} has 3.1 % left"),
    ("TargetDown", "warning", "payments", "{0} of the targets of payments-api are down"),
)


def deliver(server: Server) -> None:
    """Three kinds of alerts, the first on several pods."""
    sender, began = Client(server, server.first_token()), datetime.now(UTC) - timedelta(minutes=7)
    for name, severity, namespace, summary in ALERTS:
        labels = {
            "alertname": name,
            "severity": severity,
            "namespace": namespace,
            "cluster": "eu-1",
            "service": namespace,
        }
        alerts = [
            member(labels | {"pod": pod}, began, annotations={"summary": summary.format(pod)})
            for pod in PODS[: 3 if severity == "critical" else 1]
        ]
        answer = sender.call("POST", "/receivers/alertmanager", data=body(alerts))
        assert answer.status_code == 200, answer.text


def sign_in(page: Page, server: Server) -> None:
    """Through the printed link, as the first admin does."""
    link = re.search(r"http://\S+/sign-in/link/\S+", server.log)
    assert link is not None, server.log
    page.goto(link[0])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/sign-in/link/" not in url)


def shoot(server: Server, file: Path) -> None:
    """The page of the ticket with the most alerts, taken by its owner."""
    admin = server.admin()
    found = wait_until(
        lambda: len(admin.items("/incidents")) >= len(ALERTS) and admin.items("/incidents"), what="tickets"
    )
    number = next(one["number"] for one in found if "crash looping" in one["title"].lower() or one["priority"] == 1)
    admin.post(f"/incidents/{number}/acknowledgement")
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        sign_in(page, server)
        page.goto(f"{server.base_url}/incidents/{number}")
        page.screenshot(path=str(file))


def main() -> int:
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/screenshot.png"
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "desk").start()
        try:
            deliver(server)
            shoot(server, file)
        finally:
            server.finish()
    return 0


if __name__ == "__main__":
    sys.exit(main())
