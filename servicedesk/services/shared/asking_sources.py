"""Asking the programs of one source: everything or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from alert_receivers.event import label_key
from servicedesk.clients import alertmanager, prometheus
from servicedesk.clients.api import Unanswered
from servicedesk.config import Api, Source
from servicedesk.domain.matchers import matcher
from servicedesk.domain.reconcile import Answers, Listed, Lived, Silenced, spells
from servicedesk.files.prometheus import Outgoing, outgoing

STEP = 3600.0  # seconds of the past that are asked for at a time
LONGEST = timedelta(days=2)  # of the past that are asked for at all
USUAL = 60.0  # seconds between two evaluations of a rule that is not there any more


def ask(source: Source, now: datetime, down_from: datetime | None) -> Answers:
    """What its programs say, now and of the time since `down_from`. Raises Unanswered when any answer is not whole."""
    try:
        listed = tuple(_listed(source.api(url), source.timeout) for url in source.alertmanagers)
        silences = [s for url in source.alertmanagers for s in _silences(source.api(url), source.timeout)]
        lived = [s for url in source.prometheus for s in _lived(source.api(url), source.timeout, now, down_from)]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise Unanswered(f"its answer cannot be read: {type(error).__name__}") from error
    return Answers(listed, tuple(lived), tuple(silences))


def _listed(api: Api, timeout: float) -> dict[bytes, Listed]:
    found = {}
    for one in alertmanager.alerts(api, (), timeout):
        key, suppressed = label_key(one.labels), one.state == "suppressed"
        at = datetime.fromisoformat(one.starts_at).astimezone(UTC)
        told = (one.receivers, one.annotations, one.fingerprint, one.generator_url)
        found[key] = Listed(key, one.labels, at, suppressed, *told)
    return found


def _silences(api: Api, timeout: float) -> list[Silenced]:
    return [
        Silenced(one.starts_at, one.ends_at, tuple(matcher(*told) for told in one.conditions))
        for one in alertmanager.silences(api, timeout)
        if one.starts_at is not None
    ]


def _lived(api: Api, timeout: float, now: datetime, down_from: datetime | None) -> list[Lived]:
    """What fires in a Prometheus now, and what fired since `down_from`."""
    sent = outgoing(prometheus.configuration(api, timeout))
    firing = {_series(s.labels): s.labels for s in prometheus.firing(api, timeout, now.timestamp())}
    found = [_one(sent, labels, now.timestamp(), None) for labels in firing.values()]
    if down_from is not None:
        intervals = prometheus.intervals(api, timeout)
        for series, (labels, points) in _points(api, timeout, now, max(down_from, now - LONGEST)).items():
            interval = intervals.get(labels.get("alertname", ""), USUAL)
            for spell in spells(points, interval, series in firing):
                found.append(_one(sent, labels, spell.start, spell.end))
    return [one for one in found if one is not None]


_Series = tuple[tuple[str, str], ...]


def _series(labels: Mapping[str, str]) -> _Series:
    return tuple(sorted(labels.items()))


def _points(
    api: Api, timeout: float, now: datetime, since: datetime
) -> dict[_Series, tuple[dict[str, str], list[float]]]:
    """Every evaluation at which an alert fired, an hour of the past at a time."""
    found: dict[_Series, tuple[dict[str, str], list[float]]] = {}
    at, first = now.timestamp(), since.timestamp()
    while at > first:
        window = min(STEP, at - first) + 1.0
        for sample in prometheus.firing(api, timeout, at, window):
            _, points = found.setdefault(_series(sample.labels), (sample.labels, []))
            points += [when for when, _ in sample.points]
        at -= window - 1.0
    return {series: (labels, sorted(set(points))) for series, (labels, points) in found.items()}


def _one(sent: Outgoing, shown: dict[str, str], start: float, end: float | None) -> Lived | None:
    labels = sent.labels(shown)
    if labels is None:
        return None
    return Lived(label_key(labels), labels, _at(start), None if end is None else _at(end), sent.exact)


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
