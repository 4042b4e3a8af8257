"""An oracle for "close honestly": plain SQL, nothing of the guards' code."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from servicedesk.store.db import Tx

LEGAL = {  # from → to, as the table of moves says (M5 and M6 may follow at once)
    ("new", "in_progress"), ("new", "resolved"), ("in_progress", "pending"), ("pending", "in_progress"),
    ("in_progress", "resolved"), ("pending", "resolved"), ("resolved", "review"), ("resolved", "closed"),
    ("in_progress", "review"), ("pending", "review"), ("new", "review"), ("review", "closed"),
    ("resolved", "in_progress"), ("review", "in_progress"), ("resolved", "new"), ("review", "new"),
    ("closed", "in_progress"), ("closed", "new"),
    ("new", "cancelled"), ("in_progress", "cancelled"), ("pending", "cancelled"), ("cancelled", "in_progress"),
    ("cancelled", "new"),
}  # fmt: skip


def check(tx: Tx, number: int, before: str | None = None) -> str:
    """Raises AssertionError when the ticket is where it must not be; answers its status."""
    row = _one(tx, "SELECT * FROM incident WHERE id = :n", number)
    after: str = row["status"]
    if before is not None and before != after:
        assert (before, after) in LEGAL, (before, after)
    if after == "closed":
        _honest(tx, row)
    if after in ("review", "closed"):
        firing = _all(tx, _MEMBERS + " AND a.clears AND a.status = 'firing'", row["id"])
        assert not firing or after == "closed", firing
    return after


_MEMBERS = "SELECT a.id FROM alert a JOIN member m ON m.alert_id = a.id WHERE m.incident_id = :n"


def _honest(tx: Tx, row: dict[str, Any]) -> None:
    solo = bool(_all(tx, "SELECT name FROM setting WHERE name = 'solo_mode' AND value = 'true' AND :n = :n", 0))
    where = f"WHERE incident_id = :n AND cycle = {int(row['cycle'])}"
    passed = _all(tx, f"SELECT * FROM verification {where} AND verdict = 'pass' AND no_new_problem", row["id"])
    assert passed, "closed without a passed verification"
    told = _all(tx, f"SELECT * FROM confirmation {where} ORDER BY id", row["id"])
    assert told, "closed without a confirmation"
    assert told[-1]["accepted"], "closed after a no"
    review = _all(tx, f"SELECT * FROM review {where} AND status IN ('approved', 'waived')", row["id"])
    assert review, "closed without an approved or waived review"
    _by_another(tx, row, review[-1], solo)
    if row["requester_id"] is not None:
        assert (row["explanation"] or "").strip(), "closed without the explanation for the requester"
    people = [v for v in passed if v["kind"] == "person" and v["actor_id"] != row["resolver_id"]]
    born = _all(tx, _MEMBERS, row["id"])
    assert people or solo or not born or row["top_priority"] > 2, "P1/P2 verified by nobody but the resolver"


def _by_another(tx: Tx, row: dict[str, Any], review: dict[str, Any], solo: bool) -> None:
    if review["status"] == "waived":
        assert row["top_priority"] > 1, "the review of a P1 was waived"
        assert review["waived_by"] not in (row["owner_id"], row["resolver_id"], review["author_id"])
        return
    votes = {v["actor_id"] for v in _all(tx, "SELECT * FROM review_approval WHERE review_id = :n", review["id"])}
    assert votes, "approved by nobody"
    if solo or review["depth"] == "micro":
        return
    assert not votes & {row["resolver_id"], review["author_id"]}, "approved by its author or the resolver"
    if row["top_priority"] == 1:
        assert len(votes) >= 2, "a P1 review approved by one person"


def _all(tx: Tx, sql: str, number: int) -> list[dict[str, Any]]:
    return [dict(r._mapping) for r in tx.run(text(sql), {"n": number})]


def _one(tx: Tx, sql: str, number: int) -> dict[str, Any]:
    return _all(tx, sql, number)[0]
