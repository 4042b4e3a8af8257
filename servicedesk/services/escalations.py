"""Executes what escalation policies ask for: due steps become rows of the proof and of the outbox in one transaction.

Safe on several nodes: a run and its ticket are locked while it is looked at, and what another node holds is skipped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from servicedesk.desk import Desk
from servicedesk.domain import escalation, notification
from servicedesk.domain.escalation import EXHAUSTED, Look, Run
from servicedesk.domain.escalation_policy import Policy
from servicedesk.domain.incident import number
from servicedesk.domain.notification import Notice
from servicedesk.domain.notification import Target as Address
from servicedesk.domain.reaching import QUEUED, SKIPPED, Facts, Row, World, expand, not_twice, to_leads
from servicedesk.services.shared import notify, paging, timeline, world
from servicedesk.services.shared.timeline import Line
from servicedesk.store import escalations, outbox
from servicedesk.store.db import Priority, Tx
from servicedesk.store.escalations import Act

SHOWN = 20  # tickets named in a digest


def run_due(desk: Desk) -> int:
    """Execute what is due; answers how many runs and waiting rows were looked at. Raises Busy."""
    with desk.read() as tx:
        if not escalations.any_due(tx):
            return 0
    return desk.write(lambda tx: _runs(tx, desk) + _waited(tx, desk), Priority.SLICE)


def _runs(tx: Tx, desk: Desk) -> int:
    rows = escalations.due(tx)
    if not rows:
        return 0
    acts = escalations.acts(tx, [row.incident_id for row in rows])
    known, leads = world.load(tx, desk), outbox.leads(tx, {row.team_id for row in rows})
    for row in rows:
        facts, run = facts_of(row, acts), _run_of(row)
        seen = escalation.look(run, facts, tx.now)
        desk.fault("escalation.before_step")
        if seen.do == "again":
            paging.again(tx, desk, [row.incident_id], seen.reason)
        elif seen.do == "rest":
            _rest(tx, row, seen)
        else:
            known = _execute(tx, desk, row, run, facts, replace(known, leads=leads[row.team_id]), seen)
    return len(rows)


def facts_of(row: Any, acts: Mapping[int, Act]) -> Facts:
    """Of a row that carries status, priority, owner_id, recovered_at and flaps of the ticket."""
    act = acts.get(row.incident_id)
    facts = Facts(row.status, row.priority, row.owner_id, row.recovered_at is not None and not row.flaps)
    return facts if act is None else replace(facts, acted_at=act.at, actor=act.actor, said=act.said)


def _run_of(row: Any) -> Run:
    return Run(msgspec.convert(row.policy, Policy), row.state, row.round, row.step)


def _rest(tx: Tx, row: Any, seen: Look) -> None:
    values: dict[str, Any] = {"state": seen.state, "due_at": seen.due_at}
    escalations.change(tx, row.incident_id, values | ({"reason": seen.reason} if seen.reason else {}))


def _execute(tx: Tx, desk: Desk, row: Any, run: Run, facts: Facts, known: World, seen: Look) -> World:
    """One step, or the leads: rows of the proof, posts, the timeline, the run's next time. Answers what is spent."""
    if seen.do == "leads":
        found, step = to_leads(facts, run.policy, known, tx.now), 0
        again = tx.now + escalation.review_after(run.policy)
        escalations.change(tx, row.incident_id, {"state": EXHAUSTED, "reason": seen.reason, "due_at": again})
    else:
        run = escalation.turn(run)
        found, step = expand(run.policy.steps[run.step].targets, facts, run.policy, known, tx.now), run.step + 1
        if row.takes_over is not None and run.round == 1:
            found = not_twice(found, escalations.told(tx, row.incident_id, row.takes_over, row.run, step))
        after, due = escalation.advance(run, found, tx.now)
        escalations.change(tx, row.incident_id, {"round": after.round, "step": after.step, "due_at": due})
    _record(tx, desk, row, run.round, step, found, known)
    timeline.append(tx, desk, Line(row.incident_id, "page", _said(run.round, step, found, known)))
    return replace(known, pages=_spent(known.pages, found))


def _spent(pages: Mapping[int, int], rows: Sequence[Row]) -> dict[int, int]:
    found = defaultdict(int, pages)
    for row in rows:
        if row.state == QUEUED and row.user_id is not None and row.digest_at is None:
            found[row.user_id] += 1
    return dict(found)


def _said(round_: int, step: int, rows: Sequence[Row], known: World) -> dict[str, Any]:
    """The timeline's line: who is told, who not and why."""
    names = {person.id: person.name for person in known.people.values()}
    who = [(names.get(r.user_id or 0) or r.address or r.name, r) for r in rows]
    told = [f"{name} ({r.channel})" for name, r in who if r.state == QUEUED]
    left = [f"{name}: {r.reason}" for name, r in who if r.state == SKIPPED]
    place = f"Step {step}, round {round_}" if step else "Nobody answered: the leads"
    text = f"{place}: {', '.join(told) or 'nobody was reached'}"
    return {"text": text, "step": step, "round": round_, "told": told, "skipped": left}


