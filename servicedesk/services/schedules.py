"""On-call schedules: written by leads; overrides and swaps by everybody of the desk; feeds and calendars."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from servicedesk.desk import Desk
from servicedesk.domain import oncall, rota
from servicedesk.domain.icalendar import Imported
from servicedesk.domain.incident import AGENT, LEAD, Actor
from servicedesk.domain.oncall import Shift
from servicedesk.domain.rota import LayerForm
from servicedesk.errors import BadInput, Conflict, NotAllowed, NotFound
from servicedesk.services.shared import identity, lookup, spans
from servicedesk.store import oncall as store
from servicedesk.store.db import Tx

LONGEST = timedelta(days=366)


class LayerIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A layer as people write it: `rota.LayerForm` with sign-in names."""

    name: str
    people: tuple[str, ...]
    rotation: str = "weekly"
    hand_over: str = "mon 09:00"
    every: int = 1
    start: str = ""
    timezone: str = ""
    restrict: str = ""


def need_lead(actor: Actor) -> None:
    if not actor.has(LEAD):
        raise NotAllowed("Only a lead may do this.")


def need_agent(actor: Actor) -> None:
    if not actor.has(AGENT):
        raise NotAllowed("Only people of the desk may do this.")


def named(tx: Tx, name: str, *, lock: bool = False) -> Any:
    """Raises NotFound."""
    row = store.schedule_named(tx, name, lock=lock)
    if row is None:
        raise NotFound(f"There is no schedule {name!r}.")
    return row


def save(
    desk: Desk,
    actor: Actor,
    name: str,
    layers: Sequence[LayerIn],
    timezone: str,
    team: str = "",
    new_name: str = "",
    version: int | None = None,
    create: bool | None = None,
) -> int:
    """Write a schedule; answers its version. create: True refuses one that exists, False one that does not.

    Raises NotAllowed, NotFound, Conflict, BadInput with a sentence a field (`layer_2_hand_over`).
    """
    need_lead(actor)
    name = identity.clean_text(name, "name", 100, required=True)
    new_name = identity.clean_text(new_name or name, "name", 100, required=True)
    rota.check_zone(timezone)
    if "/" in new_name:
        raise BadInput({"name": "A name without a slash."})

    def change(tx: Tx) -> int:
        row = store.schedule_named(tx, name, lock=True)
        _check_existing(row, name, version, create)
        if new_name != name and store.schedule_named(tx, new_name) is not None:
            raise Conflict(f"There is a schedule {new_name!r} already.")
        forms = _forms(tx, layers)
        rota.read_layers(forms, timezone)
        values = {
            "name": new_name,
            "timezone": timezone,
            "team_id": lookup.team_named(tx, team).id if team else None,
            "layers": msgspec.to_builtins(forms),
            "version": (row.version if row else 0) + 1,
        }
        if row is None:
            store.add_schedule(tx, values | {"made_by": actor.id})
        else:
            store.change_schedule(tx, row.id, values)
        before = {key: getattr(row, key) for key in values} if row else None
        identity.record(tx, desk, actor, "schedule", name, before, values)
        return int(values["version"])

    return desk.write(change)


def _check_existing(row: Any, name: str, version: int | None, create: bool | None) -> None:
    if row is None and create is False:
        raise NotFound(f"There is no schedule {name!r}.")
    if row is not None and create:
        raise Conflict(f"There is a schedule {name!r} already.")
    if row is not None and version is not None and row.version != version:
        raise Conflict(f"The schedule {name!r} was changed meanwhile: load it again.")


def _forms(tx: Tx, layers: Sequence[LayerIn]) -> tuple[LayerForm, ...]:
    found = []
    for n, layer in enumerate(layers, 1):
        people = tuple(lookup.person(tx, name.strip(), f"layer_{n}_people").id for name in layer.people if name.strip())
        fields = msgspec.structs.asdict(layer) | {"people": people, "name": layer.name.strip() or f"Layer {n}"}
        found.append(LayerForm(**fields))
    return tuple(found)


def drop(desk: Desk, actor: Actor, name: str) -> None:
    """Raises NotAllowed, NotFound, Conflict while an escalation policy names it."""
    need_lead(actor)

    def change(tx: Tx) -> None:
        row = named(tx, name, lock=True)
        users = store.policies_naming(tx, "schedule", row.id)
        if users:
            raise Conflict(f"Escalation policies name it: {', '.join(users)}. Change them first.")
        store.drop_schedule(tx, row.id)
        identity.record(tx, desk, actor, "schedule", name, {"layers": row.layers}, {"layers": None})

    desk.write(change)


# --- overrides ---


def add_override(
    desk: Desk, actor: Actor, name: str, user: str, starts_at: datetime, ends_at: datetime, reason: str = ""
) -> int:
    """Somebody else for a while; answers its id. Raises NotAllowed, NotFound, BadInput."""
    need_agent(actor)
    spans.check(starts_at, ends_at, LONGEST)
    reason = identity.clean_text(reason, "reason", 300)

    def change(tx: Tx) -> int:
        row = named(tx, name)
        if ends_at <= tx.now:
            raise BadInput({"ends_at": "This is over already."})
        person = lookup.person(tx, user, "user")
        return _put(tx, desk, actor, row, person, starts_at, ends_at, reason)

    return desk.write(change)


