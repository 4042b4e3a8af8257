"""Dead letters are listed, shown, and tried again; what was applied is never applied twice."""

import json
from typing import Any

import pytest

from servicedesk.cli import main as cli
from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.errors import Busy, NotAllowed, NotFound
from servicedesk.services import apply, deliveries
from servicedesk.services.shared import attach
from servicedesk.store.db import Tx
from tests.intake import seen
from tests.intake.wire import alert, body, send, tell
from tests.support.clock import START, Clock

LEAD = Actor(None, "lea", frozenset({"lead"}))


def fail_for(monkeypatch: pytest.MonkeyPatch, *instances: str) -> None:
    follow = attach.follow

    def picky(tx: Tx, desk: Desk, judged: list[Any]) -> None:
        if any(j.event and j.event.labels.get("instance") in instances for j in judged):
            raise ValueError("a fault of ours")
        follow(tx, desk, judged)

    monkeypatch.setattr(attach, "follow", picky)


@pytest.mark.feature("I5")
def test_replaying_what_was_applied_changes_nothing(desk: Desk, clock: Clock) -> None:
    number = tell(desk, alert(START, instance="a"), alert(START, instance="b"))
    before = seen.picture(desk, "am")
    clock.advance(minutes=5)
    for _ in range(3):
        assert deliveries.replay(desk, LEAD, number) == deliveries.Replayed(number, 0, ())
    assert seen.picture(desk, "am") == before
    assert seen.only_ticket(desk).last_seen == START


@pytest.mark.feature("I5")
def test_a_stale_sequence_stays_stale(desk: Desk, clock: Clock) -> None:
    """A dead firing replayed after its end is applied under its own, older sequence: no doubt arises."""
    with pytest.MonkeyPatch.context() as patch:
        fail_for(patch, "a")
        first = tell(desk, alert(START, instance="a"))
    clock.advance(minutes=5)
    tell(desk, alert(START, clock.now(), instance="a"))
    assert deliveries.replay(desk, LEAD, first) == deliveries.Replayed(first, 1, ())
    row, (event, _) = seen.only_alert(desk), seen.events(desk)
    assert (row.status, row.count, event.first_seq, event.first_at) == ("recovered", 2, first, START)
    assert seen.only_ticket(desk).auto_recovered


