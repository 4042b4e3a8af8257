"""A dishonest service desk: it answers 200 first and stores later. The crash tests must catch it.

It speaks as much of the API as the checker needs, on a SQLite file of its own, and knows the same fault points. Like
the products that it imitates it keeps what it has answered in memory until a background thread comes round to it.

    python -m tests.support.double PORT FILE
"""

import json
import os
import queue
import signal
import sqlite3
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

SCHEMA = "CREATE TABLE IF NOT EXISTS alert (instance TEXT PRIMARY KEY, labels TEXT, count INTEGER)"
UPSERT = "INSERT INTO alert VALUES (?, ?, 1) ON CONFLICT (instance) DO UPDATE SET count = count + 1"
BEHIND = 5  # answered deliveries that wait in memory before the first is stored


def fault(point: str) -> None:
    if os.environ.get("SERVICEDESK_FAULT") == point:
        os.kill(os.getpid(), signal.SIGKILL)


class Storage(threading.Thread):
    """Stores what was answered, later."""

    def __init__(self, path: str) -> None:
        super().__init__(daemon=True)
        self.path, self.waiting = path, queue.Queue[list[dict[str, Any]]]()
        with sqlite3.connect(path) as connection:
            connection.execute(SCHEMA)

    def run(self) -> None:
        connection = sqlite3.connect(self.path, isolation_level=None)
        while True:
            alerts = self.waiting.get()
            for _ in range(500):  # later: when more have come, or after half a second without
                if self.waiting.qsize() >= BEHIND:
                    break
                threading.Event().wait(0.001)
            fault("intake.before_commit")
            half = len(alerts) // 2
            self.store(connection, alerts[:half])
            fault("intake.after_commit")
            fault("apply.mid_slice")
            self.store(connection, alerts[half:])
            fault("apply.before_done")

    def store(self, connection: sqlite3.Connection, alerts: list[dict[str, Any]]) -> None:
        for alert in alerts:
            connection.execute(UPSERT, (alert["labels"]["instance"], json.dumps(alert["labels"])))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    storage: ClassVar[Storage]

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def answer(self, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer({"delivery": 1})
        self.storage.waiting.put(body["alerts"])

    def do_GET(self) -> None:
        if self.path.startswith("/readyz"):
            return self.answer({})
        with sqlite3.connect(self.storage.path) as connection:
            rows = connection.execute("SELECT labels, count FROM alert").fetchall()
        items = [{"labels": json.loads(labels), "count": count} for labels, count in rows]
        return self.answer({"items": items, "next": None, "waiting": self.storage.waiting.qsize()})


def main() -> None:
    Handler.storage = Storage(sys.argv[2])
    Handler.storage.start()
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()


if __name__ == "__main__":
    main()