def _put(
    tx: Tx, desk: Desk, actor: Actor, row: Any, person: Any, starts_at: datetime, ends_at: datetime, reason: str
) -> int:
    values = {"schedule_id": row.id, "user_id": person.id, "starts_at": starts_at, "ends_at": ends_at}
    found = store.add_override(tx, values | {"reason": reason, "made_by": actor.id})
    said = {"user": person.name, "from": starts_at, "to": ends_at, "reason": reason}
    identity.record(tx, desk, actor, "schedule_override", row.name, None, said)
    return found


def cancel_override(desk: Desk, actor: Actor, name: str, override_id: int) -> None:
    """Raises NotAllowed, NotFound."""
    need_agent(actor)

    def change(tx: Tx) -> None:
        row, found = named(tx, name), store.override(tx, override_id)
        if found is None or found.schedule_id != row.id:
            raise NotFound("There is no such override.")
        store.cancel_override(tx, override_id)
        before = {"user": found.user_id, "from": found.starts_at, "to": found.ends_at}
        identity.record(tx, desk, actor, "schedule_override", row.name, before, {"cancelled": True})

    desk.write(change)


def swap(desk: Desk, actor: Actor, name: str, one: datetime, other: datetime) -> tuple[int, int]:
    """The shifts that hold these two instants change their people. Raises NotAllowed, NotFound, BadInput."""
    need_agent(actor)

    def change(tx: Tx) -> tuple[int, int]:
        row = named(tx, name)
        first, second = min(one, other), max(one, other)
        if first < tx.now or second - first > LONGEST:
            raise BadInput({"one": "Both shifts lie in the coming year."})
        schedule = store.load(tx, [row])[row.id]
        try:
            changes = oncall.swap(schedule, _shift_at(schedule, first), _shift_at(schedule, second))
        except ValueError as error:
            raise BadInput({"other": str(error)}) from error
        people = {o.user_id: store.person(tx, o.user_id) for o in changes}
        ids = [_put(tx, desk, actor, row, people[o.user_id], o.starts_at, o.ends_at, "swap") for o in changes]
        return ids[0], ids[1]

    return desk.write(change)


def _shift_at(schedule: oncall.Schedule, at: datetime) -> Shift:
    around = timedelta(days=40)
    found = oncall.shifts(schedule, at - around, at + around)
    return next(s for s in found if s.starts_at <= at < s.ends_at)


# --- feeds ---


def new_feed(desk: Desk, actor: Actor, name: str) -> str:
    """The secret of the calendar's address; the one before is void. Shown once. Raises NotAllowed, NotFound."""
    need_lead(actor)
    secret = secrets.token_urlsafe(32)

    def change(tx: Tx) -> None:
        row = named(tx, name, lock=True)
        store.change_schedule(tx, row.id, {"feed_hash": identity.digest(secret)})
        identity.record(tx, desk, actor, "schedule_feed", name, None, {"new": True})

    desk.write(change)
    return secret


def put_imported(desk: Desk, actor: Actor, name: str, entries: Sequence[Imported]) -> dict[str, int]:
    """Overrides out of a calendar; who: a sign-in name, a shown name or a mail address.

    The same calendar again changes nothing; a changed entry replaces its override, a cancelled one ends it.
    Answers counts: added, changed, cancelled, same. All or nothing. Raises NotAllowed, NotFound, BadInput.
    """
    need_agent(actor)

    def change(tx: Tx) -> dict[str, int]:
        row = named(tx, name, lock=True)
        known, people = store.overrides_by_uid(tx, row.id), store.people_by_word(tx)
        counts = dict.fromkeys(("added", "changed", "cancelled", "same"), 0)
        for n, entry in enumerate(entries, 1):
            counts[_import_one(tx, actor, row, known.get(entry.uid), people, entry, n)] += 1
        identity.record(tx, desk, actor, "schedule_import", name, None, counts)
        return counts

    return desk.write(change)


def _import_one(tx: Tx, actor: Actor, row: Any, old: Any, people: Mapping[str, int], entry: Imported, n: int) -> str:
    if entry.cancelled:
        if old is not None:
            store.cancel_override(tx, old.id)
        return "cancelled" if old is not None else "same"
    user_id = next((people[w] for w in entry.who if w in people), None)
    if user_id is None:
        shown = ", ".join(entry.who) or "nobody"
        raise BadInput({"file": f"Entry {n}: nobody here is called {shown!r}: use a name or a mail address."})
    spans.check(entry.starts_at, entry.ends_at, LONGEST)
    wanted = (user_id, entry.starts_at, entry.ends_at)
    if old is not None and (old.user_id, old.starts_at, old.ends_at) == wanted:
        return "same"
    if old is not None:
        store.cancel_override(tx, old.id)
    values = {"schedule_id": row.id, "user_id": user_id, "uid": entry.uid, "reason": "calendar"}
    store.add_override(tx, values | {"starts_at": entry.starts_at, "ends_at": entry.ends_at, "made_by": actor.id})
    return "changed" if old is not None else "added"