@pytest.mark.feature("I5")
def test_dead_events_are_applied_once_they_can_be(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.MonkeyPatch.context() as patch:
        fail_for(patch, "a", "c")
        number = tell(desk, *[alert(START, instance=name) for name in "abcd"])
    assert seen.letters(desk, number) == {0: "ValueError: a fault of ours", 2: "ValueError: a fault of ours"}
    with pytest.MonkeyPatch.context() as patch:
        fail_for(patch, "c")
        done = deliveries.replay(desk, LEAD, number)
    assert (done.applied, done.dead) == (1, ((2, "ValueError: a fault of ours"),))
    assert deliveries.replay(desk, LEAD, number) == deliveries.Replayed(number, 1, ())
    assert (seen.letters(desk, number), list(seen.letters(desk, number, cleared=True))) == ({}, [0, 2])
    assert [row.count for row in seen.alerts(desk)] == [1] * 4
    assert seen.only_ticket(desk).occurrences == 4


@pytest.mark.feature("I5")
def test_a_faulty_entry_stays_dead(desk: Desk) -> None:
    number = tell(desk, alert(START), alert(START) | {"status": "what"})
    done = deliveries.replay(desk, LEAD, number)
    assert (done.applied, [index for index, _ in done.dead]) == (0, [1])
    assert "what" in done.dead[0][1]


@pytest.mark.feature("I5")
def test_an_unreadable_body_is_read_once_its_receiver_can(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    number = send(desk, body(alert(START)), receiver="later")
    apply.run_all(desk)
    done = deliveries.replay(desk, LEAD, number)
    assert (done.applied, [index for index, _ in done.dead]) == (0, [-1])
    monkeypatch.setattr(desk, "receivers", {"later": desk.receivers["alertmanager"]})
    assert deliveries.replay(desk, LEAD, number) == deliveries.Replayed(number, 1, ())
    assert (seen.delivered(desk, number).state, seen.only_alert(desk).count) == ("done", 1)
    assert seen.letters(desk, number) == {}


@pytest.mark.feature("I5")
def test_a_delivery_that_waits_is_applied_at_once(desk: Desk) -> None:
    send(desk, body(alert(START, instance="other")))
    number = send(desk, body(alert(START), 7))
    done = deliveries.replay(desk, LEAD, number)
    assert (done.applied, [index for index, _ in done.dead]) == (1, [1])
    assert len(seen.alerts(desk)) == 1


def test_a_database_that_is_away_leaves_the_letters(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.MonkeyPatch.context() as patch:
        fail_for(patch, "a")
        number = tell(desk, alert(START, instance="a"))

    def away(*_: object) -> None:
        raise Busy("away")

    monkeypatch.setattr(attach, "follow", away)
    with pytest.raises(Busy):
        deliveries.replay(desk, LEAD, number)
    assert list(seen.letters(desk, number)) == [0]


@pytest.mark.feature("I5", "A1")
def test_only_leads_replay_and_it_is_written_down(desk: Desk) -> None:
    number = tell(desk, alert(START))
    with pytest.raises(NotAllowed):
        deliveries.replay(desk, Actor(None, "x", frozenset({"agent"})), number)
    with pytest.raises(NotFound):
        deliveries.replay(desk, LEAD, number + 1)
    deliveries.replay(desk, LEAD, number)
    assert {"delivery": number} in seen.lines(desk, 0)


@pytest.fixture
def command(desk: Desk, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs `servicedesk …` in this process on the desk's database; answers (exit code, stdout, stderr)."""
    monkeypatch.setenv("SERVICEDESK_DATA_DIR", desk.config.data_dir)
    monkeypatch.setenv("SERVICEDESK_DATABASE_URL", desk.config.database_url)

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.run(words)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.mark.feature("I5", "O4")
def test_the_command_lists_shows_and_replays(desk: Desk, command: Any) -> None:
    good, dead = tell(desk, alert(START)), send(desk, b"\x1b[31mnot json")
    apply.run_all(desk)

    code, out, _ = command("delivery", "list", "--json")
    assert (code, [d["id"] for d in json.loads(out)["items"]]) == (0, [dead, good])
    code, out, _ = command("delivery", "list", "--dead", "--json")
    (item,) = json.loads(out)["items"]
    assert (item["id"], item["state"], item["letters"][0]["index"]) == (dead, "dead", -1)

    code, out, _ = command("delivery", "list")
    assert "alertmanager" in out
    code, out, _ = command("delivery", "show", str(dead))
    assert (code, "\\x1b[31mnot json" in out, "\x1b" in out) == (0, True, False)
    code, out, _ = command("delivery", "show", str(dead), "--json")
    assert json.loads(out)["body"] == "\x1b[31mnot json"

    code, out, _ = command("delivery", "replay", str(good), "--json")
    assert (code, json.loads(out)) == (0, {"items": [{"delivery": good, "applied": 0, "dead": []}]})
    code, out, _ = command("delivery", "replay", str(dead))
    assert code == 1
    assert "1 still dead" in out

    with pytest.MonkeyPatch.context() as patch:
        fail_for(patch, "x")
        other = tell(desk, alert(START, instance="x"))
    code, out, _ = command("delivery", "replay", "--all", "--json")
    assert code == 1
    assert [(one["delivery"], one["applied"]) for one in json.loads(out)["items"]] == [(dead, 0), (other, 1)]
    assert [command("delivery", "replay", *words)[0] for words in ((), ("--all", "1"))] == [2, 2]

    code, _, err = command("delivery", "show", "999")
    assert (code, "There is no delivery 999" in err) == (1, True)
    assert command("delivery", "show", "x")[0] == 2
