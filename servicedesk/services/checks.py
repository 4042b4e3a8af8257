"""The worker of checks: questions become runs, runs are carried out in threads, answers are told. Never blocks.

Safe on several nodes and against a crash at any line: questions and runs are claimed (SKIP LOCKED, leases), a digest
has one run in flight at most, and an answer is told exactly once. Checks read only: a second run does no harm.
"""

from __future__ import annotations

import secrets
import threading
import time
import weakref
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

import structlog

from alert_receivers.event import visible
from servicedesk.checks import registry
from servicedesk.checks.check import World
from servicedesk.clients.address import allowed
from servicedesk.clients.pinned import Deadline, Unreachable
from servicedesk.config import Config
from servicedesk.desk import Desk
from servicedesk.domain.checks import INCONCLUSIVE, MAX_POINTS, MAX_ROWS, MAX_SERIES, MAX_SUMMARY, Ask, Result
from servicedesk.domain.incident import LEAD, Actor
from servicedesk.domain.parameters import CannotAsk, resolve
from servicedesk.domain.playbook import VERIFY
from servicedesk.errors import BadInput, Busy, NotAllowed
from servicedesk.files import playbooks as files
from servicedesk.services.shared import asking, identity, observing, telling
from servicedesk.store import checks as store
from servicedesk.store import observations, people
from servicedesk.store.checks import Claimed, Waiting
from servicedesk.store.db import Priority, Tx

log = structlog.get_logger("servicedesk.checks")
PLANNED, TOLD, LOOKS = 200, 100, 20  # in one transaction
RETRY = timedelta(seconds=2)  # between two tries of an inconclusive check
GRACE = timedelta(seconds=30)  # of a lease, beyond the check's own time
BUDGET = timedelta(minutes=1)
_SHARED = (asking.OPENING, asking.BEFORE)  # purposes that a fresh answer serves


class _Crew:
    """The threads of one desk that carry out checks."""

    def __init__(self, size: int) -> None:
        self.size, self.busy = size, 0
        self.changed = threading.Condition()

    def enter(self) -> bool:
        with self.changed:
            if self.busy >= self.size:
                return False
            self.busy += 1
            return True

    def leave(self) -> None:
        with self.changed:
            self.busy -= 1
            self.changed.notify_all()

    def wait(self, timeout: float) -> bool:
        """Until nobody is busy; False when the time is over first."""
        with self.changed:
            return self.changed.wait_for(lambda: self.busy == 0, timeout)


_CREWS: weakref.WeakKeyDictionary[Desk, _Crew] = weakref.WeakKeyDictionary()
_LOCK = threading.Lock()


def _crew(desk: Desk) -> _Crew:
    with _LOCK:
        return _CREWS.setdefault(desk, _Crew(max(1, desk.config.checks.parallel)))


def run_due(desk: Desk) -> int:
    """Do what is due now, without waiting for any check; answers how many things were done (0: nothing more now).

    Raises Busy when the database is away.
    """
    if not desk.config.checks.enabled:
        return 0
    with desk.read() as tx:
        stop = asking.stopped(tx) is not None
        due, looks = store.is_due(tx), observations.due(tx, LOOKS)
        stale = store.has_stale(tx, tx.now - timedelta(seconds=desk.config.checks.patience))
    if not (due or looks or stale):
        return 0
    done = _tell(desk)
    if stop:
        return done
    if stale:
        done += desk.write(lambda tx: _give_up(tx, desk), Priority.SLICE)
    for observation_id, _ in looks:
        desk.write(lambda tx, i=observation_id: observing.look(tx, desk, i), Priority.SLICE)  # type: ignore[misc]
    return done + len(looks) + desk.write(lambda tx: _plan(tx, desk), Priority.SLICE) + _launch(desk)


