"""What a source's own programs say, compared with what is recorded of it: what was missed, what is gone. Pure.

The Alertmanager is believed about what fires now, and about what is routed to us and not suppressed. Prometheus is
believed about what fired while nobody here could listen. Nobody is believed that an alert recovered: that is said in
a message or not at all, so an alert that is gone without one is `unconfirmed`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from servicedesk.domain.alert_state import FIRING, RECOVERED, SUSPECT, UNCONFIRMED
from servicedesk.domain.matchers import Matcher, match_all


@dataclass(frozen=True, slots=True)
class Rules:
    """Of one source. receiver: our name in its Alertmanagers; matchers: what may open tickets.

    patience: how long its Alertmanager may take to tell us; gone_after: for how long an alert must be gone.
    """

    receiver: str
    matchers: tuple[Matcher, ...]
    patience: timedelta
    gone_after: timedelta


@dataclass(frozen=True, slots=True)
class Listed:
    """An alert that an Alertmanager has now. suppressed: silenced, inhibited or muted."""

    key: bytes
    labels: Mapping[str, str]
    starts_at: datetime
    suppressed: bool
    receivers: tuple[str, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    generator_url: str = ""


@dataclass(frozen=True, slots=True)
class Lived:
    """An alert that fired in a Prometheus. ends_at None: it still does. exact: are these the labels as sent?"""

    key: bytes
    labels: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None
    exact: bool


@dataclass(frozen=True, slots=True)
class Silenced:
    """A silence, over or not, with when it held."""

    starts_at: datetime
    ends_at: datetime
    matchers: tuple[Matcher, ...]

    def covers(self, one: Lived) -> bool:
        """Did it hold at any time of that firing?"""
        over = one.ends_at is not None and one.ends_at < self.starts_at
        return not over and one.starts_at <= self.ends_at and match_all(self.matchers, one.labels)


@dataclass(frozen=True, slots=True)
class Known:
    """An alert as recorded. gone_since: when its absence was first seen. episodes: (start, end) of all of them."""

    id: int
    labels: Mapping[str, str]
    status: str
    starts_at: datetime
    ends_at: datetime | None
    last_seen: datetime
    clears: bool
    gone_since: datetime | None
    episodes: tuple[tuple[datetime, datetime | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Answers:
    """Everything that was asked for, whole. listed: one mapping an Alertmanager; lived: of all Prometheus servers."""

    listed: tuple[Mapping[bytes, Listed], ...]
    lived: tuple[Lived, ...]
    silences: tuple[Silenced, ...]


@dataclass(slots=True)
class Plan:
    """What follows. current, missed: to be recorded as if they had been sent. The others are alerts' ids.

    confirmed: doubts that are true; gone: absent from now on; back: absent no longer; unconfirmed: gone for good.
    """

    current: list[Listed] = field(default_factory=list)
    missed: list[Lived] = field(default_factory=list)
    confirmed: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    back: list[int] = field(default_factory=list)
    unconfirmed: list[int] = field(default_factory=list)


def plan(rules: Rules, answers: Answers, known: Mapping[bytes, Known], now: datetime) -> Plan:
    """Compare; `known` holds by key every alert that fires here, and those of the answers that are recorded."""
    made = Plan()
    for key, alert in known.items():
        if alert.clears and alert.status in (FIRING, SUSPECT):
            _judge(made, key, alert, rules, answers, now)
    made.current = [one for one in _merged(answers.listed) if _opens(one, known.get(one.key), rules, now)]
    made.missed = [one for one in answers.lived if _missed(one, known.get(one.key), rules, answers.silences)]
    return made


def _judge(made: Plan, key: bytes, alert: Known, rules: Rules, answers: Answers, now: datetime) -> None:
    """An alert that fires here, or is in doubt."""
    if answers.listed and alert.status == SUSPECT and all(key in one for one in answers.listed):
        made.confirmed.append(alert.id)
    absent = bool(answers.listed) and not any(key in one for one in answers.listed)
    if alert.status != FIRING or not absent or _fires(key, alert, answers.lived):
        if alert.gone_since is not None:
            made.back.append(alert.id)
    elif alert.gone_since is None or alert.last_seen > alert.gone_since:
        made.gone.append(alert.id)
    elif now - alert.gone_since >= rules.gone_after:
        made.unconfirmed.append(alert.id)


def _fires(key: bytes, alert: Known, lived: Sequence[Lived]) -> bool:
    """Does a Prometheus show it? Where its labels cannot be told exactly, fewer of them are enough."""
    return any(
        one.ends_at is None and (one.key == key or (not one.exact and one.labels.items() <= alert.labels.items()))
        for one in lived
    )


def _merged(listed: Sequence[Mapping[bytes, Listed]]) -> list[Listed]:
    """One of each key: an Alertmanager that suppresses it is believed before its peers."""
    found: dict[bytes, Listed] = {}
    for one in listed:
        for key, alert in one.items():
            if key not in found or alert.suppressed:
                found[key] = alert
    return list(found.values())


def _opens(one: Listed, alert: Known | None, rules: Rules, now: datetime) -> bool:
    """Should it be here as firing, and is not, although there was time to tell us?"""
    ours = bool(rules.receiver) and rules.receiver in one.receivers and match_all(rules.matchers, one.labels)
    if not ours or one.suppressed or now - one.starts_at < rules.patience:
        return False
    if alert is None or alert.status == UNCONFIRMED:
        return True
    return alert.status == RECOVERED and now - alert.last_seen >= rules.patience


def _missed(one: Lived, alert: Known | None, rules: Rules, silences: Sequence[Silenced]) -> bool:
    """Did it fire and end, may it open a ticket, and is nothing recorded of that time?"""
    if one.ends_at is None or not one.exact or not rules.matchers or not match_all(rules.matchers, one.labels):
        return False
    if any(silence.covers(one) for silence in silences):
        return False
    return alert is None or not any(_touch(one, start, end) for start, end in alert.episodes)


def _touch(one: Lived, start: datetime, end: datetime | None) -> bool:
    """Do they lie together in time? Both sides round their times: a second is given."""
    near = timedelta(seconds=1)
    assert one.ends_at is not None  # noqa: S101 - only ended ones are asked
    return start <= one.ends_at + near and (end is None or one.starts_at <= end + near)


@dataclass(frozen=True, slots=True)
class Spell:
    """A series' uninterrupted firing. end None: it was still firing at the last look."""

    start: float
    end: float | None


def spells(points: Sequence[float], interval: float, firing: bool) -> list[Spell]:
    """Firings out of the times (seconds) at which a rule was evaluated and fired. firing: does it still, now?

    An evaluation that was left out once is no end; the end is the first evaluation at which it did not fire.
    """
    found: list[Spell] = []
    start = last = None
    for at in sorted(points):
        if last is not None and start is not None and at - last > 2.5 * interval:
            found.append(Spell(start, last + interval))
            start = None
        start, last = (at if start is None else start), at
    if start is not None and last is not None:
        found.append(Spell(start, None if firing else last + interval))
    return found
