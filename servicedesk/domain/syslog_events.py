"""Judged syslog lines as events: equal ones of one delivery folded, ends between them kept apart. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from alert_receivers.event import AlertEvent, label_key
from servicedesk.domain.syslog_rules import (
    FACILITIES,
    SEVERITIES,
    TAG_LIMIT,
    Rule,
    Subject,
    Threshold,
    Verdict,
    fill,
    groups_of,
    key_names,
)

SHOWN = 200  # characters of a line in a summary
FIRST, LAST = 2, 3  # lines of a fold that are kept as samples
Template = Callable[[str], str]
NOISY = "noisy-host"
UNREADABLE = "unreadable"
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Told:
    """A line that was judged. index: its place in the delivery; at: its time (aware UTC); raw: as it came."""

    index: int
    at: datetime
    arrived: datetime
    line: Subject
    verdict: Verdict
    peer: str
    raw: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A line as it is kept with its alert."""

    at: datetime
    arrived: datetime
    host: str
    app: str
    facility: int
    severity: int
    text: str
    raw: str


@dataclass(frozen=True, slots=True)
class Moment:
    """When a line came that counts for a threshold. value: of the group that must differ, or ""."""

    at: datetime
    value: str = ""


@dataclass(frozen=True, slots=True)
class LineEvent(AlertEvent):
    """What syslog lines say about one alert: an AlertEvent with what the desk keeps besides.

    template: where the alert's key is made of it. moments: for a rule with a threshold, the newest of its lines in the
    order of time. keep: how many samples.
    """

    rule: str = ""
    host: str = ""
    app: str = ""
    template: str = ""
    samples: tuple[Sample, ...] = ()
    keep: int = 20
    threshold: Threshold | None = None
    moments: tuple[Moment, ...] = ()
    silence: timedelta | None = None


@dataclass(slots=True)
class _Fold:
    """Lines of one key that say the same. over: that it has ended."""

    rule: Rule
    first: Told
    values: Mapping[str, str]
    key: bytes
    over: bool
    starts_at: datetime
    at: datetime
    count: int = 0
    newest: Told | None = None
    samples: list[Sample] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)


def events(told: Iterable[Told], template: Template) -> dict[int, LineEvent]:
    """The events of one delivery, each at the index of its first line; `count` says how many lines it stands for.

    template: the words of a text that stay.
    """
    open_folds: dict[bytes, _Fold] = {}
    folds: list[_Fold] = []
    for one in told:
        rule = one.verdict.rule
        if rule is None or one.verdict.kind not in ("fire", "recover"):
            continue
        values = _values(one, template)
        key = line_key(rule, values)
        over = one.verdict.kind == "recover"
        fold = open_folds.get(key)
        if fold is None or fold.over is not over:
            at = one.at if fold is None else max(one.at, fold.at + _TICK)  # what came later is later
            fold = open_folds[key] = _Fold(rule, one, values, key, over, at, at)
            folds.append(fold)
        _add(fold, one, values)
    return {fold.first.index: _event(fold) for fold in folds}


def line_key(rule: Rule, values: Mapping[str, str]) -> bytes:
    """The alert that a line belongs to: the rule and what its key names; 32 bytes."""
    return label_key({f"{name}=": value for name, value in _parts(rule, values).items()} | {"rule": rule.id})


def key_parts(one: Told, template: Template) -> dict[str, str]:
    """What makes this line and others one alert, for people to read; nothing for a line that is no event."""
    rule = one.verdict.rule
    return _parts(rule, _values(one, template)) if rule is not None and one.verdict.kind in ("fire", "recover") else {}


def _parts(rule: Rule, values: Mapping[str, str]) -> dict[str, str]:
    groups = {name: values[name] for name in values if name not in _FIXED}
    parts = {name: values.get(name, "") for name in key_names(rule, groups)}
    if "host" in parts:
        parts["host"] = parts["host"].lower()
    return parts


_FIXED = frozenset({"host", "app", "template", "text", "peer", "severity", "facility"})


def _values(one: Told, template: Template) -> dict[str, str]:
    line, rule = one.line, one.verdict.rule
    groups = groups_of(one.verdict, line.text)
    wanted = rule is not None and "template" in key_names(rule, groups)  # it costs more than all else together
    return groups | {
        "host": line.host or one.peer,
        "app": line.app[:TAG_LIMIT],
        "template": template(line.text) if wanted else "",
        "text": line.text,
        "peer": one.peer,
        "severity": SEVERITIES[line.severity],
        "facility": FACILITIES[line.facility],
    }


def _add(fold: _Fold, one: Told, values: Mapping[str, str]) -> None:
    fold.count += 1
    fold.at = max(fold.at, one.at)
    fold.starts_at = min(fold.starts_at, one.at) if not fold.over else fold.starts_at
    fold.newest = one
    fold.samples.append(_sample(one))
    if len(fold.samples) > FIRST + LAST:
        del fold.samples[FIRST]
    threshold = fold.rule.threshold
    if threshold is not None:
        at = max(one.at, fold.moments[-1].at + _TICK) if fold.moments else one.at  # two lines are two moments
        fold.moments.append(Moment(at, values.get(threshold.distinct, "")))


