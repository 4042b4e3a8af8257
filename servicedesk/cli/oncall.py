"""`servicedesk oncall …`"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click
import msgspec

from servicedesk.cli.common import OPERATOR, emit, opened, table
from servicedesk.errors import NotFound

if TYPE_CHECKING:
    from servicedesk.store.views.oncall import Duty, Schedule


class Moment(click.ParamType[datetime]):
    """2026-11-02T09:00, with or without an offset; without: UTC unless the command says another zone."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time; write 2026-11-02T09:00 or 2026-11-02T09:00+01:00", param, ctx)


AT = Moment()


@click.group()
def oncall() -> None:
    """Who is on call now and next; overrides, absences, calendars."""


@oncall.command()
@click.argument("name", required=False)
@click.option("--at", type=AT, default=None, help="At this time instead of now.")
@click.option("--by", type=click.Choice(["schedule", "service", "team"]), default="schedule", help="What to list.")
def show(name: str | None, at: datetime | None, by: str) -> None:
    """Who is on call now and next; NAME: one schedule, service or team."""
    from servicedesk.store.views import oncall as look

    with opened() as desk, desk.read() as tx:
        moment = _aware(at, "UTC") if at else None
        found = look.schedules(tx, moment)
        covers = look.cover(tx, moment) if by != "schedule" else ()
    if by == "schedule":
        wanted = [s for s in found if name in (None, s.name)]
        _known(wanted, name)
        head = ("SCHEDULE", "NOW", "UNTIL", "NEXT", "FROM", "ZONE")
        emit(msgspec.to_builtins(wanted), table(head, [_row(s) for s in wanted]))
        return
    rows = [c for c in covers if (c.service if by == "service" else not c.service and c.team)]
    rows = [c for c in rows if name in (None, c.service if by == "service" else c.team)]
    _known(rows, name)
    lines = [((c.service or c.team), c.policy, s.name, _who(s.now), _who(s.next)) for c in rows for s in c.schedules]
    lines += [((c.service or c.team), c.policy, "", "", "") for c in rows if not c.schedules]
    emit(msgspec.to_builtins(rows), table((by.upper(), "POLICY", "SCHEDULE", "NOW", "NEXT"), lines))


def _known(rows: list[Any], name: str | None) -> None:
    if name is not None and not rows:
        raise NotFound(f"There is no {name!r}.")


def _row(s: Schedule) -> tuple[str, ...]:
    zone = ZoneInfo(s.timezone)
    following = _clock(s.next.starts_at, zone) if s.next else ""
    return (s.name, _who(s.now), _clock(s.now.ends_at, zone), _who(s.next), following, s.timezone)


def _who(duty: Duty | None) -> str:
    if duty is None:
        return ""
    why = {"deputy": f" (for {duty.instead_of})", "next": f" (for {duty.instead_of})", "override": " (override)"}
    return f"{duty.shown or 'NOBODY'}{why.get(duty.why, '')}"


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


@oncall.command()
@click.argument("name")
@click.option("--from", "since", type=AT, default=None, help="Begin; default now.")
@click.option("--days", type=click.IntRange(1, 366), default=28, show_default=True)
def shifts(name: str, since: datetime | None, days: int) -> None:
    """The shifts of a schedule, without a hole."""
    from datetime import timedelta

    from servicedesk.store.views import oncall as look

    with opened() as desk, desk.read() as tx:
        found = look.find(tx, name)
        if found is None:
            raise NotFound(f"There is no schedule {name!r}.")
        start = _aware(since, found.timezone) if since else tx.now
        rows = look.shifts(tx, name, start, start + timedelta(days=days))
    zone = ZoneInfo(found.timezone)
    lines = [(_clock(d.starts_at, zone), _clock(d.ends_at, zone), _who(d), d.layer) for d in rows]
    emit(msgspec.to_builtins(rows), table(("FROM", "TO", "WHO", "LAYER"), lines))


@oncall.command()
@click.argument("name")
@click.argument("user")
@click.argument("begin", type=AT)
@click.argument("end", type=AT)
@click.option("--reason", default="")
def override(name: str, user: str, begin: datetime, end: datetime, reason: str) -> None:
    """USER is on call on the schedule NAME from BEGIN to END (times without offset: the schedule's zone)."""
    from servicedesk.services import schedules

    with opened() as desk:
        zone = _zone(desk, name)
        made = schedules.add_override(desk, OPERATOR, name, user, _aware(begin, zone), _aware(end, zone), reason)
    emit({"id": made}, f"override {made}: {user} from {begin} to {end}")


@oncall.command("cancel-override")
@click.argument("name")
@click.argument("override_id", type=int)
def cancel_override(name: str, override_id: int) -> None:
    """Cancel an override."""
    from servicedesk.services import schedules

    with opened() as desk:
        schedules.cancel_override(desk, OPERATOR, name, override_id)
    emit({"id": override_id}, f"override {override_id} was cancelled")


@oncall.command()
@click.argument("name")
@click.argument("one", type=AT)
@click.argument("other", type=AT)
def swap(name: str, one: datetime, other: datetime) -> None:
    """The shifts that hold the times ONE and OTHER change their people."""
    from servicedesk.services import schedules

    with opened() as desk:
        zone = _zone(desk, name)
        made = schedules.swap(desk, OPERATOR, name, _aware(one, zone), _aware(other, zone))
    emit({"ids": list(made)}, f"swapped by the overrides {made[0]} and {made[1]}")


