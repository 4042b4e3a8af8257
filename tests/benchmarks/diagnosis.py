"""How long an engineer waits for the first check's result: from the post of an alert until it stands on the ticket."""

import http.client
import json
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.benchmarks.load import percentile, post_body
from tests.support.alertmanager import member
from tests.support.server import Client, Server
from tests.support.waiting import wait_until

BOOK = """schema: 2
id: diagnosed
title: Diagnosed
match: ['alertname=~"Diagnosed.*"']
parameters: {target: {type: url, label: target}}
steps: [{id: up, title: Up?, auto: true, check: {type: http, url: "${target}"}}]
"""


class _Target(BaseHTTPRequestHandler):
    """A local target that answers at once."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


def measure(server: Server, reader: Client, headers: Mapping[str, str], probes: int) -> tuple[float, float]:
    """p50 and p95 in ms, one alert after the other, each with a target of its own."""
    books: Path = server.folder / "books"
    books.mkdir()
    (books / "diagnosed.yaml").write_text(BOOK, encoding="utf-8")
    target = ThreadingHTTPServer(("127.0.0.1", 0), _Target)
    threading.Thread(target=target.serve_forever, daemon=True).start()
    server.stop()
    server.start(SERVICEDESK_PLAYBOOKS=str(books), SERVICEDESK_CHECKS_ALLOW="127.0.0.0/8")
    try:
        url = f"http://127.0.0.1:{target.server_port}"
        taken = [_once(server, reader, headers, f"Diagnosed{n}", f"{url}/{n}") for n in range(probes)]
    finally:
        target.shutdown()
        target.server_close()
    return percentile(taken, 0.5) * 1000, percentile(taken, 0.95) * 1000


def _once(server: Server, reader: Client, headers: Mapping[str, str], name: str, target: str) -> float:
    labels = {"alertname": name, "target": target, "severity": "warning"}
    alert = json.dumps(member(labels, datetime.now(UTC))).encode()
    begun = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("POST", "/api/v1/receivers/alertmanager", post_body([alert]), dict(headers))
    assert connection.getresponse().status == 200

    def told() -> bool:
        tickets = reader.get("/incidents", label=f"alertname={name}", limit=1)["items"]
        rows = reader.get(f"/incidents/{tickets[0]['number']}/checks")["items"] if tickets else []
        return any(row["verdict"] for row in rows)

    wait_until(told, 30, f"the first result of {name}", every=0.005)
    return time.perf_counter() - begun
