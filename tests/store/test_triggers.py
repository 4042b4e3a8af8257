"""Raw UPDATE, INSERT, REPLACE and upsert cannot close a ticket dishonestly nor change a record, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from servicedesk.store import triggers
from servicedesk.store.db import Database

DIGEST = bytes(32)
SEED = (
    "INSERT INTO user_account (id, name, roles, created_at) VALUES (1, 'a', '[]', 0)",
    "INSERT INTO user_account (id, name, roles, created_at) VALUES (2, 'b', '[]', 0)",
    *(
        f"INSERT INTO incident (id, type, status, cycle, title, created_at, updated_at) "
        f"VALUES ({n}, 'incident', 'review', 2, 't', 0, 0)"
        for n in (1, 2)
    ),
    (
        "INSERT INTO verification (id, incident_id, cycle, verdict, kind, tested, no_new_problem, at) "
        "VALUES (1, 1, 2, 'pass', 'person', 'x', TRUE, 0)"
    ),
    "INSERT INTO confirmation (id, incident_id, cycle, accepted, kind, at) VALUES (1, 1, 2, TRUE, 'requester', 0)",
    (
        "INSERT INTO review (id, incident_id, version, cycle, status, depth, body, authors, created_at) "
        "VALUES (1, 1, 1, 2, 'in_review', 'lite', '{}', '[]', 0)"
    ),
    (
        "INSERT INTO review (id, incident_id, version, cycle, status, depth, body, authors, created_at) "
        "VALUES (2, 2, 1, 2, 'draft', 'lite', '{}', '[]', 0)"
    ),
    "INSERT INTO review_approval (review_id, actor_id, at) VALUES (1, 2, 0)",
    "UPDATE review SET status = 'approved', decided_at = 5 WHERE id = 1",
    (
        "INSERT INTO timeline (incident_id, seq, at, kind, actor_role, content_digest, prev, mac) "
        "VALUES (1, 1, 0, 'note', 'agent', :d, :d, :d)"
    ),
    "INSERT INTO timeline_content (incident_id, seq, salt, content) VALUES (1, 1, :d, '{}')",
)


@pytest.fixture
def db(engine_url: str) -> Iterator[Database]:
    """Ticket 1 has every gate of its cycle, ticket 2 has none."""
    database = Database(engine_url, lambda: datetime.now(UTC))
    run(database, *SEED)
    yield database
    database.close()


def run(db: Database, *statements: str) -> None:
    def change(tx: Any) -> None:
        for statement in statements:
            tx.run(text(statement), {"d": DIGEST} if ":d" in statement else {})

    db.write(change)


def refused(db: Database, *statements: str, match: str = "servicedesk:") -> None:
    with pytest.raises(IntegrityError, match=match):
        run(db, *statements)


def value(db: Database, query: str) -> Any:
    with db.read() as tx:
        return tx.run(text(query)).scalar()


@pytest.mark.feature("T2")
def test_with_every_gate_it_closes_and_reopens_into_a_new_cycle(db: Database) -> None:
    run(db, "UPDATE incident SET status = 'closed' WHERE id = 1")
    assert value(db, "SELECT status FROM incident WHERE id = 1") == "closed"
    refused(db, "UPDATE incident SET status = 'in_progress' WHERE id = 1", match="new cycle")
    refused(db, "UPDATE incident SET cycle = 3 WHERE id = 1")
    run(db, "UPDATE incident SET title = 'x', head_seq = 1 WHERE id = 1")
    run(db, "UPDATE incident SET status = 'in_progress', cycle = 3 WHERE id = 1")
    refused(db, "UPDATE incident SET status = 'closed' WHERE id = 1", match="closed needs")
    refused(db, "UPDATE incident SET status = 'closed', cycle = 2 WHERE id = 1", match="never goes back")
    refused(db, "UPDATE incident SET cycle = 2 WHERE id = 1", match="never goes back")


COLUMNS = "id, type, status, cycle, title, created_at, updated_at"
CLOSING = {
    "update": "UPDATE incident SET status = 'closed' WHERE id = 2",
    "update of all": "UPDATE incident SET status = 'closed'",
    "insert": f"INSERT INTO incident ({COLUMNS}) VALUES (9, 'incident', 'closed', 1, 't', 0, 0)",
    "upsert": f"INSERT INTO incident ({COLUMNS}) VALUES (2, 'incident', 'new', 2, 't', 0, 0) "
    "ON CONFLICT (id) DO UPDATE SET status = 'closed'",
    "upsert of a closed row": f"INSERT INTO incident ({COLUMNS}) VALUES (2, 'incident', 'closed', 2, 't', 0, 0) "
    "ON CONFLICT (id) DO UPDATE SET status = excluded.status",
    "another ticket's number": "UPDATE incident SET id = 7, status = 'closed' WHERE id = 2",
    "another ticket's gates": "UPDATE incident SET id = 5 WHERE id = 2",
    "delete": "DELETE FROM incident WHERE id = 2",
}


@pytest.mark.feature("T2")
@pytest.mark.parametrize("how", CLOSING)
def test_without_gates_nothing_closes(db: Database, how: str) -> None:
    refused(db, CLOSING[how])
    assert value(db, "SELECT count(*) FROM incident WHERE status = 'closed'") == 0


LACKING = {
    "failed verification": ("verification", "verdict = 'fail'"),
    "inconclusive verification": ("verification", "verdict = 'inconclusive'"),
    "a new problem": ("verification", "no_new_problem = FALSE"),
    "verification of another cycle": ("verification", "cycle = 1"),
    "verification of another ticket": ("verification", "incident_id = 2"),
    "refused confirmation": ("confirmation", "accepted = FALSE"),
    "confirmation of another cycle": ("confirmation", "cycle = 1"),
    "review of another cycle": ("review", "cycle = 1"),
    "review not approved": ("review", "status = 'in_review'"),
    "review approved without a date": ("review", "decided_at = NULL"),
    "review waived by nobody": ("review", "status = 'waived', waiver_reason = 'r'"),
    "review waived without a reason": ("review", "status = 'waived', waived_by = 2, waiver_reason = ' '"),
}


@pytest.mark.feature("T2")
@pytest.mark.parametrize("what", LACKING)
def test_each_gate_is_needed(db: Database, what: str) -> None:
    table, change = LACKING[what]
    without_triggers(db, f"UPDATE {table} SET {change} WHERE id = 1")
    refused(db, "UPDATE incident SET status = 'closed' WHERE id = 1", match="closed needs")


@pytest.mark.feature("T2")
def test_an_approval_needs_its_vote_and_a_waiver_will_do(db: Database) -> None:
    without_triggers(db, "DELETE FROM review_approval")
    refused(db, "UPDATE incident SET status = 'closed' WHERE id = 1", match="closed needs")
    without_triggers(db, "UPDATE review SET status = 'waived', waived_by = 2, waiver_reason = 'r' WHERE id = 1")
    run(db, "UPDATE incident SET status = 'closed' WHERE id = 1")


def without_triggers(db: Database, *statements: str) -> None:
    def change(tx: Any) -> None:
        triggers.drop(tx)
        for statement in statements:
            tx.run(text(statement))
        triggers.create(tx)

    db.write(change)


KEPT = {  # table → (where, an insert of the same key)
    "timeline": (
        "incident_id = 1 AND seq = 1",
        (
            "INTO timeline (incident_id, seq, at, kind, actor_role, content_digest, prev, mac) "
            "VALUES (1, 1, 9, 'note', 'agent', :d, :d, :d)"
        ),
        "(incident_id, seq) DO UPDATE SET at = 9",
    ),
    "verification": (
        "id = 1",
        (
            "INTO verification (id, incident_id, cycle, verdict, kind, tested, no_new_problem, at) "
            "VALUES (1, 2, 2, 'pass', 'person', 'x', TRUE, 9)"
        ),
        "(id) DO UPDATE SET at = 9",
    ),
    "confirmation": (
        "id = 1",
        "INTO confirmation (id, incident_id, cycle, accepted, kind, at) VALUES (1, 2, 2, TRUE, 'requester', 9)",
        "(id) DO UPDATE SET at = 9",
    ),
    "review_approval": (
        "review_id = 1",
        "INTO review_approval (review_id, actor_id, at) VALUES (1, 2, 9)",
        "(review_id, actor_id) DO UPDATE SET at = 9",
    ),
    "review": (
        "id = 1",
        (
            "INTO review (id, incident_id, version, cycle, status, depth, body, authors, created_at) "
            "VALUES (1, 2, 2, 2, 'approved', 'lite', '{}', '[]', 9)"
        ),
        "(id) DO UPDATE SET created_at = 9",
    ),
    "incident": (
        "id = 1",
        f"INTO incident ({COLUMNS}) VALUES (1, 'incident', 'new', 2, 't', 9, 9)",
        "",
    ),
}
AT = {"review": "created_at", "incident": "created_at"}


@pytest.mark.feature("A3", "R3")
@pytest.mark.parametrize("table", KEPT)
def test_records_are_neither_changed_nor_deleted_nor_replaced(db: Database, table: str) -> None:
    where, insert, conflict = KEPT[table]
    column = AT.get(table, "at")
    if table != "incident":  # its row is what is true now
        refused(db, f"UPDATE {table} SET {column} = 9 WHERE {where}", match="never")
    refused(db, f"DELETE FROM {table} WHERE {where}", match="never deleted")
    if conflict:
        refused(db, f"INSERT {insert.replace('{}', '{}')} ON CONFLICT {conflict}", match="never")
    if db.postgresql:
        refused(db, f"TRUNCATE {table} CASCADE", match="never deleted")
    else:
        for recursive in ("ON", "OFF"):  # a foreign program's connection has them off
            with db.write_engine.connect() as connection:
                connection.exec_driver_sql(f"PRAGMA recursive_triggers={recursive}")
                connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
                with pytest.raises(IntegrityError, match="servicedesk:.*never"):
                    connection.execute(
                        text(f"REPLACE {insert.replace('{}', '{}')}"), {"d": DIGEST} if ":d" in insert else {}
                    )
                connection.rollback()
                connection.invalidate()
    assert value(db, f"SELECT {column} FROM {table} WHERE {where}") == 0


@pytest.mark.feature("A3")
def test_an_unused_version_number_cannot_push_an_approved_review_out(db: Database) -> None:
    """REPLACE also removes rows that share a unique key: here (ticket, version)."""
    columns = "id, incident_id, version, cycle, status, depth, body, authors, created_at"
    same = f"INTO review ({columns}) VALUES (77, 1, 1, 2, 'draft', 'lite', '{{}}', '[]', 9)"
    with pytest.raises(IntegrityError):
        run(db, f"INSERT {same}" if db.postgresql else f"REPLACE {same}")
    assert value(db, "SELECT status FROM review WHERE id = 1") == "approved"


@pytest.mark.feature("A4")
def test_content_may_be_erased_but_not_edited(db: Database) -> None:
    refused(db, "UPDATE timeline_content SET content = '1'", match="never changed")
    run(db, "DELETE FROM timeline_content")
    assert value(db, "SELECT count(*) FROM timeline") == 1


def test_a_draft_may_be_written_until_it_is_approved(db: Database) -> None:
    run(db, "UPDATE review SET status = 'in_review', body = '1' WHERE id = 2")
    refused(db, "UPDATE review SET cycle = 1 WHERE id = 2")
    refused(db, "UPDATE review SET incident_id = 1, version = 2 WHERE id = 2")
    refused(db, "DELETE FROM review WHERE id = 2")
    run(db, "UPDATE review SET status = 'approved', decided_at = 5 WHERE id = 2")
    refused(db, "UPDATE review SET status = 'draft' WHERE id = 2")


def test_the_catalogue_is_what_the_code_says(db: Database) -> None:
    with db.read() as tx:
        assert triggers.differences(tx) == []
        wanted = [name for name, _ in triggers.statements(tx.postgresql)]
    assert len(wanted) == len(set(wanted)) > 15


def test_a_dropped_a_changed_and_a_foreign_trigger_are_seen(db: Database) -> None:
    on = " ON timeline" if db.postgresql else ""
    run(db, f"DROP TRIGGER guard_timeline_update{on}")
    if db.postgresql:
        run(
            db,
            "CREATE OR REPLACE FUNCTION guard_review_delete() RETURNS trigger LANGUAGE plpgsql "
            "AS 'BEGIN RETURN OLD; END'",
        )
        run(db, "ALTER TABLE confirmation DISABLE TRIGGER guard_confirmation_delete")
        run(
            db,
            "CREATE TRIGGER guard_of_another BEFORE DELETE ON task FOR EACH ROW EXECUTE FUNCTION guard_review_delete()",
        )
        changed = ["guard_confirmation_delete was changed", "guard_review_delete() was changed"]
        changed.append("guard_timeline_update() is missing")
    else:
        run(db, "DROP TRIGGER guard_review_delete")
        run(db, "CREATE TRIGGER guard_review_delete BEFORE DELETE ON review BEGIN SELECT 1; END")
        run(db, "CREATE TRIGGER guard_of_another BEFORE DELETE ON task BEGIN SELECT 1; END")
        changed = ["guard_review_delete was changed"]
    with db.read() as tx:
        found = sorted(triggers.differences(tx))
    assert found == sorted([*changed, "guard_of_another is not of this version", "guard_timeline_update is missing"])
    without_triggers(db)
    with db.read() as tx:
        assert triggers.differences(tx) == []