def finish(desk: Desk, seconds: float) -> bool:
    """Everything that is due, to its end: for tests and commands. False when the time is over first."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if run_due(desk) == 0 and _crew(desk).wait(max(0.0, end - time.monotonic())) and run_due(desk) == 0:
            return True
    return False


# --- planning: from questions to runs ---------------------------------------------------------------------------------


def _plan(tx: Tx, desk: Desk) -> int:
    """Questions that wait are joined to a run: one in flight, one that has just ended, or a new one."""
    waiting = store.waiting(tx, PLANNED)
    patience = timedelta(seconds=desk.config.checks.patience)
    asks: dict[int, Ask] = {}
    joined: list[tuple[int, int]] = []
    for one in waiting:
        try:
            if tx.now - one.asked_at > patience:
                raise CannotAsk("It waited too long: the checks were stopped, or there were too many.")
            asks[one.id] = _question(tx, one)
        except CannotAsk as why:
            joined.append((one.id, _never_asked(tx, one, str(why))))
    fresh = tx.now - timedelta(seconds=desk.config.checks.fresh)
    known = store.known_runs(tx, {a.digest for a in asks.values()}, fresh)
    new: dict[bytes, dict[str, Any]] = {}
    for one in waiting:
        if one.id not in asks:
            continue
        ask = asks[one.id]
        run_id, ended = known.get(ask.digest, (0, None))
        if run_id and (ended is None or one.purpose in _SHARED):
            joined.append((one.id, run_id))
        else:
            new.setdefault(ask.digest, _row(tx, ask, one))
    made = store.add_runs(tx, [new[digest] for digest in sorted(new)])
    placed = {ask_id for ask_id, _ in joined}
    joined += [(i, made[a.digest]) for i, a in asks.items() if i not in placed and a.digest in made]
    store.join(tx, joined)
    return len(joined)


def _question(tx: Tx, one: Waiting) -> Ask:
    playbook = files.stored(one.source)
    if one.step == VERIFY + observing.SOURCE and one.incident_id is not None:
        spec = observing.source_spec(tx, one.incident_id)
    else:
        spec = playbook.check(one.step)
    if spec is None:
        raise CannotAsk("The playbook has no such check.")
    return asking.question(playbook, spec, resolve(playbook.parameters, one.labels))


def _row(tx: Tx, ask: Ask, one: Waiting) -> dict[str, Any]:
    return {
        "digest": ask.digest,
        "type": ask.check,
        "target": ask.target,
        "request": ask.data,
        "shown": list(ask.shown),
        "state": "queued",
        "priority": one.priority,
        "created_at": tx.now,
        "due_at": tx.now,
    }


def _never_asked(tx: Tx, one: Waiting, why: str) -> int:
    spec = files.stored(one.source).check(one.step)
    ended = {"state": "done", "verdict": INCONCLUSIVE, "summary": why[:MAX_SUMMARY], "ended_at": tx.now}
    row = {
        "digest": secrets.token_bytes(32),
        "type": spec.type if spec else "",
        "target": "",
        "request": {},
        "shown": [],
    }
    return store.add_ended(tx, row | ended | {"priority": one.priority, "created_at": tx.now, "due_at": tx.now})


def _give_up(tx: Tx, desk: Desk) -> int:
    before = tx.now - timedelta(seconds=desk.config.checks.patience)
    return store.give_up(tx, before, "It waited too long: the checks were stopped, or there were too many.")


# --- running ----------------------------------------------------------------------------------------------------------


def _launch(desk: Desk) -> int:
    """Begin runs while there are threads and budgets for them; answers how many."""
    crew, begun = _crew(desk), 0
    while crew.enter():
        claimed = None
        try:
            claimed = _claim(desk)
        finally:
            if claimed is None:
                crew.leave()
        if claimed is None:
            break
        thread = threading.Thread(target=_carry_out, args=(desk, crew, claimed), name="check", daemon=True)
        thread.start()
        begun += 1
    return begun


def _claim(desk: Desk) -> Claimed | None:
    settings = desk.config.checks
    lease = secrets.token_hex(8)

    def change(tx: Tx) -> Claimed | None:
        begun = store.started_since(tx, tx.now - BUDGET)
        if sum(begun.values()) >= settings.per_minute:
            return None
        until = tx.now + timedelta(seconds=settings.timeout) + GRACE
        return store.claim(tx, lease, until, _spent(begun, settings.per_target))

    return desk.write(change, Priority.SLICE)


def _spent(begun: Mapping[str, int], per_target: int) -> Collection[str]:
    """Targets whose budget of the minute is used up; the programs of the monitoring have a larger one."""
    shares = {name: kind.share for name, kind in registry.CHECKS.items()}
    return [target for target, count in begun.items() if count >= per_target * shares.get(target.partition(" ")[0], 1)]


def _carry_out(desk: Desk, crew: _Crew, claimed: Claimed) -> None:
    """In a thread of its own: ask, and write what was found."""
    try:
        begun = time.monotonic()
        result = execute(desk.config, claimed.type, claimed.request)
        seconds = time.monotonic() - begun
        desk.fault("checks.before_finish")
        desk.write(lambda tx: _store(tx, desk, claimed, result, seconds), Priority.SLICE)
    except Busy as error:  # the lease ends, and it is asked again
        log.warning("a check's answer could not be stored", run=claimed.id, detail=str(error))
    except Exception as error:
        log.error("a check crashed", run=claimed.id, check=claimed.type, exc_info=error)
    finally:
        crew.leave()
        desk.wake.notify(asking.TOPIC)


def execute(config: Config, type_: str, data: Mapping[str, Any]) -> Result:
    """Ask now; whatever goes wrong is inconclusive with a sentence."""
    kind = registry.CHECKS.get(type_)
    if kind is None:
        return Result(INCONCLUSIVE, f"There is no check {type_!r} in this version.", again=False)
    if missing := kind.missing(config):
        return Result(INCONCLUSIVE, f"Not asked: {missing} is not configured.", again=False)
    deadline = Deadline(min(float(data.get("timeout", 5.0)), config.checks.timeout))
    try:
        return kind.run(data, World(config, allowed(config.checks.allow), deadline, time.time()))
    except Unreachable as error:  # the deadline passed where the check did not expect it
        return Result(INCONCLUSIVE, str(error))
    except Exception as error:
        log.error("a check has a fault", check=type_, exc_info=error)
        return Result(INCONCLUSIVE, f"The check itself failed: {type(error).__name__}.", again=False)


def _store(tx: Tx, desk: Desk, claimed: Claimed, result: Result, seconds: float) -> None:
    attempts = int(claimed.request.get("attempts", 1))
    if result.verdict == INCONCLUSIVE and result.again and claimed.tries < attempts:
        store.put_back(tx, claimed, tx.now + RETRY, visible(result.summary)[:MAX_SUMMARY])
        return
    values = {"verdict": result.verdict, "summary": visible(result.summary)[:MAX_SUMMARY], "seconds": seconds}
    store.finish(
        tx, claimed, values | {"found": found(result)} | store.packed(result.details, desk.config.checks.output)
    )


def found(result: Result) -> dict[str, Any]:
    """The JSON of what a check found: table, series, number; texts as they can be stored."""
    series = [
        {"name": visible(s.name)[:200], "points": [list(p) for p in s.points[-MAX_POINTS:]]}
        for s in result.series[:MAX_SERIES]
    ]
    rows = [[visible(cell)[:500] for cell in row] for row in result.rows[:MAX_ROWS]]
    shape = {"columns": list(result.columns), "rows": rows, "series": series, "unit": result.unit}
    return shape | {"value": result.value}


# --- telling ----------------------------------------------------------------------------------------------------------


def _tell(desk: Desk) -> int:
    with desk.read() as tx:
        batch = store.answered(tx, TOLD)
    return desk.write(lambda tx: telling.tell(tx, desk, batch), Priority.SLICE) if batch else 0


# --- the switch -------------------------------------------------------------------------------------------------------


def stopped(desk: Desk) -> dict[str, Any] | None:
    """Who stopped all checks, when and why: {"by", "at", "reason"}; None while they run."""
    if not desk.config.checks.enabled:
        return {"by": "the configuration", "at": "", "reason": "checks.enabled is false"}
    with desk.read() as tx:
        return asking.stopped(tx)


def stop(desk: Desk, actor: Actor, reason: str) -> None:
    """No further check begins until `start`. Raises NotAllowed, BadInput."""
    if not reason.strip():
        raise BadInput({"reason": "Say why the checks are stopped."})
    said = {"by": actor.name, "at": desk.now().isoformat(), "reason": reason.strip()[:500]}
    _switch(desk, actor, said)


def start(desk: Desk, actor: Actor) -> None:
    """Checks run again. Raises NotAllowed."""
    _switch(desk, actor, None)


def _switch(desk: Desk, actor: Actor, value: dict[str, Any] | None) -> None:
    if not actor.has(LEAD):
        raise NotAllowed("Only a lead or an admin stops and starts the checks.")

    def change(tx: Tx) -> None:
        before = people.setting_value(tx, asking.STOPPED)
        people.put_setting(tx, asking.STOPPED, value or False)
        identity.record(tx, desk, actor, "setting", asking.STOPPED, {"value": before}, {"value": value})
        asking.wake(tx, desk)

    desk.write(change)
