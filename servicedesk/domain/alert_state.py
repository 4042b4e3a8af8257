"""Episodes of an alert as a function of the set of its events (docs: "Alerts over time"). Pure.

Messages arrive doubled, late and out of order, and `starts_at` of one firing moves; only ends are firm. So the
distinct ends, sorted, cut time into intervals (previous end, end]: what fired inside one interval is one episode, what
began after the last end is open. The receive sequence is used for one thing only, to tell a *suspect*: a firing that
was received after every end that covers it. It is a stale copy, or the truth: a newer end or a confirmation tells.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

FIRING, SUSPECT, RECOVERED, UNCONFIRMED = "firing", "suspect", "recovered", "unconfirmed"


@dataclass(frozen=True, slots=True)
class Observed:
    """One event with where it was seen: its observations folded. Sequences are those of deliveries.

    status: firing | resolved. ends_at is None while firing. first_at: when it was first received (aware UTC).
    """

    status: str
    starts_at: datetime
    ends_at: datetime | None
    first_seq: int
    last_seq: int
    first_at: datetime


@dataclass(frozen=True, slots=True)
class Episode:
    """One firing of an alert. ends_at is None while it fires; fired: it was ever seen firing, not only ending."""

    starts_at: datetime
    ends_at: datetime | None
    fired: bool
    suspect: bool = False


@dataclass(frozen=True, slots=True)
class AlertState:
    """Episodes in the order of time. status: firing | suspect | recovered (of the whole alert).

    suspect_seq: the newest suspect firing's sequence; confirmed: does the confirmation that was given still hold?
    """

    episodes: tuple[Episode, ...]
    status: str
    suspect_seq: int | None = None
    confirmed: bool = False


def derive(events: Iterable[Observed], confirmed_seq: int | None = None) -> AlertState:
    """The state of an alert whose source says when it is over.

    confirmed_seq: observations up to this sequence were confirmed to be true. Ends received later void that.
    """
    firings: list[Observed] = []
    ends: dict[datetime, tuple[datetime, int]] = {}  # end → (earliest start told with it, newest sequence)
    for event in events:
        if event.ends_at is None:
            firings.append(event)
        else:
            start, seq = ends.get(event.ends_at, (event.starts_at, 0))
            ends[event.ends_at] = (min(start, event.starts_at), max(seq, event.last_seq))
    cuts = sorted(ends)
    intervals: list[list[Observed]] = [[] for _ in range(len(cuts) + 1)]
    for firing in firings:
        intervals[bisect_left(cuts, firing.starts_at)].append(firing)
    return _judge(cuts, ends, intervals, confirmed_seq)


def derive_unclearing(events: Iterable[Observed], declared: Sequence[datetime] = ()) -> AlertState:
    """The state of an alert whose source never says that it is over: only people declare its end.

    declared: when they did. An event that was first received later than that begins a new episode.
    """
    cuts = sorted(set(declared))
    intervals: list[list[Observed]] = [[] for _ in range(len(cuts) + 1)]
    for event in events:
        intervals[bisect_left(cuts, event.first_at)].append(event)
    episodes = [
        Episode(min(e.starts_at for e in fired), cut and max(cut, min(e.starts_at for e in fired)), fired=True)
        for cut, fired in zip([*cuts, None], intervals, strict=True)
        if fired
    ]
    return AlertState(tuple(episodes), FIRING if intervals[-1] else RECOVERED)


def advance(newest: Episode | None, events: Iterable[Observed]) -> tuple[Episode | None, AlertState]:
    """As `derive`, for events that all lie after `newest`, an ended episode, or are of `newest`, an open one.

    Answers `newest` as it is now (an end may have moved it on; None when it was open: it is derived anew) and the
    state of the rest. Only for alerts without a doubt: neither suspect nor confirmed.
    """
    state = derive(events)
    if newest is None or newest.ends_at is None:
        return None, state
    first = state.episodes[0] if state.episodes else None
    if first is None or first.fired or first.ends_at is None or first.starts_at > newest.ends_at:
        return newest, state
    return replace(newest, ends_at=first.ends_at), replace(state, episodes=state.episodes[1:])


@dataclass(frozen=True, slots=True)
class Known:
    """An alert as stored: its status, its newest episode, the sequence of its newest observation."""

    status: str
    starts_at: datetime
    ends_at: datetime | None
    last_seq: int
    confirmed: bool
    clears: bool


@dataclass(frozen=True, slots=True)
class News:
    """An event that arrives. at: its end, or its start while firing; seq: its newest; known: seen before."""

    firing: bool
    at: datetime
    seq: int
    known: bool


Scope = Literal["nothing", "newest", "everything"]


def scope(alert: Known, news: Iterable[News]) -> Scope:
    """How much must be looked at to judge an alert anew: most messages only repeat what is known.

    nothing: the state stays as it is. newest: `advance` from the newest episode gives what `derive` would.
    """
    if alert.confirmed or alert.status not in (FIRING, RECOVERED):
        return "everything"
    news = [n for n in news if n.firing or not n.known]  # a known end again takes doubts away, and here is none
    if alert.ends_at is None and all(n.firing and n.at >= alert.starts_at for n in news):
        return "nothing"
    if not alert.clears:  # which of its episodes an event belongs to depends on when people declared ends
        return "everything"
    if alert.ends_at is None:
        later = all(n.at >= alert.starts_at for n in news)
    else:
        if not news:
            return "nothing"
        later = all(n.at > alert.ends_at for n in news)
    in_order = all(n.firing or n.seq >= alert.last_seq for n in news)
    return "newest" if later and in_order else "everything"


@dataclass(frozen=True, slots=True)
class Stored:
    """An episode's row. incident_id: the incident that carries it, if any. passed: it needs none for good."""

    id: int
    starts_at: datetime
    ends_at: datetime | None
    fired: bool
    suspect: bool
    incident_id: int | None
    passed: bool = False
    held_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rewrite:
    """How the rows become the episodes derived. inserted: with the incident of the row that was split, if any."""

    updated: tuple[tuple[Stored, Episode], ...]
    inserted: tuple[tuple[Episode, int | None], ...]
    deleted: tuple[Stored, ...]


