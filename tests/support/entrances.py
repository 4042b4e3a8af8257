"""The same attempts through the other entrances: the HTTP API, and the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from flask.testing import FlaskClient

from servicedesk.cli.main import cli
from tests.support.reviews import body

RESOLUTION = {"code": "fixed", "cause_class": "capacity", "notes": "cleaned up", "explanation": "It works again."}
PASS = {"verdict": "pass", "tested": "used it", "evidence": "seen", "no_new_problem": True}
ACTION = {"title": "add disk", "type": "prevent", "owner": "owner", "due": "2026-12-01T09:00:00Z", "blocking": True}


def api_calls(other: int) -> dict[str, tuple[str, str, Any]]:
    """name → (method, path below the ticket, body)."""
    return {
        "take": ("POST", "acknowledgement", {}),
        "assign": ("POST", "assignment", {"owner": "owner"}),
        "hold": ("POST", "hold", {"reason": "vendor"}),
        "ask": ("POST", "hold", {"reason": "requester", "question": "Which one?"}),
        "resume": ("DELETE", "hold", None),
        "edit up": ("PATCH", "", {"impact": 1, "urgency": 1}),
        "edit down": ("PATCH", "", {"impact": 3, "urgency": 3}),
        "write status": ("PATCH", "", {"status": "closed"}),
        "message": ("POST", "comments", {"text": "we are on it", "visibility": "public"}),
        "resolve": ("POST", "resolution", RESOLUTION),
        "verify": ("POST", "verifications", PASS),
        "verify fail": ("POST", "verifications", PASS | {"verdict": "fail"}),
        "confirm": ("POST", "confirmation", {"accepted": True, "comment": "by phone, 10:15"}),
        "deny": ("POST", "confirmation", {"accepted": False, "comment": "still broken"}),
        "explain": ("POST", "explanation", {"text": "It works again."}),
        "save review": ("PUT", "review", body("full")),
        "submit review": ("POST", "review/submission", {}),
        "approve review": ("POST", "review/approval", {}),
        "request changes": ("POST", "review/change-request", {"text": "say more"}),
        "waive review": ("POST", "review/waiver", {"reason": "known"}),
        "reopen": ("POST", "reopening", {"reason": "not solved"}),
        "cancel spam": ("POST", "cancellation", {"code": "spam", "reason": "advertisement"}),
        "cancel false": ("POST", "cancellation", {"code": "false_positive", "reason": "rule is wrong"}),
        "merge": ("POST", "cancellation", {"code": "merged", "reason": "same cause", "target": other}),
        "task": ("POST", "tasks", {"title": "call vendor", "mandatory": True}),
        "action": ("POST", "action-items", ACTION),
    }


def call(client: FlaskClient, token: str, number: int, method: str, path: str, payload: Any) -> int:
    """One API call as the token's owner; answers the HTTP status."""
    url = f"/api/v1/incidents/{number}" + (f"/{path}" if path else "")
    head = {"Authorization": f"Bearer {token}"}
    return client.open(url, method=method, headers=head, json=payload).status_code


def cli_calls(other: int, review_file: Path) -> dict[str, list[str]]:
    """name → arguments after `servicedesk incident`, with {n} for the number."""
    review_file.write_text(json.dumps(body("full")), encoding="utf-8")
    return {
        "take": ["take", "{n}"],
        "hold": ["hold", "{n}", "--reason", "vendor"],
        "resume": ["resume", "{n}"],
        "edit down": ["edit", "{n}", "--impact", "3", "--urgency", "3"],
        "resolve": [
            "resolve",
            "{n}",
            "--code",
            "fixed",
            "--cause",
            "capacity",
            "--notes",
            "did",
            "--explanation",
            "ok",
        ],
        "verify": ["verify", "{n}", "--verdict", "pass", "--tested", "it", "--evidence", "seen", "--no-new-problem"],
        "confirm": ["confirm", "{n}", "--accepted", "--comment", "by phone"],
        "deny": ["confirm", "{n}", "--rejected", "--comment", "still broken"],
        "save review": ["review", "save", "{n}", str(review_file)],
        "submit review": ["review", "submit", "{n}"],
        "approve review": ["review", "approve", "{n}"],
        "waive review": ["review", "waive", "{n}", "--reason", "known"],
        "reopen": ["reopen", "{n}", "--reason", "not solved"],
        "cancel false": ["cancel", "{n}", "--code", "false_positive", "--reason", "rule is wrong"],
        "merge": ["cancel", "{n}", "--code", "merged", "--reason", "same cause", "--target", str(other)],
    }


def run(name: str, number: int, arguments: list[str], environment: dict[str, str]) -> int:
    """One command as this person; answers its exit code."""
    line = ["incident", *(a.format(n=number) for a in arguments), "--as", name]
    return CliRunner(env=environment).invoke(cli, line).exit_code
