"""The application on a desk of its own, and callers: one per person of the crew, one sender."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from servicedesk.app import create_app
from servicedesk.config import Config
from servicedesk.desk import Desk, open_desk
from servicedesk.domain.incident import ADMIN, Actor
from servicedesk.services import tokens
from tests.support.clock import Clock
from tests.support.crew import crew

OPERATOR = Actor(None, "operator", frozenset({ADMIN}))


class Caller:
    """Calls the API with one token (or none), and shows problems when it expected an answer."""

    def __init__(self, app: Flask, token: str = "") -> None:
        self.client, self.token = app.test_client(use_cookies=False), token

    def call(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = dict(options.pop("headers", {}))
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        where = path if path.startswith(("/api/", "/a/", "/metrics", "/docs")) else f"/api/v1{path}"
        return self.client.open(where, method=method, headers=headers, **options)

    def get(self, path: str, status: int = 200, **options: Any) -> Any:
        return self.must(self.call("GET", path, **options), status)

    def post(self, path: str, body: Any = None, status: int = 200, **options: Any) -> Any:
        return self.must(self.call("POST", path, json={} if body is None else body, **options), status)

    def patch(self, path: str, body: Any, status: int = 200, **options: Any) -> Any:
        return self.must(self.call("PATCH", path, json=body, **options), status)

    def put(self, path: str, body: Any, status: int = 200, **options: Any) -> Any:
        return self.must(self.call("PUT", path, json=body, **options), status)

    def delete(self, path: str, status: int = 200, **options: Any) -> Any:
        return self.must(self.call("DELETE", path, **options), status)

    @staticmethod
    def must(answer: TestResponse, status: int) -> Any:
        assert answer.status_code == status, f"{answer.status_code}: {answer.get_data(as_text=True)[:2000]}"
        if status >= 400:
            assert answer.content_type == "application/problem+json", answer.content_type
            assert answer.json is not None
            assert answer.json["status"] == status
            assert {"type", "title", "detail"} <= answer.json.keys()
        return answer.json if answer.data else None


class Callers:
    """A caller for each person, made when asked for: `callers.lead`, `callers.owner` …; `sender`, `nobody`."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.app = desk, create_app(desk)
        self.people = crew(desk)
        self._made: dict[str, Caller] = {}

    def __getattr__(self, name: str) -> Caller:
        if name not in self._made:
            self._made[name] = Caller(self.app, self._token(name))
        return self._made[name]

    def _token(self, name: str) -> str:
        if name == "nobody":
            return ""
        if name == "sender":
            return tokens.create(self.desk, OPERATOR, service="am", scopes=("ingest",), source="prod-am")
        return tokens.create(self.desk, OPERATOR, user=name, scopes=("read", "work", "review", "admin"))


@pytest.fixture
def callers(desk: Desk) -> Callers:
    """On both databases."""
    return Callers(desk)


@pytest.fixture
def one(sqlite_database: str, tmp_path: Path, clock: Clock) -> Iterator[Callers]:
    """On SQLite only: for what no database can change."""
    opened = open_desk(Config(data_dir=str(tmp_path / "data"), database_url=sqlite_database), clock.now)
    yield Callers(opened)
    opened.close()
