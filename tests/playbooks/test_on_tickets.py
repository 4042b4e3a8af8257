"""Playbooks on tickets: attached with the opening, kept as they were, steps recorded with who, when and why."""

from pathlib import Path

import pytest
from sqlalchemy import event, func, select

from servicedesk.config import Config
from servicedesk.desk import Desk, open_desk
from servicedesk.domain.incident import Actor
from servicedesk.errors import BadInput, Conflict, NotFound, Refused
from servicedesk.files.playbooks import PlaybookSet
from servicedesk.services import incidents, playbooks
from servicedesk.services.incidents import NewTicket
from servicedesk.services.shared import playbooks as shared
from servicedesk.services.shared.playbooks import Ticket
from servicedesk.store.tables import playbook_run, playbook_step, playbook_version, timeline, timeline_content
from servicedesk.store.views import ticket as views
from tests.support.clock import START, Clock
from tests.support.crew import crew

CRASH = {"alertname": "KubePodCrashLooping", "namespace": "shop", "severity": "warning"}
CRASH_BOOK = "kubernetes-pod-crash-looping"


@pytest.fixture
def people(desk: Desk) -> dict[str, Actor]:
    return crew(desk)


def opened(desk: Desk, people: dict[str, Actor], **form: str) -> int:
    """A ticket by hand, taken by its owner, so that work on it may begin."""
    given = {"title": "Odd", "category": "infrastructure", "service": "unknown", "impact": 2, "urgency": 2} | form
    number = incidents.open_ticket(desk, people["owner"], NewTicket(**given))  # type: ignore[arg-type]
    incidents.take(desk, people["owner"], number)
    return number


def attach(desk: Desk, *tickets: Ticket) -> list[tuple[int, str]]:
    return [(i, p.id) for i, p in desk.write(lambda tx: shared.attach_many(tx, desk, tickets))]


def lines(desk: Desk, number: int, kind: str) -> list[dict[str, object]]:
    t, c = timeline.c, timeline_content.c
    query = (
        select(c.content, t.actor_id, t.at)
        .join(timeline, (t.incident_id == c.incident_id) & (t.seq == c.seq))
        .where(t.incident_id == number, t.kind == kind)
        .order_by(t.seq)
    )
    with desk.read() as tx:
        return [r.content | {"actor": r.actor_id, "at": r.at} for r in tx.run(query)]


def count(desk: Desk, table: object) -> int:
    with desk.read() as tx:
        return int(tx.run(select(func.count()).select_from(table)).scalar_one())  # type: ignore[arg-type]


@pytest.mark.feature("P1")
def test_what_matches_is_attached_with_its_text_and_steps(desk: Desk, people: dict[str, Actor]) -> None:
    number = opened(desk, people)
    assert attach(desk, Ticket(number, CRASH)) == [(number, CRASH_BOOK)]
    (state,) = playbooks.runs(desk, number)
    shipped = desk.playbooks.get(CRASH_BOOK)
    assert shipped is not None
    assert (state.recorded.hash, state.recorded.source) == (shipped.version, shipped.source)
    assert [(text.id, text.title, text.check) for text, _ in state.steps] == [
        (s.id, s.title, s.check) for s in shipped.steps
    ]
    assert [r.mandatory for _, r in state.steps] == [s.mandatory for s in shipped.steps]
    assert {r.outcome for _, r in state.steps} == {""}
    (line,) = lines(desk, number, "playbook")
    assert (line["event"], line["playbook"], line["version"], line["actor"]) == (
        "attached", CRASH_BOOK, shipped.version, None,
    )  # fmt: skip


@pytest.mark.feature("P1")
def test_a_ticket_by_hand_gets_its_playbook_at_once(desk: Desk, people: dict[str, Actor]) -> None:
    number = opened(desk, people, type="request", category="access")
    assert [s.recorded.playbook for s in playbooks.runs(desk, number)] == ["desk-access-request"]


def test_nothing_is_attached_twice_and_nothing_where_nothing_matches(desk: Desk, people: dict[str, Actor]) -> None:
    one, two = opened(desk, people), opened(desk, people)
    twice = [Ticket(one, CRASH), Ticket(one, CRASH | {"pod": "b"}), Ticket(two, {"alertname": "Nobody"})]
    assert attach(desk, *twice) == [(one, CRASH_BOOK)]
    assert attach(desk, *twice) == []
    both = attach(desk, Ticket(one, {"alertname": "KubeJobFailed"}), Ticket(two, CRASH))
    assert sorted(both) == sorted([(one, "kubernetes-job-failed"), (two, CRASH_BOOK)])
    assert attach(desk) == []


def test_one_text_is_kept_once_however_often_it_is_used(desk: Desk, people: dict[str, Actor]) -> None:
    numbers = [opened(desk, people) for _ in range(3)]
    attach(desk, *[Ticket(n, CRASH) for n in numbers])
    assert (count(desk, playbook_version), count(desk, playbook_run)) == (1, 3)