def _sample(one: Told) -> Sample:
    line = one.line
    host = line.host or one.peer
    return Sample(one.at, one.arrived, host, line.app, line.facility, line.severity, line.text, one.raw)


def _event(fold: _Fold) -> LineEvent:
    rule, values, newest = fold.rule, fold.values, fold.newest or fold.first
    shown = dict(values) | {"text": newest.line.text.split("\n")[0][:SHOWN]}
    name = fill(rule.title, shown).strip() or "syslog"
    return LineEvent(
        key=fold.key,
        name=name,
        status="resolved" if fold.over else "firing",
        severity=rule.severity or values["severity"],
        starts_at=fold.at if fold.over else fold.starts_at,
        ends_at=fold.at if fold.over else None,
        clears=rule.clears,
        labels=_labels(rule, values),
        annotations=_annotations(rule, newest, values["template"]),
        summary=_summary(rule, shown),
        fingerprint=fold.key.hex()[:16],
        generator_url="",
        count=fold.count,
        unticketed="" if rule.action == "alert" else f"Rule {rule.id} records it without a ticket.",
        rule=rule.id,
        host=values["host"],
        app=values["app"],
        template=values["template"],
        samples=tuple(fold.samples),
        keep=rule.examples,
        threshold=rule.threshold,
        moments=_newest_moments(rule.threshold, fold.moments),
        silence=rule.silence,
    )


def _summary(rule: Rule, shown: Mapping[str, str]) -> str:
    if rule.summary:
        return fill(rule.summary, shown)
    said = f"{shown['app']}: {shown['text']}" if shown["app"] else shown["text"]
    return f"{shown['host']} {said}"


def _labels(rule: Rule, values: Mapping[str, str]) -> dict[str, str]:
    labels = {name: value for name, value in values.items() if name not in ("template", "text", "peer")}
    labels |= {"rule": rule.id, "severity": rule.severity or values["severity"], **rule.labels}
    for name, value in (("service", rule.service), ("category", rule.category), ("alertname", rule.join and rule.id)):
        if value:
            labels[name] = str(value)
    return labels


def _annotations(rule: Rule, newest: Told, words: str) -> dict[str, str]:
    said = {"description": rule.explain, "line": newest.line.text, "template": words}
    return {name: value for name, value in said.items() if value}


def _newest_moments(threshold: Threshold | None, moments: list[Moment]) -> tuple[Moment, ...]:
    if threshold is None:
        return ()
    moments.sort(key=lambda m: m.at)
    return tuple(moments[-moments_kept(threshold) :])


def remembered(threshold: Threshold, known: Iterable[Moment], new: Iterable[Moment]) -> list[Moment]:
    """What is known of a key with what is new, as much as must be remembered, in the order of time."""
    return sorted([*known, *new], key=lambda m: (m.at, m.value))[-moments_kept(threshold) :]


def moments_kept(threshold: Threshold) -> int:
    """How many moments of one key are remembered: with distinct values there may be many of one."""
    return threshold.count * (4 if threshold.distinct else 1)


def reached(threshold: Threshold, moments: Sequence[Moment], since: datetime) -> bool:
    """Is the threshold made by a window that ends at `since` or later? moments: in the order of time."""
    begin = 0
    values: Counter[str] = Counter()
    for end, moment in enumerate(moments):
        values[moment.value] += 1
        while moments[begin].at < moment.at - threshold.within:
            _forget(values, moments[begin].value)
            begin += 1
        count = len(values) if threshold.distinct else end - begin + 1
        if moment.at >= since and count >= threshold.count:
            return True
    return False


def _forget(values: Counter[str], value: str) -> None:
    values[value] -= 1
    if not values[value]:
        del values[value]


def ended_by_silence(event: LineEvent, ended_at: datetime) -> LineEvent:
    """The event that nothing was said any more, where a rule takes that for the end."""
    return replace(event, status="resolved", starts_at=ended_at, ends_at=ended_at, samples=(), moments=(), count=1)


def noisy_host(host: str, at: datetime, limit: int) -> LineEvent:
    """One alert that stands for everything that a host says beyond its share of new tickets."""
    text = f"{host} raised more than {limit} different alerts within an hour: the others are recorded without a ticket."
    return LineEvent(
        key=label_key({"rule": NOISY, "host=": host.lower()}),
        name="Noisy host",
        status="firing",
        severity="warning",
        starts_at=at,
        ends_at=None,
        clears=False,
        labels={"rule": NOISY, "host": host, "severity": "warning"},
        annotations={"description": text},
        summary=text,
        fingerprint=label_key({"rule": NOISY, "host=": host.lower()}).hex()[:16],
        generator_url="",
        rule=NOISY,
        host=host,
    )