@oncall.command()
@click.argument("user")
@click.argument("begin", type=AT)
@click.argument("end", type=AT)
@click.option("--deputy", default="", help="Who stands in.")
@click.option("--reason", default="")
@click.option("--keep-tickets", is_flag=True, help="Open tickets stay with who is absent.")
def absent(user: str, begin: datetime, end: datetime, deputy: str, reason: str, keep_tickets: bool) -> None:
    """USER is absent from BEGIN to END (times without offset: the policy's zone)."""
    from servicedesk.services import absences

    with opened() as desk:
        zone = desk.policy.calendar.timezone
        span = (_aware(begin, zone), _aware(end, zone))
        made = absences.add(desk, OPERATOR, user, *span, deputy, reason, keep_tickets)
    emit({"id": made}, f"absence {made}: {user} from {begin} to {end}")


@oncall.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_(name: str, file: Path) -> None:
    """Read overrides of the schedule NAME out of a calendar FILE (.ics)."""
    from servicedesk.domain import icalendar
    from servicedesk.services import schedules

    text = file.read_bytes()[: icalendar.MOST_BYTES + 1].decode("utf-8", "replace")
    with opened() as desk:
        counts = schedules.put_imported(desk, OPERATOR, name, icalendar.read(text, _zone(desk, name)))
    emit(counts, ", ".join(f"{count} {what}" for what, count in counts.items()))


@oncall.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def apply(file: Path) -> None:
    """Write the schedules and escalation policies of FILE (YAML or JSON); others stay as they are.

    In the order of the file, schedules first, each by itself: what is wrong is named, and what came before it stands.
    """
    from servicedesk.files import oncall as reader
    from servicedesk.files import yaml
    from servicedesk.services import escalation_policies, schedules
    from servicedesk.services.schedules import LayerIn

    wanted = reader.parse(yaml.read_text(file), str(file))
    done: list[tuple[str, str, int]] = []
    with opened() as desk:
        for s in wanted.schedules:
            layers = [LayerIn(**msgspec.structs.asdict(layer)) for layer in s.layers]
            zone = s.timezone or desk.policy.calendar.timezone
            done.append(("schedule", s.name, schedules.save(desk, OPERATOR, s.name, layers, zone, s.team)))
        for p in wanted.policies:
            made = escalation_policies.save(desk, OPERATOR, p.name, p.policy, p.teams, p.services)
            done.append(("policy", p.name, made))
    rows = [{"kind": kind, "name": name, "version": version} for kind, name, version in done]
    emit(rows, table(("KIND", "NAME", "VERSION"), done))


@oncall.command()
@click.argument("name")
def feed(name: str) -> None:
    """A new secret address of the calendar of the schedule NAME; the one before is void."""
    from servicedesk.services import schedules

    with opened() as desk:
        url = f"{desk.config.base_url}/calendar/{schedules.new_feed(desk, OPERATOR, name)}.ics"
    emit({"url": url}, url)


@oncall.command()
@click.argument("priority", type=click.IntRange(1, 5))
@click.option("--service", default="", help="Of a ticket about this service.")
@click.option("--team", default="", help="Of a ticket of this team.")
@click.option("--at", type=AT, default=None, help="If it came at this time instead of now.")
def simulate(priority: int, service: str, team: str, at: datetime | None) -> None:
    """Who would be told when, if nobody answered. Nothing is written."""
    from servicedesk.services import escalation_policies
    from servicedesk.store.views import oncall as look

    with opened() as desk:
        zone = desk.policy.calendar.timezone
        moment = _aware(at, zone) if at else desk.now()
        name, steps = escalation_policies.simulate_for(desk, priority, service, team, moment)
        with desk.read() as tx:
            people = look.names(tx).sign_in
    rows = [
        {
            "at": (r.digest_at or r.due_at).isoformat(),
            "round": p.round,
            "step": p.step,
            "target": f"{r.kind}: {r.name}",
            "person": people.get(r.user_id or 0, ""),
            "channel": r.channel,
            "state": r.state,
            "reason": r.reason,
        }
        for p in steps
        for r in p.rows
    ]
    clock = [_clock(datetime.fromisoformat(str(r["at"])), ZoneInfo(zone)) for r in rows]
    keys = ("round", "step", "target", "person", "channel", "state", "reason")
    lines = [(at, *[row[k] for k in keys]) for at, row in zip(clock, rows, strict=True)]
    head = ("AT", "ROUND", "STEP", "TARGET", "PERSON", "CHANNEL", "STATE", "REASON")
    none = ["no escalation policy: owner, else the team's address, else the leads are told"]
    emit({"policy": name, "steps": rows}, table(head, lines) if name else none)


def _aware(at: datetime, timezone: str) -> datetime:
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC)


def _zone(desk: Any, name: str) -> str:
    """The time zone of a schedule. Raises NotFound."""
    from servicedesk.store.views import oncall as look

    with desk.read() as tx:
        found = look.find(tx, name)
    if found is None:
        raise NotFound(f"There is no schedule {name!r}.")
    return found.timezone
