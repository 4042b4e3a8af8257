"""What alerts do to incidents: opened, joined, reopened, recovered, in doubt, recurring."""

from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
import pytest
from sqlalchemy import event as hooks
from sqlalchemy import update

from alert_receivers.alertmanager import RECEIVER
from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor, number
from servicedesk.errors import Refused
from servicedesk.services import incidents, judgement, resolution, suspects
from servicedesk.services.shared import slices
from servicedesk.services.shared.observe import Seen
from servicedesk.store.tables import incident
from tests.intake import seen
from tests.intake.wire import alert, body, send, tell
from tests.support.clock import START, Clock
from tests.support.crew import crew

Crew = dict[str, Actor]
LABELS = {"severity": "warning", "service": "cart", "instance": "a"}


@pytest.fixture
def people(desk: Desk) -> Crew:
    return crew(desk)


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def fire(desk: Desk, clock: Clock, minute: float = 0, **labels: str) -> int:
    """An alert fires and is told at once; the ticket that carries it."""
    clock.set(max(clock.now(), at(minute)))
    tell(desk, alert(at(minute), **(LABELS | labels)))
    found = [a for a in seen.alerts(desk) if a.labels["instance"] == (LABELS | labels)["instance"]]
    return int(found[-1].incident_id or 0)


def end(desk: Desk, clock: Clock, minute: float = 5, start: float = 0, **labels: str) -> None:
    clock.set(max(clock.now(), at(minute)))
    tell(desk, alert(at(start), at(minute), **(LABELS | labels)))


def resolve(desk: Desk, people: Crew, ticket: int) -> None:
    if seen.ticket(desk, ticket).status == "new":
        incidents.take(desk, people["owner"], ticket)
    incidents.edit(desk, people["owner"], ticket, {"service": "unknown"})
    resolution.resolve(desk, people["owner"], ticket, "fixed", "capacity", "Added a disk.")


def over(desk: Desk, ticket: int, status: str, when: datetime) -> None:
    """As if it had been closed or cancelled: the way there is tested elsewhere (and refused by triggers)."""
    desk.write(
        lambda tx: tx.run(update(incident).where(incident.c.id == ticket).values(status=status, updated_at=when))
    )


def status(desk: Desk, ticket: int) -> str:
    return str(seen.ticket(desk, ticket).status)


@pytest.mark.feature("T1", "T4", "I8")
def test_a_ticket_says_why_it_is_there(desk: Desk, clock: Clock) -> None:
    ticket = seen.ticket(desk, fire(desk, clock))
    assert (ticket.title, ticket.type, ticket.status, ticket.channel) == (
        "DiskFull: Disk full",
        "incident",
        "new",
        "monitor",
    )
    assert (ticket.impact, ticket.urgency, ticket.priority, ticket.service_label) == (2, 2, 3, "cart")
    assert ticket.creation == {
        "rule": "default",
        "answer": "ticket",
        "reason": "It fires and belongs to no incident yet.",
    }
    assert ticket.labels == {"alertname": "DiskFull"} | LABELS
    assert (ticket.occurrences, ticket.started_at, ticket.first_seen) == (1, START, START)
    assert ticket.unassigned_due_at == clock.now() + timedelta(hours=1)
    created = seen.lines(desk, ticket.id)[0]
    assert created["creation"]["rule"] == "default"
    assert created["began"] == START.isoformat()
    assert seen.only_alert(desk).decision == "It fires and belongs to no incident yet."


@pytest.mark.feature("A9", "T4")
def test_service_gives_team_and_impact(desk: Desk, clock: Clock, people: Crew) -> None:
    from servicedesk.store.tables import service, team

    def add(tx):  # type: ignore[no-untyped-def]
        team_id = tx.run(team.insert().values(name="Shop", created_at=tx.now).returning(team.c.id)).scalar_one()
        tx.run(service.insert().values(name="cart", team_id=team_id, criticality=1, created_at=tx.now))
        return team_id

    team_id = desk.write(add)
    ticket = seen.ticket(desk, fire(desk, clock, severity="critical"))
    assert (ticket.team_id, ticket.impact, ticket.priority) == (team_id, 1, 1)
    assert ticket.service_id is not None


