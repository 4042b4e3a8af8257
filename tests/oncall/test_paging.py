"""Who is paged, when, and why not: stories with a clock that jumps, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from servicedesk.desk import Desk
from servicedesk.domain.people_rules import ChannelRule, PersonRules
from servicedesk.services import escalation_policies, escalations, flaps, incidents, resolution, schedules
from servicedesk.services.shared import timeline
from servicedesk.services.shared.timeline import Line
from servicedesk.store import oncall, outbox
from servicedesk.store.tables import escalation, page_step, user
from tests.intake import seen
from tests.intake.test_flapping import shake
from tests.oncall.conftest import Crew, policy, rota, use
from tests.support.clock import Clock
from tests.told.rows import lines, opened, row_of, rows, set_incident

LADDER = policy((0, "schedule:Primary"), (10, "person:lead"), repeat=1, repeat_after=20, expires=60)


def work(desk: Desk) -> None:
    while escalations.run_due(desk):
        pass


def steps(desk: Desk, number: int) -> list[Any]:
    with desk.read() as tx:
        names = {row.id: row.name for row in tx.run(select(user))}
        found = tx.run(select(page_step).where(page_step.c.incident_id == number).order_by(page_step.c.id)).all()
    return [(r.run, r.round, r.step, names.get(r.user_id, r.target_name), r.state) for r in found]


def proof(desk: Desk, number: int) -> list[Any]:
    with desk.read() as tx:
        return list(tx.run(select(page_step).where(page_step.c.incident_id == number).order_by(page_step.c.id)))


def run_of(desk: Desk, number: int) -> Any:
    with desk.read() as tx:
        return tx.run(select(escalation).where(escalation.c.incident_id == number)).one()


def paged(desk: Desk, number: int) -> list[str]:
    return [r.target for r in rows(desk, number) if r.event == "page"]


@pytest.mark.feature("N4")
def test_the_ladder_goes_up_until_the_leads_and_every_step_has_its_row(desk: Desk, people: Crew, clock: Clock) -> None:
    rota(desk, people["lead"])
    use(desk, people["lead"], LADDER)
    number = opened(desk, people["requester"])
    work(desk)
    assert [r.target for r in rows(desk, number) if r.event == "opened"] == ["webhook"], "people are paged instead"
    assert steps(desk, number) == [(1, 1, 1, "owner", "queued")]
    seen = [len(steps(desk, number))]
    for _ in range(7):
        clock.advance(minutes=10)
        work(desk)
        seen.append(len(steps(desk, number)))
    assert seen == [1, 2, 2, 3, 4, 4, 6, 6]
    assert [(r, s, who) for _run, r, s, who, _state in steps(desk, number)] == [
        (1, 1, "owner"), (1, 2, "lead"), (2, 1, "owner"), (2, 2, "lead"), (2, 0, "lead"), (2, 0, "lead2"),
    ]  # fmt: skip
    assert run_of(desk, number).state == "exhausted"
    assert all(r.outbox_id for r in proof(desk, number))
    told = [line["told"] for line in lines(desk, number, "page")]
    assert told == [[f"{name} (email)"] for name in ("owner", "lead", "owner", "lead")] + [
        ["lead (email)", "lead2 (email)"]
    ]


@pytest.mark.feature("N4")
def test_an_acknowledgement_stops_it_expires_and_begins_again(desk: Desk, people: Crew, clock: Clock) -> None:
    rota(desk, people["lead"])
    use(desk, people["lead"], LADDER)
    number = opened(desk, people["requester"])
    work(desk)
    incidents.take(desk, people["owner"], number)
    clock.advance(minutes=10)
    work(desk)
    assert len(steps(desk, number)) == 1
    assert (run_of(desk, number).state, run_of(desk, number).reason) == ("acknowledged", "owner has it.")
    clock.advance(minutes=45)
    incidents.comment(desk, people["owner"], number, "still on it", public=False)
    clock.advance(minutes=59)
    work(desk)
    assert len(steps(desk, number)) == 1, "a note is a sign of life"
    clock.advance(minutes=2)
    work(desk)
    assert steps(desk, number)[1:] == [(2, 1, 1, "owner", "queued")]
    assert "No sign of life from owner for 60 minutes" in run_of(desk, number).reason
    resolution.resolve(desk, people["owner"], number, "fixed", "hardware", "done it", "It works again.")
    clock.advance(minutes=30)
    work(desk)
    assert run_of(desk, number).state == "over"
    assert len(steps(desk, number)) == 2


@pytest.mark.feature("N4")
def test_acknowledge_counts_without_owning_and_for_who_was_given_it(desk: Desk, people: Crew, clock: Clock) -> None:
    from servicedesk.domain.assignment import TeamRules
    from servicedesk.services import assignment
    from servicedesk.services.shared import facts, owning

    use(desk, people["lead"], policy((0, "person:owner"), (10, "person:lead"), expires=0))
    noted = opened(desk, people["requester"])
    organisation = policy((5, "person:agent"), (10, "person:lead"), expires=0)
    work(desk)
    desk.write(lambda tx: timeline.append(tx, desk, Line(noted, "acknowledged", {}, people["reviewer"])))
    clock.advance(minutes=10)
    work(desk)
    assert (run_of(desk, noted).state, len(steps(desk, noted))) == ("acknowledged", 1)
    use(desk, people["lead"], organisation)
    assignment.set_team_rules(desk, people["lead"], "Operations", TeamRules(enabled=True))
    given = opened(desk, people["requester"])
    assert assignment.run_due(desk) == 2
    clock.advance(minutes=5)
    work(desk)
    assert len(steps(desk, given)) == 1, "nobody has answered: the owner did not choose it"
    owner = next(actor for actor in people.values() if actor.id == row_of(desk, given).owner_id)
    assert desk.write(lambda tx: owning.acknowledge(tx, desk, facts.load(tx, desk, given), owner)) == "yours"
    clock.advance(minutes=10)
    work(desk)
    assert (run_of(desk, given).state, len(steps(desk, given))) == ("acknowledged", 1)


@pytest.mark.feature("N5")
def test_a_recovered_ticket_pages_nobody_until_it_fires_again(desk: Desk, people: Crew, clock: Clock) -> None:
    rota(desk, people["lead"])
    use(desk, people["lead"], policy((5, "schedule:Primary"), expires=0))
    number = opened(desk, people["requester"])
    set_incident(desk, number, recovered_at=clock.now())
    clock.advance(minutes=5)
    work(desk)
    assert (run_of(desk, number).state, steps(desk, number)) == ("recovered", [])
    set_incident(desk, number, recovered_at=None)
    from servicedesk.services.shared import paging

    desk.write(lambda tx: paging.fires_again(tx, desk, [number]))
    work(desk)
    clock.advance(minutes=5)
    work(desk)
    assert steps(desk, number) == [(2, 1, 1, "owner", "queued")], "one page an episode"


@pytest.mark.feature("I12")
def test_while_its_alert_flaps_a_recovery_stops_no_page(desk: Desk, people: Crew, clock: Clock) -> None:
    rota(desk, people["lead"])
    use(desk, people["lead"], policy((5, "schedule:Primary"), expires=0))
    number = shake(desk, clock)
    assert seen.ticket(desk, number).recovered_at is not None
    clock.advance(minutes=5)
    work(desk)
    assert [found[3:] for found in steps(desk, number)] == [("owner", "queued")]
    clock.advance(minutes=30)
    flaps.run_due(desk)
    clock.advance(minutes=60)
    work(desk)
    assert run_of(desk, number).state == "recovered"


def test_a_step_that_reaches_nobody_is_left_at_once_and_says_why(desk: Desk, people: Crew, clock: Clock) -> None:
    from servicedesk.services.schedules import LayerIn

    office = LayerIn("office", ("owner",), "daily", "09:00", restrict="sat-sun 09:00-17:00")
    rota(desk, people["lead"], layer=office)
    use(desk, people["lead"], LADDER)
    number = opened(desk, people["requester"])
    work(desk)
    assert steps(desk, number) == [(1, 1, 1, "Primary", "skipped"), (1, 1, 2, "lead", "queued")]
    assert proof(desk, number)[0].reason == "Nobody is on call on this schedule at this time."


@pytest.mark.feature("N9")
def test_absence_is_respected_and_the_deputy_is_paged(desk: Desk, people: Crew, clock: Clock) -> None:
    rota(desk, people["lead"])
    use(desk, people["lead"], policy((0, "schedule:Primary,person:owner"), (5, "person:agent")))
    away = {"user_id": people["owner"].id, "starts_at": clock.now(), "ends_at": clock.now() + timedelta(hours=8)}
    desk.write(lambda tx: oncall.add_absence(tx, away | {"deputy_id": people["reviewer"].id}))
    alone = {"user_id": people["agent"].id, "starts_at": clock.now(), "ends_at": clock.now() + timedelta(hours=8)}
    desk.write(lambda tx: oncall.add_absence(tx, alone))
    number = opened(desk, people["requester"])
    work(desk)
    assert [(who, state) for *_, who, state in steps(desk, number)] == [
        ("reviewer", "queued"), ("owner", "skipped"), ("reviewer", "skipped"),
    ]  # fmt: skip
    clock.advance(minutes=5)
    work(desk)
    assert proof(desk, number)[-3].reason.startswith("agent is absent") or any(
        r.reason == "agent is absent, and nobody stands in." for r in proof(desk, number)
    )
    assert paged(desk, number)[0] == "reviewer@example.org"


@pytest.mark.feature("N5")
def test_low_priority_waits_for_the_morning_as_one_digest(desk: Desk, people: Crew, clock: Clock) -> None:
    rota(desk, people["lead"])
    night = policy((0, "schedule:Primary"), (10, "person:lead"), quiet_hours="22:00-07:00", timezone="Europe/Paris")
    use(desk, people["lead"], night)
    clock.set(datetime(2026, 11, 3, 22, 0, tzinfo=UTC))
    first, second, third = (opened(desk, people["requester"], f"Printer {n}", level=3) for n in range(3))
    urgent = opened(desk, people["requester"], "Checkout is down")
    work(desk)
    assert [paged(desk, n) for n in (first, second, third)] == [[], [], []]
    assert paged(desk, urgent) == ["owner@example.org"]
    assert proof(desk, first)[0].digest_at == datetime(2026, 11, 4, 6, 0, tzinfo=UTC)
    incidents.take(desk, people["agent"], third)
    incidents.take(desk, people["owner"], urgent)
    clock.advance(hours=4)
    work(desk)
    assert len(proof(desk, first)) == 1, "nobody is called up the ladder for what waits"
    clock.set(datetime(2026, 11, 4, 6, 0, tzinfo=UTC))
    work(desk)
    (digest,) = [r for r in rows(desk) if r.event == "digest"]
    assert (digest.target, digest.incident_id) == ("owner@example.org", None)
    assert "Printer 0" in digest.payload["extra"]["text"]
    assert "Printer 2" not in digest.payload["extra"]["text"]
    assert {r.outbox_id for r in (proof(desk, first)[0], proof(desk, second)[0])} == {digest.id}
    assert [(r.state, r.reason) for r in proof(desk, third)] == [("skipped", "agent has it.")]
    desk.write(lambda tx: outbox.sent(tx, digest.id, "250 ok"))
    assert [r.state for n in (first, second) for r in proof(desk, n)] == ["sent", "sent"]
    clock.advance(minutes=10)
    work(desk)
    assert paged(desk, first) == ["lead@example.org"], "from the morning on the ladder goes on"


@pytest.mark.feature("N5")
def test_a_person_chooses_channels_delays_and_quiet_hours(desk: Desk, people: Crew, clock: Clock) -> None:
    rota(desk, people["lead"])
    use(desk, people["lead"], policy((0, "person:owner"), (60, "person:lead"), waits=()))
    rules = PersonRules("Europe/Paris", quiet_hours="00:00-12:00", channels=(ChannelRule("email", 5),))
    desk.write(lambda tx: oncall.put_rules(tx, people["owner"].id or 0, rules))
    urgent, low, taken = (opened(desk, people["requester"], level=level) for level in (1, 3, 1))
    work(desk)
    assert paged(desk, urgent) == []
    incidents.take(desk, people["agent"], taken)
    clock.advance(minutes=5)
    work(desk)
    assert paged(desk, urgent) == ["owner@example.org"]
    assert [(r.state, r.reason) for r in proof(desk, taken)] == [("skipped", "agent has it.")]
    assert paged(desk, low) == []
    assert proof(desk, low)[0].reason == "owner's quiet hours: it waits for the digest."


@pytest.mark.feature("I13")
def test_a_storm_of_pages_comes_as_a_digest_beyond_the_budget(desk: Desk, people: Crew, clock: Clock) -> None:
    use(desk, people["lead"], policy((0, "person:owner"), (600, "person:lead")))
    numbers = [opened(desk, people["requester"], f"Ticket {n}") for n in range(25)]
    work(desk)
    sent = [n for n in numbers if paged(desk, n)]
    assert len(sent) == desk.policy.notifications.page_budget.pages == 20
    assert proof(desk, numbers[-1])[0].reason.startswith("Page budget: 20 pages in 10 minutes")
    clock.advance(minutes=10)
    work(desk)
    digests = [r for r in rows(desk) if r.event == "digest"]
    assert len(digests) == 1
    assert all(r.outbox_id for n in numbers for r in proof(desk, n)), "nothing that was due is lost"


def test_a_page_that_is_refused_for_good_calls_the_next_at_once(desk: Desk, people: Crew, clock: Clock) -> None:
    use(desk, people["lead"], policy((0, "person:owner"), (30, "person:lead")))
    number = opened(desk, people["requester"])
    work(desk)
    claimed = desk.write(lambda tx: _claim(tx, "page"))
    desk.write(lambda tx: outbox.failed(tx, claimed, "550 no such user"))
    assert [(r.state, r.reason) for r in proof(desk, number)] == [("failed", "550 no such user")]
    work(desk)
    assert paged(desk, number) == ["owner@example.org", "lead@example.org"]


def _claim(tx: Any, event: str) -> Any:
    while True:
        found = outbox.claim(tx, "lease", tx.now + timedelta(minutes=5))
        assert found is not None
        if found.event == event:
            return found


def test_without_policy_everything_is_as_before(desk: Desk, people: Crew, clock: Clock) -> None:
    number = opened(desk, people["requester"])
    work(desk)
    assert steps(desk, number) == []
    assert sorted(r.target for r in rows(desk, number) if r.event == "opened") == [
        "lead2@example.org", "lead@example.org", "webhook",
    ]  # fmt: skip


def test_the_service_wins_over_the_team_and_another_team_begins_anew(desk: Desk, people: Crew, clock: Clock) -> None:
    from servicedesk.domain.incident import ADMIN, Actor
    from servicedesk.services import people as organisation

    operator = Actor(None, "operator", frozenset({ADMIN}))
    organisation.add_team(desk, operator, "Network")
    use(desk, people["lead"], policy((0, "person:owner")), "Team")
    use(desk, people["lead"], policy((0, "person:agent")), "Service", services=("General",))
    use(desk, people["lead"], policy((0, "person:reviewer")), "Net", teams=("Network",))
    number = opened(desk, people["requester"])
    work(desk)
    assert paged(desk, number) == ["agent@example.org"]
    incidents.edit(desk, people["agent"], number, {"service": "unknown"})
    incidents.assign(desk, people["lead"], number, team="Network")
    work(desk)
    assert paged(desk, number) == ["agent@example.org", "reviewer@example.org"]


def test_two_nodes_execute_a_step_once(desk: Desk, people: Crew, clock: Clock) -> None:
    from concurrent.futures import ThreadPoolExecutor

    use(desk, people["lead"], policy((0, "person:owner"), (30, "person:lead")))
    numbers = [opened(desk, people["requester"], f"Ticket {n}") for n in range(8)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _n: work(desk), range(4)))
    assert [len(steps(desk, n)) for n in numbers] == [1] * 8
    assert [len(paged(desk, n)) for n in numbers] == [1] * 8


@pytest.mark.feature("N4")
def test_the_simulator_says_what_then_happens(desk: Desk, people: Crew, clock: Clock) -> None:
    rota(desk, people["lead"])
    use(desk, people["lead"], LADDER)
    name, planned = escalation_policies.simulate_for(desk, 1, "General", "", clock.now())
    assert name == "Web"
    number = opened(desk, people["requester"])
    happened = []
    for _ in range(80):
        work(desk)
        happened += [(clock.now(), *s[1:4]) for s in steps(desk, number)[len(happened) :]]
        clock.advance(minutes=1)
    names = {actor.id: who for who, actor in people.items()}
    told = [(p.at, p.round, p.step, names[r.user_id]) for p in planned for r in p.rows if r.user_id is not None]
    assert happened == told


def test_a_policy_names_only_what_exists_and_schedules_in_use_stay(desk: Desk, people: Crew) -> None:
    from servicedesk.errors import BadInput, Conflict, NotAllowed

    rota(desk, people["lead"])
    with pytest.raises(BadInput) as refused:
        use(desk, people["lead"], policy((0, "schedule:Primary"), (5, "person:nobody,channel:pigeon")))
    assert set(refused.value.fields) == {"step_2"}
    with pytest.raises(NotAllowed):
        use(desk, people["agent"], LADDER)
    use(desk, people["lead"], LADDER)
    with pytest.raises(Conflict, match="Web"):
        schedules.drop(desk, people["lead"], "Primary")