def _record(tx: Tx, desk: Desk, row: Any, round_: int, step: int, found: Sequence[Row], known: World) -> None:
    """Rows of the proof; those that are due now go to the outbox at once."""
    now = [r for r in found if r.state == QUEUED and r.due_at <= tx.now and r.digest_at is None]
    posts = [(_notice(row.incident_id, row.run, round_, step, r), _address(r, known)) for r in now]
    ids = dict(zip(map(id, now), notify.post(tx, desk, posts), strict=True))
    place = {"incident_id": row.incident_id, "cycle": row.cycle, "run": row.run, "round": round_, "step": step}
    place |= {"policy_id": row.policy_id, "policy_version": row.policy_version, "created_at": tx.now}
    escalations.add_steps(tx, [place | _values(tx, row, round_, step, r, ids.get(id(r))) for r in found])
    if any(r.state == QUEUED for r in found):
        tx.after_commit.append(lambda: desk.wake.notify("changes"))


def _values(tx: Tx, row: Any, round_: int, step: int, r: Row, outbox_id: int | None) -> dict[str, Any]:
    parts = [row.incident_id, row.run, round_, step, r.kind, r.name, r.user_id, r.channel, r.address]
    return {
        "dedup": msgspec.json.encode(parts).decode(),
        "target_kind": r.kind,
        "target_name": r.name,
        "user_id": r.user_id,
        "channel": r.channel,
        "address": r.address,
        "due_at": r.due_at,
        "digest_at": r.digest_at,
        "state": r.state,
        "reason": r.reason,
        "outbox_id": outbox_id,
        "settled_at": tx.now if r.state == SKIPPED else None,
    }


def _notice(incident_id: int, run: int, round_: int, step: int, row: Row) -> Notice:
    extra = {"text": row.reason, "step": step, "round": round_}
    return Notice("page", incident_id, f"{run}:{round_}:{step}", extra)


def _address(row: Row, known: World) -> Address:
    person = known.people.get(row.user_id) if row.user_id is not None else None
    if person is None:
        return Address(row.channel, row.address, row.name)
    return Address(row.channel, row.address, person.name, person.language, person.id)


# --- rows that waited ---


def _waited(tx: Tx, desk: Desk) -> int:
    """Rows whose delay or digest is due: sent, gathered into one message, or left out with the reason."""
    rows = escalations.waiting_rows(tx)
    if not rows:
        return 0
    acts = escalations.acts(tx, {row.incident_id for row in rows})
    held = {row.id: escalation.hold_back(facts_of(row, acts)) for row in rows}
    for row in rows:
        if held[row.id]:
            left = {"state": SKIPPED, "reason": held[row.id], "settled_at": tx.now}
            escalations.change_steps(tx, [row.id], left)
    known, kept = world.load(tx, desk), [row for row in rows if not held[row.id]]
    _send(tx, desk, [row for row in kept if row.digest_at is None], known)
    digests = defaultdict[tuple[Any, ...], list[Any]](list)
    for row in kept:
        if row.digest_at is not None:
            digests[(row.user_id, row.channel, row.address, row.target_name)].append(row)
    for found in digests.values():
        _digest(tx, desk, found, known)
    return len(rows)


def _send(tx: Tx, desk: Desk, rows: Sequence[Any], known: World) -> None:
    posts = [(_notice(r.incident_id, r.run, r.round, r.step, r), _address(r, known)) for r in rows]
    for row, outbox_id in zip(rows, notify.post(tx, desk, posts), strict=True):
        escalations.change_steps(tx, [row.id], {"outbox_id": outbox_id})


def _digest(tx: Tx, desk: Desk, rows: Sequence[Any], known: World) -> None:
    """One message for everything that waited for this person (or channel)."""
    to = _address(rows[0], known)
    seen = {row.incident_id: row for row in rows}
    lines = [f"{number(r.incident_id)} P{r.priority or '–'} {r.title} ({r.service_label})" for r in seen.values()]
    more = [f"… {len(lines) - SHOWN}"] if len(lines) > SHOWN else []
    title = ", ".join(number(i) for i in list(seen)[:3]) + (" …" if len(seen) > 3 else "")
    notice = Notice("digest", 0, f"{to.person_id}:{rows[0].id}", {"text": "\n".join([*lines[:SHOWN], *more])})
    payload = {
        "event": "digest",
        "staff": True,
        "to": to.name,
        "language": to.language,
        "number": f"{len(seen)}",
        "title": title,
        "where": "",
        "since": min(r.created_at for r in rows).isoformat(),
        "priority": min((r.priority for r in rows if r.priority), default=None),
        "owner": "",
        "extra": dict(notice.extra),
        "link": None,
    }
    key = notification.dedup(notice, to)
    outbox.add(tx, [_plain(tx, key, to, payload)])
    tx.after_commit.append(lambda: desk.wake.notify("outbox"))
    found = escalations.outbox_ids(tx, [key])[key]
    escalations.change_steps(tx, [r.id for r in rows], {"outbox_id": found})


def _plain(tx: Tx, key: str, to: Address, payload: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "dedup": key,
        "incident_id": None,
        "event": "digest",
        "channel": to.channel,
        "target": to.address,
        "payload": payload,
        "state": "pending",
        "created_at": tx.now,
        "due_at": tx.now,
        "error": None,
    }