@pytest.mark.feature("P1")
def test_playbooks_are_attached_to_the_ticket_and_for_what_joins(desk: Desk, clock: Clock) -> None:
    ticket = fire(desk, clock, alertname="KubePodCrashLooping", namespace="shop")
    assert [line["playbook"] for line in seen.lines(desk, ticket) if line.get("event") == "attached"]


@pytest.mark.feature("I8")
@pytest.mark.parametrize(("name", "severity"), [("Watchdog", "none"), ("InfoInhibitor", "none"), ("X", "none")])
def test_some_alerts_are_only_recorded(desk: Desk, clock: Clock, name: str, severity: str) -> None:
    assert fire(desk, clock, alertname=name, severity=severity) == 0
    row, (span,) = seen.only_alert(desk), seen.episodes(desk)
    assert (row.status, span.incident_id) == ("firing", None)
    assert "recorded without a ticket" in row.decision
    assert seen.incidents(desk) == []


@pytest.mark.feature("I9")
def test_an_end_that_was_never_seen_firing_opens_nothing(desk: Desk, clock: Clock) -> None:
    end(desk, clock)
    assert (seen.only_alert(desk).status, seen.incidents(desk)) == ("recovered", [])
    tell(desk, alert(at(1), **LABELS))  # its firing comes late, and is in doubt
    ticket = seen.only_ticket(desk)
    assert (seen.only_alert(desk).status, ticket.occurrences, ticket.suspect_at) == ("suspect", 1, clock.now())
    assert seen.told(desk, ticket.id) == []  # nobody is paged for a doubt
    clock.advance(minutes=7)
    suspects.run_due(desk, clock.now())
    assert (seen.only_alert(desk).status, seen.told(desk, ticket.id)) == ("firing", ["refired"])


@pytest.mark.feature("I9")
def test_an_end_applied_first_gives_a_recovered_ticket(desk: Desk, clock: Clock) -> None:
    clock.set(at(6))
    first = send(desk, body(alert(START, **LABELS)))
    slices.step(desk, only=send(desk, body(alert(START, at(5), **LABELS))))
    slices.step(desk, only=first)
    assert (seen.only_alert(desk).status, seen.only_ticket(desk).auto_recovered) == ("recovered", True)


@pytest.mark.feature("I7")
def test_siblings_join_within_the_window(desk: Desk, clock: Clock) -> None:
    first = fire(desk, clock, 0)
    assert fire(desk, clock, 10, instance="b", severity="critical") == first
    assert fire(desk, clock, 10.5, instance="c") != first
    assert fire(desk, clock, 11, instance="d", namespace="other") not in (first, 0)
    ticket = seen.ticket(desk, first)
    assert (ticket.occurrences, ticket.last_seen, len(seen.members(desk, first))) == (2, at(10), 2)
    (joined,) = [line for line in seen.lines(desk, first) if line.get("event") == "joined"]
    assert (joined["name"], joined["alerts"], joined["status"]) == ("DiskFull", ["b"], "firing")
    assert seen.told(desk, first) == ["opened"]


@pytest.mark.feature("I7")
def test_the_switch_gives_every_alert_its_own_incident(desk: Desk, clock: Clock) -> None:
    alerts = msgspec.structs.replace(desk.policy.alerts, one_incident_per_alert=True)
    desk.policy = msgspec.structs.replace(desk.policy, alerts=alerts)
    assert fire(desk, clock, 0) != fire(desk, clock, 1, instance="b")


@pytest.mark.feature("T4")
def test_a_more_severe_sibling_raises_the_priority_while_nobody_has_it(desk: Desk, clock: Clock, people: Crew) -> None:
    first = fire(desk, clock, 0)
    fire(desk, clock, 1, instance="b", severity="critical")
    ticket = seen.ticket(desk, first)
    assert (ticket.priority, ticket.urgency, ticket.top_priority) == (2, 1, 2)
    (edit,) = [line for line in seen.lines(desk, first) if "changes" in line]
    assert edit["changes"] == {"priority": [3, 2], "urgency": [2, 1]}