def test_a_batch_takes_the_same_number_of_statements_as_one(desk: Desk, people: dict[str, Actor]) -> None:
    numbers = [opened(desk, people) for _ in range(21)]
    seen: list[str] = []
    event.listen(desk.db.write_engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
    attach(desk, Ticket(numbers[0], CRASH))
    single = len(seen)
    seen.clear()
    attach(desk, *[Ticket(n, CRASH) for n in numbers[1:]])
    assert len(seen) <= single
    assert count(desk, playbook_run) == 21


def test_a_rolled_back_opening_leaves_nothing(desk: Desk, people: dict[str, Actor]) -> None:
    number = opened(desk, people)

    def fail(tx):  # type: ignore[no-untyped-def]
        shared.attach(tx, desk, Ticket(number, CRASH))
        raise NotFound("later fault")

    with pytest.raises(NotFound):
        desk.write(fail)
    assert (count(desk, playbook_run), count(desk, playbook_step), count(desk, playbook_version)) == (0, 0, 0)


@pytest.mark.feature("P2")
def test_steps_are_recorded_with_who_when_and_outcome(desk: Desk, people: dict[str, Actor], clock: Clock) -> None:
    number = opened(desk, people)
    run = playbooks.attach_by_hand(desk, people["owner"], number, CRASH_BOOK)
    clock.advance(minutes=5)
    playbooks.record_step(desk, people["agent"], number, run, "exit-reason", "done", "OOMKilled\x00")
    clock.advance(minutes=5)
    playbooks.record_step(desk, people["owner"], number, run, "memory", "failed", "no metrics")
    playbooks.record_step(desk, people["owner"], number, run, "memory", "done")
    playbooks.record_step(desk, people["owner"], number, run, "log", "skipped", "nothing logged")
    (state,) = playbooks.runs(desk, number)
    found = {r.step: (r.outcome, r.note, r.actor, r.at) for _, r in state.steps if r.outcome}
    later = clock.now()
    assert found == {
        "exit-reason": ("done", r"OOMKilled\u0000", "agent", START.replace(minute=5)),
        "memory": ("done", "", "owner", later),
        "log": ("skipped", "nothing logged", "owner", later),
    }
    told = lines(desk, number, "playbook_step")
    assert [(t["step"], t["event"], t.get("before"), t["actor"]) for t in told] == [
        ("exit-reason", "done", None, people["agent"].id),
        ("memory", "failed", None, people["owner"].id),
        ("memory", "done", "failed", people["owner"].id),
        ("log", "skipped", None, people["owner"].id),
    ]


@pytest.mark.feature("P2", "T2")
def test_mandatory_steps_bar_resolving_until_done_or_skipped(desk: Desk, people: dict[str, Actor]) -> None:
    number = opened(desk, people)
    run = playbooks.attach_by_hand(desk, people["owner"], number, CRASH_BOOK)
    mandatory = tuple(text.id for text, _ in playbooks.runs(desk, number)[0].steps if text.mandatory)
    assert incidents.facts(desk, number).open_steps == mandatory
    playbooks.record_step(desk, people["owner"], number, run, mandatory[0], "failed", "again")
    assert incidents.facts(desk, number).open_steps == mandatory
    playbooks.record_step(desk, people["owner"], number, run, mandatory[0], "done")
    playbooks.record_step(desk, people["owner"], number, run, mandatory[1], "skipped", "seen in the dashboard")
    assert incidents.facts(desk, number).open_steps == mandatory[2:]


def test_the_desk_skips_what_nobody_began_with_its_reason(desk: Desk, people: dict[str, Actor]) -> None:
    number = opened(desk, people)
    run = playbooks.attach_by_hand(desk, people["owner"], number, CRASH_BOOK)
    playbooks.record_step(desk, people["owner"], number, run, "exit-reason", "done", "OOMKilled")
    desk.write(lambda tx: shared.skip_open(tx, desk, number, "It recovered by itself."))
    assert incidents.facts(desk, number).open_steps == ()
    (state,) = playbooks.runs(desk, number)
    outcomes = {r.step: (r.outcome, r.actor) for _, r in state.steps if r.outcome}
    assert outcomes == {"exit-reason": ("done", "owner"), "confirm-fixed": ("skipped", "")}
    assert [t["actor"] for t in lines(desk, number, "playbook_step")] == [people["owner"].id, None]


@pytest.mark.feature("P2")
@pytest.mark.parametrize(
    ("step", "outcome", "note", "error", "word"),
    [
        ("memory", "skipped", "", BadInput, "why"),
        ("memory", "skipped", "  \n", BadInput, "why"),
        ("memory", "finished", "x", BadInput, "one of done, skipped, failed"),
        ("memory", "done", "x" * 20_001, BadInput, "20000"),
        ("absent", "done", "", NotFound, "no step 'absent'"),
    ],
)
def test_bad_records_are_refused(
    desk: Desk, people: dict[str, Actor], step: str, outcome: str, note: str, error: type[Exception], word: str
) -> None:
    number = opened(desk, people)
    run = playbooks.attach_by_hand(desk, people["owner"], number, CRASH_BOOK)
    with pytest.raises(error, match=word):
        playbooks.record_step(desk, people["owner"], number, run, step, outcome, note)
    assert lines(desk, number, "playbook_step") == []


def test_a_run_of_another_ticket_is_not_found(desk: Desk, people: dict[str, Actor]) -> None:
    one, two = opened(desk, people), opened(desk, people)
    run = playbooks.attach_by_hand(desk, people["owner"], one, CRASH_BOOK)
    with pytest.raises(NotFound, match="no playbook run"):
        playbooks.record_step(desk, people["owner"], two, run, "memory", "done")
    with pytest.raises(NotFound):
        playbooks.record_step(desk, people["owner"], 4711, run, "memory", "done")


def test_by_hand_only_what_exists_and_only_once(desk: Desk, people: dict[str, Actor]) -> None:
    number = opened(desk, people)
    with pytest.raises(BadInput, match="no playbook 'absent'"):
        playbooks.attach_by_hand(desk, people["owner"], number, "absent")
    playbooks.attach_by_hand(desk, people["owner"], number, CRASH_BOOK)
    with pytest.raises(Conflict, match="already"):
        playbooks.attach_by_hand(desk, people["owner"], number, CRASH_BOOK)


@pytest.mark.feature("T2")
def test_strangers_and_requesters_do_not_work_on_steps(desk: Desk, people: dict[str, Actor]) -> None:
    number = opened(desk, people)
    run = playbooks.attach_by_hand(desk, people["owner"], number, CRASH_BOOK)
    for name in ("stranger", "requester"):
        with pytest.raises(Refused):
            playbooks.record_step(desk, people[name], number, run, "memory", "done")
        with pytest.raises(Refused):
            playbooks.attach_by_hand(desk, people[name], number, "node-clock-skew")
    incidents.cancel(desk, people["lead"], number, "not_an_incident", "A test.")
    with pytest.raises(Refused, match="cancelled"):
        playbooks.record_step(desk, people["owner"], number, run, "memory", "done")


@pytest.mark.feature("P1")
def test_a_ticket_keeps_the_text_that_it_got(engine_url: str, tmp_path: Path, clock: Clock) -> None:
    """The file changes, breaks and vanishes; what was attached stays as it was, byte for byte."""
    folder = tmp_path / "own"
    folder.mkdir()
    file = folder / "mine.yaml"
    first = "schema: 1\nid: mine\ntitle: First\nmatch: ['alertname=\"Mine\"']\n"
    first += "steps: [{id: s, title: S, instruction: Old.}]\n"
    file.write_text(first, encoding="utf-8")
    config = Config(data_dir=str(tmp_path / "data"), database_url=engine_url, playbooks=str(folder))
    desk = open_desk(config, clock.now)
    try:
        people = crew(desk)
        old, new = opened(desk, people), opened(desk, people)
        attach(desk, Ticket(old, {"alertname": "Mine"}))
        file.write_text(first.replace("First", "Second").replace("Old.", "New and longer."), encoding="utf-8")
        desk.playbooks.reload()
        attach(desk, Ticket(new, {"alertname": "Mine"}))
        file.unlink()
        desk.playbooks.reload()
        states = [playbooks.runs(desk, n)[0] for n in (old, new)]
        assert [s.playbook.title for s in states] == ["First", "Second"]
        assert states[0].recorded.source == first
        assert [s.steps[0][0].instruction for s in states] == ["Old.", "New and longer."]
        playbooks.record_step(desk, people["owner"], old, states[0].recorded.id, "s", "done")
        with desk.read() as tx:
            assert [r.steps[0].outcome for r in views.runs(tx, old)] == ["done"]
    finally:
        desk.close()


def test_matching_a_storm_is_cheap() -> None:
    """10,000 alerts are matched against a thousand playbooks without asking each of them: by counted questions."""
    from servicedesk.domain.matchers import parse_matchers
    from servicedesk.domain.playbook import Catalogue, Condition, Playbook

    asked = 0

    class Counted(Condition):
        def holds(self, *facts):  # type: ignore[no-untyped-def]
            nonlocal asked
            asked += 1
            return super().holds(*facts)

    books = [Playbook(f"p{i}", "P", (), "", "", (Counted(parse_matchers(f'alertname="A{i}"')),)) for i in range(1000)]
    catalogue = Catalogue(books)
    for i in range(10_000):
        assert len(catalogue.match({"alertname": f"A{i % 2000}"})) == (i % 2000 < 1000)
    assert asked == 5_000


def test_the_set_of_the_desk_is_the_shipped_one(desk: Desk) -> None:
    assert isinstance(desk.playbooks, PlaybookSet)
    assert desk.playbooks.errors == ()
    assert len(desk.playbooks.all) >= 10
