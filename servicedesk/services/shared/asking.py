"""Questions of playbooks, written in the caller's transaction; the workers put them (services/checks.py)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from servicedesk.checks import registry
from servicedesk.config import Config
from servicedesk.desk import Desk
from servicedesk.domain.checks import Ask, CheckSpec
from servicedesk.domain.parameters import CannotAsk, Values
from servicedesk.domain.playbook import VERIFY, Playbook
from servicedesk.files.playbook_parts import options_of
from servicedesk.store import checks as store
from servicedesk.store import people
from servicedesk.store.db import Tx

TOPIC = "checks"
STOPPED = "checks_stopped"  # the setting of the switch: {"by", "at", "reason"}
URGENT, VERIFYING, DIAGNOSIS, BASELINE = 0, 10, 20, 30
PERSON, VERIFICATION, OPENING, BEFORE, PREVIEW = "person", "verify", "diagnosis", "baseline", "preview"


def not_possible(spec: CheckSpec, config: Config) -> str:
    """Why this check cannot be asked here at all; "": it can."""
    kind = registry.CHECKS.get(spec.type)
    if kind is None:
        return f"There is no check {spec.type!r} in this version."
    missing = kind.missing(config)
    return f"Not asked: {missing} is not configured." if missing else ""


def in_force(playbook: Playbook, config: Config) -> tuple[str, ...]:
    """The checks of the verify section that can be asked here, by the names that they have in records."""
    if playbook.verify is None or not config.checks.enabled:
        return ()
    return tuple(VERIFY + c.id for c in playbook.verify.checks if not not_possible(c.check, config))


def question(playbook: Playbook, spec: CheckSpec, values: Values) -> Ask:
    """What would be asked, exactly, with these values of its parameters. Raises CannotAsk."""
    kind = registry.CHECKS.get(spec.type)
    if kind is None:
        raise CannotAsk(f"There is no check {spec.type!r} in this version.")
    try:
        options = options_of(spec, kind)
    except msgspec.ValidationError as error:
        raise CannotAsk(f"This version reads the check otherwise: {error}") from error
    return kind.ask(options, values, {p.name: p for p in playbook.parameters})


@dataclass(frozen=True, slots=True)
class Dry:
    """A check as it would be asked. shown: exactly what, of whom; problem: why it would not be, "": it would."""

    step: str
    title: str
    type: str
    auto: bool
    shown: tuple[str, ...] = ()
    problem: str = ""


def dry_run(playbook: Playbook, values: Values, config: Config) -> tuple[Dry, ...]:
    """Every check of a playbook as it would be asked; nothing is asked."""
    titles = {s.id: (s.title, s.auto) for s in playbook.steps}
    titles |= {VERIFY + c.id: (c.title, False) for c in (playbook.verify.checks if playbook.verify else ())}
    found = []
    for step, spec in playbook.checks:
        title, auto = titles[step]
        try:
            ask = question(playbook, spec, values)
            shown = (*ask.shown, *registry.CHECKS[spec.type].explain(ask.data, config))
            found.append(Dry(step, title, spec.type, auto, shown, not_possible(spec, config)))
        except CannotAsk as why:
            found.append(Dry(step, title, spec.type, auto, (), str(why)))
    return tuple(found)


def stopped(tx: Tx) -> dict[str, Any] | None:
    """Who stopped all checks, when and why; None while they run."""
    found = people.setting_value(tx, STOPPED)
    return found if isinstance(found, dict) else None


def wake(tx: Tx, desk: Desk) -> None:
    tx.after_commit.append(lambda: desk.wake.notify(TOPIC))


def on_opening(tx: Tx, desk: Desk, attached: Iterable[tuple[int, int, Playbook]]) -> None:
    """(incident, run, playbook) that were attached just now: their automatic checks, and the baseline of the fix."""
    if not desk.config.checks.enabled:
        return
    rows: list[dict[str, Any]] = []
    for incident_id, run_id, playbook in attached:
        base = {"incident_id": incident_id, "run_id": run_id, "hash": playbook.version, "cycle": 1}
        for step in playbook.auto_steps:
            if step.check is not None and not not_possible(step.check, desk.config):
                rows.append(base | {"step": step.id, "purpose": OPENING, "priority": DIAGNOSIS})
        rows += [base | {"step": s, "purpose": BEFORE, "priority": BASELINE} for s in in_force(playbook, desk.config)]
    add(tx, desk, rows)


def add(tx: Tx, desk: Desk, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write these questions and wake the workers once they are durable."""
    rows = [dict(row) | {"state": "waiting", "asked_at": tx.now} for row in rows]
    if rows:
        store.add_asks(tx, rows)
        wake(tx, desk)


def add_one(tx: Tx, desk: Desk, row: Mapping[str, Any]) -> int:
    """The same for one question; answers its id."""
    wake(tx, desk)
    return store.add_ask(tx, dict(row) | {"state": "waiting", "asked_at": tx.now})