@pytest.mark.feature("T4")
def test_on_a_ticket_in_work_it_only_proposes(desk: Desk, clock: Clock, people: Crew) -> None:
    first = fire(desk, clock, 0)
    incidents.take(desk, people["owner"], first)
    fire(desk, clock, 1, instance="b", severity="critical")
    assert seen.ticket(desk, first).priority == 3
    assert any(line.get("text", "").startswith("P2:") for line in seen.lines(desk, first))


@pytest.mark.feature("I7")
def test_an_earlier_sibling_shifts_untouched_tickets(desk: Desk, clock: Clock) -> None:
    """0 and 8 belong together, 12 does not; they arrive as 8, 12, 0."""
    first = fire(desk, clock, 8, instance="b")
    assert fire(desk, clock, 12, instance="c") == first
    assert fire(desk, clock, 0, instance="a") == first
    by_name = {a.labels["instance"]: a.incident_id for a in seen.alerts(desk)}
    assert by_name["a"] == by_name["b"] == first != by_name["c"]
    assert (seen.ticket(desk, first).occurrences, seen.ticket(desk, by_name["c"]).occurrences) == (2, 1)
    assert (seen.ticket(desk, first).started_at, seen.ticket(desk, by_name["c"]).started_at) == (at(0), at(12))
    moved = [line for line in seen.lines(desk, first) if line.get("from")]
    assert [(line["from"], line["to"], line["alerts"]) for line in moved] == [(number(first), number(by_name["c"]), 1)]


@pytest.mark.feature("I7")
def test_a_ticket_that_loses_its_last_alert_is_merged_away(desk: Desk, clock: Clock) -> None:
    first, second = fire(desk, clock, 5, instance="b"), fire(desk, clock, 16, instance="c")
    assert first != second
    assert fire(desk, clock, 6, instance="c") == first  # c turns out to have begun earlier
    gone = seen.ticket(desk, second)
    assert (gone.status, gone.cancel_reason, gone.merged_into) == ("cancelled", "merged", first)
    assert seen.members(desk, second) == set()
    assert seen.ticket(desk, first).occurrences == 2


@pytest.mark.feature("I7")
def test_tickets_that_people_work_on_keep_their_members(desk: Desk, clock: Clock, people: Crew) -> None:
    first = fire(desk, clock, 8, instance="b")
    fire(desk, clock, 12, instance="c")
    incidents.take(desk, people["owner"], first)
    assert fire(desk, clock, 0, instance="a") == first  # it began shortly before
    assert {a.incident_id for a in seen.alerts(desk)} == {first}


@pytest.mark.feature("I7")
def test_a_ticket_with_a_persons_words_is_not_moved_either(desk: Desk, clock: Clock, people: Crew) -> None:
    first = fire(desk, clock, 8, instance="b")
    fire(desk, clock, 12, instance="c")
    incidents.comment(desk, people["agent"], first, "I saw this one before.", public=False)
    fire(desk, clock, 0, instance="a")
    assert {a.incident_id for a in seen.alerts(desk)} == {first}


@pytest.mark.feature("I9")
def test_it_fires_again_on_its_own_ticket(desk: Desk, clock: Clock, people: Crew) -> None:
    ticket = fire(desk, clock, 0)
    end(desk, clock, 5)
    incidents.take(desk, people["owner"], ticket)
    assert fire(desk, clock, 300) == ticket  # long after the window: its own ticket is still open
    row = seen.ticket(desk, ticket)
    assert (row.status, row.occurrences, row.recovered_at, row.auto_recovered) == ("in_progress", 2, None, False)
    assert [line["event"] for line in seen.lines(desk, ticket) if "event" in line and "alerts" in line] == [
        "recovered",
        "firing",
    ]