def rewrite(rows: Sequence[Stored], episodes: Sequence[Episode]) -> Rewrite:
    """Match rows and episodes: by start, then by overlap; a row keeps its incident."""
    by_start = {row.starts_at: row for row in rows}
    pairs: dict[int, Episode] = {}  # row id → episode
    homeless: list[Episode] = []
    for episode in episodes:
        row = by_start.pop(episode.starts_at, None)
        if row is None:
            homeless.append(episode)
        else:
            pairs[row.id] = episode
    free = list(by_start.values())
    inserted: list[tuple[Episode, int | None]] = []
    for episode in homeless:
        row = next((r for r in free if _overlap(r, episode)), None)
        if row is None:
            split = next((r for r in rows if _overlap(r, episode)), None)
            inserted.append((episode, split.incident_id if split and episode.fired else None))
        else:
            free.remove(row)
            pairs[row.id] = episode
    updated = tuple((row, pairs[row.id]) for row in rows if row.id in pairs and _differs(row, pairs[row.id]))
    return Rewrite(updated, tuple(inserted), tuple(free))


def _overlap(row: Stored, episode: Episode) -> bool:
    return (row.ends_at is None or episode.starts_at <= row.ends_at) and (
        episode.ends_at is None or row.starts_at <= episode.ends_at
    )


def _differs(row: Stored, episode: Episode) -> bool:
    return (row.starts_at, row.ends_at, row.fired, row.suspect) != (
        episode.starts_at,
        episode.ends_at,
        episode.fired,
        episode.suspect,
    )


def _judge(
    cuts: list[datetime],
    ends: dict[datetime, tuple[datetime, int]],
    intervals: list[list[Observed]],
    confirmed_seq: int | None,
) -> AlertState:
    if intervals[-1]:  # it fires beyond any doubt
        return AlertState(_episodes(cuts, ends, intervals), FIRING)
    doubt = _doubt(cuts, ends, intervals)
    if doubt is None:
        return AlertState(_episodes(cuts, ends, intervals), RECOVERED)
    interval, seq, covered = doubt
    if confirmed_seq is not None and confirmed_seq > covered:
        return AlertState(_episodes(cuts, ends, intervals, confirmed=interval), FIRING, confirmed=True)
    return AlertState(_episodes(cuts, ends, intervals, suspect=interval), SUSPECT, suspect_seq=seq)


def _doubt(
    cuts: list[datetime], ends: dict[datetime, tuple[datetime, int]], intervals: list[list[Observed]]
) -> tuple[int, int, int] | None:
    """The newest interval with a firing newer than every end that covers it: (interval, its sequence, the ends')."""
    covered = 0
    for i in range(len(cuts) - 1, -1, -1):
        covered = max(covered, ends[cuts[i]][1])
        seq = max((firing.last_seq for firing in intervals[i]), default=0)
        if seq > covered:
            return i, seq, covered
    return None


def _episodes(
    cuts: list[datetime],
    ends: dict[datetime, tuple[datetime, int]],
    intervals: list[list[Observed]],
    confirmed: int | None = None,
    suspect: int | None = None,
) -> tuple[Episode, ...]:
    episodes: list[Episode] = []
    for i, cut in enumerate(cuts):
        if intervals[i]:
            start = min(firing.starts_at for firing in intervals[i])
            episodes.append(Episode(start, None if i == confirmed else cut, True, i == suspect))
        elif i and ends[cut][0] <= cuts[i - 1]:  # a later end of the same firing
            last = episodes[-1]
            episodes[-1] = last if last.ends_at is None else replace(last, ends_at=cut)
        else:
            episodes.append(Episode(min(ends[cut][0], cut), cut, fired=False))
    if intervals[-1]:
        episodes.append(Episode(min(firing.starts_at for firing in intervals[-1]), None, fired=True))
    return tuple(episodes)
