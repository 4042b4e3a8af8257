"""`audit verify` names what somebody did to the timeline, the tickets or the gates behind the program's back."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from servicedesk.desk import Desk
from servicedesk.services import audit, incidents
from servicedesk.services.audit import Fault
from tests.audit.conftest import Tamper, form
from tests.support.clock import Clock

Tickets = tuple[int, int, int]
COPY = "INSERT INTO timeline SELECT incident_id, {seq}, at, kind, actor_id, actor_role, rule, content_digest, prev, mac"


def faults(desk: Desk) -> list[Fault]:
    return list(audit.verify(desk).faults)


def rows(desk: Desk, number: int) -> int:
    with desk.read() as tx:
        return int(tx.run(text("SELECT max(seq) FROM timeline WHERE incident_id = :n"), {"n": number}).scalar_one())


@pytest.mark.feature("A3")
def test_what_the_program_wrote_is_whole(desk: Desk, tickets: Tickets) -> None:
    before = audit.verify(desk)
    assert audit.anchor(desk) == 4
    after = audit.verify(desk)
    assert (before.whole, after.whole) == (True, True), before.faults + after.faults
    assert (after.incidents, before.anchors, after.anchors) == (3, 0, 1)
    assert after.rows > 30


EDITS = {  # every field by itself: tests/domain/test_audit_chain.py
    "time": "UPDATE timeline SET at = at + 1 WHERE incident_id = :n AND seq = 3",
    "actor": "UPDATE timeline SET actor_id = 99 WHERE incident_id = :n AND seq = 3",
    "prev": "UPDATE timeline SET prev = content_digest WHERE incident_id = :n AND seq = 3",
    "mac": "UPDATE timeline SET mac = prev WHERE incident_id = :n AND seq = 3",
}


@pytest.mark.feature("A3")
@pytest.mark.parametrize("what", EDITS)
def test_an_edited_row(desk: Desk, tickets: Tickets, tamper: Tamper, what: str) -> None:
    tamper(EDITS[what], n=tickets[0])
    assert faults(desk) == [Fault("INC-1", "row 3: was edited")]


@pytest.mark.feature("A3")
def test_edited_content_and_erased_content(desk: Desk, tickets: Tickets, tamper: Tamper) -> None:
    desk.write(
        lambda tx: tx.run(text("DELETE FROM timeline_content WHERE incident_id = :n AND seq = 2"), {"n": tickets[1]})
    )
    assert faults(desk) == []  # erasing a person leaves the proof
    changed = '{"text":"something else"}'
    tamper("UPDATE timeline_content SET content = :c WHERE incident_id = :n AND seq = 4", n=tickets[0], c=changed)
    assert faults(desk) == [Fault("INC-1", "row 4: its content was edited")]


@pytest.mark.feature("A3")
def test_a_dropped_row(desk: Desk, tickets: Tickets, tamper: Tamper) -> None:
    tamper("DELETE FROM timeline WHERE incident_id = :n AND seq = 4", n=tickets[0])
    assert faults(desk) == [Fault("INC-1", "row 4: was dropped")]


@pytest.mark.feature("A3")
def test_a_dropped_row_with_the_rest_moved_up(desk: Desk, tickets: Tickets, tamper: Tamper) -> None:
    """Also with the head adjusted to the smaller number."""
    last = rows(desk, tickets[0])
    move_up = [
        f"UPDATE timeline SET seq = {seq - 1} WHERE incident_id = :n AND seq = {seq}" for seq in range(5, last + 1)
    ]
    lower = "UPDATE incident SET head_seq = head_seq - 1 WHERE id = :n"
    tamper("DELETE FROM timeline WHERE incident_id = :n AND seq = 4", *move_up, lower, n=tickets[0])
    assert faults(desk) == [Fault("INC-1", "row 4: was dropped and the rows after it moved up")]


@pytest.mark.feature("A3")
def test_an_inserted_row(desk: Desk, tickets: Tickets, tamper: Tamper) -> None:
    last = rows(desk, tickets[0])
    make_room = [
        f"UPDATE timeline SET seq = {seq + 1} WHERE incident_id = :n AND seq = {seq}" for seq in range(last, 3, -1)
    ]
    forged = (
        "INSERT INTO timeline SELECT incident_id, 4, at, 'status', actor_id, actor_role, 'M8', content_digest, "
        "prev, mac FROM timeline WHERE incident_id = :n AND seq = 5"
    )
    raised = "UPDATE incident SET head_seq = head_seq + 1 WHERE id = :n"
    tamper(*make_room, forged, raised, n=tickets[0])
    assert faults(desk) == [Fault("INC-1", "row 4: was inserted")]


@pytest.mark.feature("A3")
def test_a_row_added_at_the_end(desk: Desk, tickets: Tickets, tamper: Tamper) -> None:
    last = rows(desk, tickets[0])
    copy = COPY.format(seq=last + 1) + " FROM timeline WHERE incident_id = :n AND seq = :last"
    tamper(copy, n=tickets[0], last=last)
    assert faults(desk) == [Fault("INC-1", f"row {last + 1}: was inserted")]


@pytest.mark.feature("A3")
def test_reordered_rows(desk: Desk, tickets: Tickets, tamper: Tamper) -> None:
    swap = [f"UPDATE timeline SET seq = {new} WHERE incident_id = :n AND seq = {old}" for old, new in
            ((4, 999), (5, 4), (999, 5))]  # fmt: skip
    tamper(*swap, n=tickets[0])
    assert faults(desk) == [Fault("INC-1", "row 4: was reordered")]


@pytest.mark.feature("A3")
def test_a_cut_tail(desk: Desk, tickets: Tickets, tamper: Tamper) -> None:
    last = rows(desk, tickets[0])
    tamper("DELETE FROM timeline WHERE incident_id = :n AND seq > :k", n=tickets[0], k=last - 2)
    assert faults(desk) == [Fault("INC-1", f"the tail is cut: the head says {last} rows, {last - 2} are there")]


@pytest.mark.feature("A3")
def test_a_cut_tail_with_the_head_adjusted_shows_by_the_anchors(desk: Desk, tickets: Tickets, tamper: Tamper) -> None:
    new = tickets[2]
    incidents.comment(desk, incidents_actor(desk), new, "a remark that somebody wants to be gone", False)
    audit.anchor(desk)
    last = rows(desk, new)
    tamper(
        "DELETE FROM timeline WHERE incident_id = :n AND seq = :last",
        "DELETE FROM timeline_content WHERE incident_id = :n AND seq = :last",
        "UPDATE incident SET head_seq = :k, head_mac = (SELECT mac FROM timeline WHERE incident_id = :n AND seq = :k) "
        "WHERE id = :n",
        n=new,
        last=last,
        k=last - 1,
    )
    expected = f"the tail is cut: the anchors saw row {last}, the last one here is {last - 1}"
    assert faults(desk) == [Fault("INC-3", expected)]


@pytest.mark.feature("A3")
def test_a_vanished_ticket(desk: Desk, tickets: Tickets, tamper: Tamper) -> None:
    new = tickets[2]
    count = rows(desk, new)
    audit.anchor(desk)
    gone = ("DELETE FROM outbox WHERE incident_id = :n", "DELETE FROM incident WHERE id = :n")
    tamper(*gone, n=new)
    assert Fault("INC-3", f"vanished: {count} timeline rows are left without their ticket") in faults(desk)
    tamper("DELETE FROM timeline WHERE incident_id = :n", "DELETE FROM timeline_content WHERE incident_id = :n", n=new)
    assert faults(desk) == [
        Fault("INC-3", f"vanished with its timeline: the anchors saw {count} rows"),
        Fault("tickets", "the last anchor counted 3 tickets, 2 are there"),
    ]


@pytest.mark.feature("A3")
def test_a_ticket_without_any_row(desk: Desk, tickets: Tickets, tamper: Tamper) -> None:
    tamper(
        "DELETE FROM timeline WHERE incident_id = :n",
        "UPDATE incident SET head_seq = 0, head_mac = NULL WHERE id = :n",
        n=tickets[2],
    )
    assert faults(desk) == [Fault("INC-3", "has no timeline: not even its creation is recorded")]


@pytest.mark.feature("A3", "A11")
def test_the_administration_log_is_a_chain_too(desk: Desk, tickets: Tickets, tamper: Tamper) -> None:
    tamper("DELETE FROM timeline WHERE incident_id = 0 AND seq = 2")
    assert faults(desk) == [Fault("administration log", "row 2: was dropped")]


VERIFIED = (
    "INSERT INTO verification (incident_id, cycle, verdict, kind, tested, no_new_problem, at) "
    "VALUES (:n, 1, 'pass', 'person', 'x', {true}, 5)"
)
STATUS = {
    "closed by hand": (
        "UPDATE incident SET status = 'closed' WHERE id = :n",
        "its row says closed, its timeline says new",
    ),
    "verification": (VERIFIED, "a verification is recorded that the timeline does not know"),
    "confirmation": (
        "INSERT INTO confirmation (incident_id, cycle, accepted, kind, at) VALUES (:n, 1, {true}, 'requester', 5)",
        "a confirmation is recorded that the timeline does not know",
    ),
}  # fmt: skip


@pytest.mark.feature("A3", "T2")
@pytest.mark.parametrize("what", STATUS)
def test_a_forged_gate_shows_beside_the_timeline(desk: Desk, tickets: Tickets, tamper: Tamper, what: str) -> None:
    statement, message = STATUS[what]
    tamper(statement.format(true="true" if desk.db.postgresql else "1"), n=tickets[2])
    assert faults(desk) == [Fault("INC-3", message)]


@pytest.mark.feature("A3", "T2")
def test_a_forged_or_lost_approval_shows(desk: Desk, tickets: Tickets, tamper: Tamper) -> None:
    approved, waived, _ = tickets
    tamper(
        "INSERT INTO review_approval (review_id, actor_id, at) SELECT id, 1, 5 FROM review WHERE incident_id = :n",
        n=waived,
    )
    tamper("DELETE FROM verification WHERE incident_id = :n", n=approved)
    assert faults(desk) == [
        Fault("INC-1", "the timeline knows a verification that is not recorded any more"),
        Fault("INC-2", "an approval is recorded that the timeline does not know"),
    ]


@pytest.mark.feature("A3", "T2")
def test_a_changed_gate_shows(desk: Desk, tickets: Tickets, tamper: Tamper) -> None:
    tamper("UPDATE verification SET tested = 'nothing' WHERE incident_id = :n", n=tickets[0])
    assert [fault.message for fault in faults(desk)] == [
        "a verification is recorded that the timeline does not know",
        "the timeline knows a verification that is not recorded any more",
    ]


@pytest.mark.feature("A3")
def test_a_forged_gate_does_not_hide_behind_erased_content(desk: Desk, tickets: Tickets, tamper: Tamper) -> None:
    """Erasing an unrelated line excuses nothing: only a line of the same instant and actor does."""
    tamper(
        "DELETE FROM timeline_content WHERE incident_id = :n AND seq = 1",
        STATUS["confirmation"][0].format(true="true" if desk.db.postgresql else "1"),
        n=tickets[2],
    )
    assert faults(desk) == [Fault("INC-3", STATUS["confirmation"][1])]


@pytest.mark.feature("A3", "A4")
def test_erasing_everything_that_was_said_leaves_the_proof(desk: Desk, tickets: Tickets, tamper: Tamper) -> None:
    desk.write(lambda tx: tx.run(text("DELETE FROM timeline_content")) and None)
    assert faults(desk) == []
    tamper("UPDATE confirmation SET at = at + 1 WHERE incident_id = :n", n=tickets[0])
    assert faults(desk) == [Fault("INC-1", STATUS["confirmation"][1])]


@pytest.mark.feature("A3")
def test_the_anchors_themselves(desk: Desk, tickets: Tickets, clock: Clock) -> None:
    audit.anchor(desk)
    for _ in range(2):
        clock.advance(minutes=1)
        incidents.open_ticket(desk, incidents_actor(desk), form())
        assert audit.anchor(desk) == 1
    path = audit.anchors_file(desk)
    lines = path.read_text().splitlines()
    assert len(lines) == 3
    path.write_text("\n".join([lines[0], lines[2]]) + "\n")
    dropped = "line 2 does not follow the line before it: a line was dropped, inserted or reordered"
    assert faults(desk) == [Fault("anchors", dropped)]
    edited = json.loads(lines[1]) | {"incidents": 0}
    path.write_text("\n".join([lines[0], json.dumps(edited), lines[2]]) + "\n")
    assert faults(desk) == [Fault("anchors", "line 2 was edited, or signed with another key")]


@pytest.mark.feature("A3")
def test_anchors_say_only_what_changed_and_survive_a_torn_line(desk: Desk, tickets: Tickets, clock: Clock) -> None:
    assert audit.anchor(desk) == 4
    assert audit.anchor(desk) == 0
    path = audit.anchors_file(desk)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_text().splitlines()) == 1
    with path.open("a") as file:
        file.write('{"at": 1, "he')  # the machine went down here
    clock.advance(minutes=1)
    incidents.comment(desk, incidents_actor(desk), tickets[2], "one more", False)
    assert audit.anchor(desk) == 1
    report = audit.verify(desk)
    assert (report.whole, report.anchors) == (True, 2), report.faults


@pytest.mark.feature("A3")
def test_the_export_can_be_verified_by_somebody_else(desk: Desk, tickets: Tickets) -> None:
    """The format of the documentation, followed with nothing of ours but the key."""
    import hashlib
    import hmac

    def packed(value: object) -> bytes:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    heads: dict[int, str] = {}
    for row in (json.loads(json.dumps(r)) for r in audit.export(desk)):
        prev = heads.get(row["incident"], "00" * 32)
        fields = [row["incident"], row["seq"], row["at_us"], row["kind"], row["actor"], row["role"], row["rule"]]
        message = bytes.fromhex(prev) + packed([*fields, row["content_digest"]])
        assert hmac.new(desk.audit_key, message, hashlib.sha256).hexdigest() == row["mac"]
        said = hmac.new(bytes.fromhex(row["salt"]), packed(row["content"]), hashlib.sha256).hexdigest()
        assert said == row["content_digest"]
        heads[row["incident"]] = row["mac"]
    assert sorted(heads) == [0, *tickets]
    only = list(audit.export(desk, tickets[1], tickets[1]))
    assert {row["incident"] for row in only} == {tickets[1]}


def incidents_actor(desk: Desk):  # type: ignore[no-untyped-def]
    """The agent of the crew."""
    from servicedesk.domain.incident import Actor
    from servicedesk.store import people

    with desk.read() as tx:
        row = next(row for row in people.users(tx) if row.name == "agent")
    return Actor(row.id, row.name, frozenset(row.roles))