@pytest.mark.feature("T2", "I9")
def test_it_fires_again_while_resolved(desk: Desk, clock: Clock, people: Crew) -> None:
    ticket = fire(desk, clock, 0)
    end(desk, clock, 5)
    resolve(desk, people, ticket)
    assert status(desk, ticket) == "resolved"
    assert fire(desk, clock, 20) == ticket
    row = seen.ticket(desk, ticket)
    assert (row.status, row.cycle, row.resolved_at, row.due_at) == ("in_progress", 2, None, None)
    assert seen.told(desk, ticket).count("refired") == 1
    (moved,) = [line for line in seen.lines(desk, ticket) if line.get("trigger") == "alert"]
    assert moved["to"] == "in_progress"
    tell(desk, alert(at(20), **LABELS))  # a repeat of the same firing
    assert (seen.ticket(desk, ticket).cycle, seen.told(desk, ticket).count("refired")) == (2, 1)


@pytest.mark.feature("T2", "I9")
def test_it_fires_again_while_in_review_without_an_owner(desk: Desk, clock: Clock, people: Crew) -> None:
    ticket = fire(desk, clock, 0)
    end(desk, clock, 5)
    resolve(desk, people, ticket)
    clock.advance(minutes=61)
    judgement.run_due(desk)
    assert status(desk, ticket) == "review"
    desk.write(lambda tx: tx.run(update(incident).where(incident.c.id == ticket).values(owner_id=None)))
    fire(desk, clock, 90)
    assert (status(desk, ticket), seen.ticket(desk, ticket).cycle) == ("new", 2)


@pytest.mark.feature("I9")
def test_a_doubt_restarts_the_quiet_window_and_bars_the_review(desk: Desk, clock: Clock, people: Crew) -> None:
    ticket = fire(desk, clock, 0)
    end(desk, clock, 5)
    resolve(desk, people, ticket)
    clock.advance(minutes=50)
    tell(desk, alert(START, **LABELS))  # the same firing again: stale, or the truth
    row = seen.ticket(desk, ticket)
    assert (row.status, row.cycle, row.suspect_at) == ("resolved", 1, clock.now())
    assert row.due_at == clock.now() + timedelta(minutes=60)
    clock.advance(minutes=3)
    tell(desk, alert(START, **LABELS))  # a copy confirms nothing and puts the window off once more
    assert seen.ticket(desk, ticket).suspect_at == clock.now()
    assert suspects.run_due(desk, clock.now()) == 0
    end(desk, clock, 5)  # the newer end
    clock.advance(minutes=62)
    assert suspects.run_due(desk, clock.now()) == 0
    judgement.run_due(desk)
    assert (status(desk, ticket), seen.told(desk, ticket).count("refired")) == ("review", 0)


@pytest.mark.feature("I9", "T2")
def test_a_confirmed_doubt_reopens(desk: Desk, clock: Clock, people: Crew) -> None:
    ticket = fire(desk, clock, 0)
    end(desk, clock, 5)
    resolve(desk, people, ticket)
    tell(desk, alert(START, **LABELS))
    for _ in range(5):
        clock.advance(minutes=1)
        tell(desk, alert(START, **LABELS))
    assert suspects.run_due(desk, clock.now()) == 0
    clock.advance(minutes=1)
    assert suspects.run_due(desk, clock.now()) == 1
    row = seen.ticket(desk, ticket)
    assert (row.status, row.cycle, row.occurrences) == ("in_progress", 2, 1)
    assert seen.told(desk, ticket).count("refired") == 1
    assert suspects.run_due(desk, clock.now()) == 0
    end(desk, clock, 30)
    assert (seen.only_alert(desk).status, len(seen.episodes(desk))) == ("recovered", 1)
    assert seen.ticket(desk, ticket).recovered_at == clock.now()


@pytest.mark.feature("I9")
def test_nothing_is_confirmed_while_messages_wait(desk: Desk, clock: Clock) -> None:
    fire(desk, clock, 0)
    end(desk, clock, 5)
    tell(desk, alert(START, **LABELS))
    clock.advance(minutes=7)
    send(desk, body(alert(START, at(5), **LABELS)))  # it may hold the newer end, and does
    assert suspects.run_due(desk, clock.now()) == 0
    tell(desk)
    assert (suspects.run_due(desk, clock.now()), seen.only_alert(desk).status) == (0, "recovered")


@pytest.mark.feature("I9", "T13")
@pytest.mark.parametrize("how", ["cancelled"])
def test_a_confirmed_doubt_after_the_end_is_a_new_ticket(desk: Desk, clock: Clock, how: str) -> None:
    ticket = fire(desk, clock, 0)
    end(desk, clock, 5)
    over(desk, ticket, how, clock.now())
    tell(desk, alert(START, **LABELS))
    assert len(seen.incidents(desk)) == 1
    clock.advance(minutes=7)
    assert suspects.run_due(desk, clock.now()) == 1
    again = seen.incidents(desk)[-1]
    assert (again.recurrence_of, again.status, seen.only_alert(desk).incident_id) == (ticket, "new", again.id)
    assert seen.told(desk, again.id) == ["opened"]
    assert status(desk, ticket) == how


@pytest.mark.feature("T13", "I9")
def test_after_the_end_a_new_ticket_names_the_old_one(desk: Desk, clock: Clock) -> None:
    ticket = fire(desk, clock, 0)
    end(desk, clock, 5)
    over(desk, ticket, "cancelled", clock.now())
    before = seen.lines(desk, ticket)
    again = fire(desk, clock, 60)
    assert again != ticket
    assert seen.ticket(desk, again).recurrence_of == ticket
    assert seen.ticket(desk, again).creation["rule"] == "recurrence"
    assert seen.lines(desk, ticket) == before
    tell(desk, alert(at(2), at(4), **LABELS))  # an old flap comes late: a record of the old days
    assert seen.ticket(desk, again).occurrences == 1


@pytest.mark.feature("I9")
def test_a_late_firing_from_before_the_end_is_only_recorded(desk: Desk, clock: Clock) -> None:
    ticket = fire(desk, clock, 0)
    clock.set(at(2))
    late = send(desk, body(alert(at(1.5), **LABELS), alert(at(1.5), at(2), **LABELS)))
    end(desk, clock, 1)
    slices.step(desk, only=late)
    over(desk, ticket, "cancelled", at(10))
    clock.set(at(11))
    tell(desk, alert(at(4), **LABELS), alert(at(4), at(6), **LABELS))
    assert [row.id for row in seen.incidents(desk)] == [ticket]
    assert {e.incident_id for e in seen.episodes(desk)} == {ticket}
    tell(desk, alert(at(10.5), **LABELS), alert(at(10.5), at(10.9), **LABELS))  # after it: somebody should look
    assert seen.incidents(desk)[-1].recurrence_of == ticket


@pytest.mark.feature("T2", "I9")
def test_under_observation_work_goes_on(desk: Desk, clock: Clock, people: Crew) -> None:
    ticket = fire(desk, clock, 0)
    end(desk, clock, 5)
    incidents.take(desk, people["owner"], ticket)
    incidents.hold(desk, people["owner"], ticket, "observation")
    fire(desk, clock, 20)
    assert (status(desk, ticket), seen.told(desk, ticket).count("refired")) == ("in_progress", 1)


@pytest.mark.feature("T2", "I9")
def test_whatever_else_it_waits_for_the_owner_is_told(desk: Desk, clock: Clock, people: Crew) -> None:
    ticket = fire(desk, clock, 0)
    end(desk, clock, 5)
    incidents.take(desk, people["owner"], ticket)
    incidents.hold(desk, people["owner"], ticket, "vendor")
    fire(desk, clock, 20)
    assert (status(desk, ticket), seen.told(desk, ticket).count("refired")) == ("pending", 1)


@pytest.mark.feature("I9")
def test_a_ticket_is_recovered_only_when_all_members_are(desk: Desk, clock: Clock) -> None:
    ticket = fire(desk, clock, 0)
    fire(desk, clock, 1, instance="b")
    end(desk, clock, 5)
    assert seen.ticket(desk, ticket).recovered_at is None
    end(desk, clock, 6, start=1, instance="b")
    row = seen.ticket(desk, ticket)
    assert (row.recovered_at, row.auto_recovered, row.status) == (at(6), True, "new")
    assert fire(desk, clock, 7, instance="b") == ticket
    row = seen.ticket(desk, ticket)
    assert (row.recovered_at, row.auto_recovered) == (None, False)


@pytest.mark.feature("T2")
def test_a_firing_member_bars_resolving(desk: Desk, clock: Clock, people: Crew) -> None:
    ticket = fire(desk, clock, 0)
    with pytest.raises(Refused) as refused:
        resolve(desk, people, ticket)
    assert "G5" in {r.guard for r in refused.value.refusals}


@pytest.mark.feature("A3")
def test_the_chain_of_what_alerts_wrote_is_whole(desk: Desk, clock: Clock, people: Crew) -> None:
    from servicedesk.domain import audit as chain
    from servicedesk.store.tables import timeline, timeline_content
    from servicedesk.store.types import to_us

    ticket = fire(desk, clock, 8, instance="b")
    fire(desk, clock, 12, instance="c")
    fire(desk, clock, 0, instance="a")
    end(desk, clock, 20, instance="a")
    t, c = timeline.c, timeline_content.c
    for row in seen.incidents(desk):
        query = timeline.join(timeline_content, (t.incident_id == c.incident_id) & (t.seq == c.seq)).select()
        entries = [
            chain.Entry(
                r.incident_id, r.seq, to_us(r.at), r.kind, r.actor_id, r.actor_role, r.rule, r.content_digest,
                r.prev, r.mac, r.salt, r.content,
            )
            for r in seen.rows(desk, query.where(t.incident_id == row.id).order_by(t.seq))
        ]  # fmt: skip
        assert len(entries) >= 1
        assert chain.first_fault(desk.audit_key, entries, row.head_seq, row.head_mac) is None
    assert ticket


def line(desk: Desk, clock: Clock, minute: float) -> None:
    """A statement of a sender that cannot say when it is over, such as a syslog line."""
    clock.set(at(minute))
    ((_, event),) = RECEIVER.parse(body(alert(at(minute), **LABELS))).events
    seen_at = Seen(int(minute * 10) + 1, clock.now(), "am", replace(event, clears=False))
    desk.write(lambda tx: slices.carry_out(tx, desk, [seen_at]))


@pytest.mark.feature("T2", "I9")
def test_an_alert_that_cannot_clear_is_declared_over_and_fires_again(desk: Desk, clock: Clock, people: Crew) -> None:
    for minute in (0, 1, 2):
        line(desk, clock, minute)
    ticket = seen.only_ticket(desk).id
    assert (seen.only_alert(desk).status, seen.ticket(desk, ticket).occurrences) == ("firing", 1)
    clock.set(at(10))
    resolve(desk, people, ticket)
    alert_row, (span,) = seen.only_alert(desk), seen.episodes(desk)
    assert (status(desk, ticket), alert_row.status, alert_row.ends_at) == ("resolved", "recovered", at(10))
    assert span.ends_at == at(10)
    line(desk, clock, 20)
    assert (status(desk, ticket), seen.only_alert(desk).status) == ("in_progress", "firing")
    assert (seen.ticket(desk, ticket).cycle, seen.ticket(desk, ticket).occurrences) == (2, 2)
    line(desk, clock, 21)
    assert (seen.ticket(desk, ticket).cycle, len(seen.episodes(desk))) == (2, 2)


def test_the_lines_of_a_talkative_sender_are_not_read_again(desk: Desk, clock: Clock) -> None:
    line(desk, clock, 0)
    found: list[str] = []
    hooks.listen(desk.db.write_engine, "before_cursor_execute", lambda *a: found.append(a[2]))
    line(desk, clock, 1)
    assert not [text for text in found if "FROM event" in text and "alert_id" in text.split("WHERE")[-1]]
