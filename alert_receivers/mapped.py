"""Receivers that are described, not written: a mapping (see `mapping`) reads the JSON of its sender. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from .event import UNTOLD, AlertEvent, MalformedPayload, Parsed, Receiver, Status, label_key
from .mapping import Expected, Mapping, Names, Path, Texts, Time, alternatives, parse_path, pieces

EARLIEST, LATEST = 1970, 9000  # years that a time may lie in, so that adding windows never overflows
MAX_TEXT = 20_000  # characters that one value gives at most
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING = object()

_Text = Callable[[Any, Any], str]
"""(entry, body) → text."""
_Moment = Callable[[Any, Any], datetime | None]


def receiver(mapping: Mapping) -> Receiver:
    """The receiver that a mapping describes. Raises ValueError for one that `mapping.problems` would name."""
    plan = _plan(mapping)
    sample = mapping.samples[0].body.encode()
    return Receiver(mapping.name, mapping.title, lambda raw: _parse(plan, raw), sample)


def check_samples(mapping: Mapping) -> Iterator[tuple[int, str]]:
    """(which sample, what is wrong) for those whose body gives something else than they say."""
    parse = receiver(mapping).parse
    for number, sample in enumerate(mapping.samples):
        try:
            parsed = parse(sample.body.encode())
        except MalformedPayload as error:
            yield number, str(error)
            continue
        yield from ((number, f"entry {index}: {error}") for index, error in parsed.errors)
        events = [event for _, event in parsed.events]
        if len(events) != len(sample.gives):
            yield number, f"gives {len(events)} events, not {len(sample.gives)}"
            continue
        for event, expected in zip(events, sample.gives, strict=True):
            yield from ((number, text) for text in _differences(event, expected))


def _differences(event: AlertEvent, expected: Expected) -> Iterator[str]:
    for name in ("status", "name", "severity", "summary"):
        wanted, found = getattr(expected, name), getattr(event, name)
        if wanted is not None and wanted != found:
            yield f"{name} is {found!r}, not {wanted!r}"
    for name in ("starts_at", "ends_at"):
        wanted, found = getattr(expected, name), told_time(getattr(event, name))
        if wanted is not None and wanted != found:
            yield f"{name} is {found!r}, not {wanted!r}"
    for label, wanted in expected.labels.items():
        if event.labels.get(label) != wanted:
            yield f"label {label} is {event.labels.get(label)!r}, not {wanted!r}"


def told_time(at: datetime | None) -> str:
    """A time as samples and previews show it: RFC 3339, `received` for one that the sender did not tell."""
    if at is None:
        return ""
    return "received" if at == UNTOLD else at.isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class _Plan:
    """A mapping, compiled."""

    ndjson: bool
    entries: tuple[Path, ...]
    only: tuple[tuple[_Text, frozenset[str]], ...]
    status: _Text
    firing: frozenset[str]
    resolved: frozenset[str]
    otherwise: str
    name: _Text
    severity: _Text
    words: dict[str, str]
    labels: Callable[[Any, Any], dict[str, str]]
    key: tuple[str, ...]
    annotations: Callable[[Any, Any], dict[str, str]]
    summary: _Text
    link: _Text
    starts_at: _Moment
    ends_at: _Moment


def _plan(m: Mapping) -> _Plan:
    return _Plan(
        ndjson=m.body == "ndjson",
        entries=tuple(parse_path(path) for path in alternatives(m.entries)),
        only=tuple((_text(t), frozenset(w.casefold() for w in words)) for t, words in m.only.items()),
        status=_text(m.status.text),
        firing=frozenset(word.casefold() for word in m.status.firing),
        resolved=frozenset(word.casefold() for word in m.status.resolved),
        otherwise=m.status.otherwise,
        name=_text(m.name_),
        severity=_text(m.severity.text if m.severity else ()),
        words={word.casefold(): other for word, other in m.severity.words.items()} if m.severity else {},
        labels=_names(m.labels),
        key=m.key,
        annotations=_names(m.annotations),
        summary=_text(m.summary),
        link=_text(m.link),
        starts_at=_moment(m.starts_at),
        ends_at=_moment(m.ends_at),
    )


# --- the body ------------------------------------------------------------------------------------------------------


def _parse(plan: _Plan, raw: bytes) -> Parsed:
    """Events of one body. Raises MalformedPayload when it is not one."""
    body, entries = _read(plan, raw)
    events: list[tuple[int, AlertEvent]] = []
    errors: list[tuple[int, str]] = []
    silent = 0
    for index, entry in enumerate(entries):
        try:
            event = _event(plan, entry, body)
        except (ValueError, OverflowError) as error:
            errors.append((index, str(error)))
            continue
        if event is None:
            silent += 1
        else:
            events.append((index, event))
    return Parsed(tuple(events), tuple(errors), silent=silent)


def _read(plan: _Plan, raw: bytes) -> tuple[Any, list[Any]]:
    text = raw.decode("utf-8-sig", "surrogateescape")
    try:
        if plan.ndjson:
            body: Any = [json.loads(line, strict=False) for line in text.splitlines() if line.strip()]
        else:
            body = json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        raise MalformedPayload(f"the body is not JSON: {error}") from error
    values = [_at(path, body, body) for path in plan.entries] if plan.entries else [body]
    found = next((value for value in values if value is not _NOTHING and value is not None), None)
    if found is None:
        raise MalformedPayload("the body is JSON, but not what this mapping reads: its list of entries is missing")
    entries = found if isinstance(found, list) else [found]
    if not entries:
        raise MalformedPayload("the body holds no entry")
    return body, entries


def _event(plan: _Plan, entry: Any, body: Any) -> AlertEvent | None:
    """The event of one entry; None when it says nothing of a problem. Raises ValueError with a sentence."""
    if not isinstance(entry, dict):
        raise ValueError("it is not an object")
    if any(text(entry, body).casefold() not in words for text, words in plan.only):
        return None
    status, told = _status(plan, entry, body)
    if status is None:
        return None
    name = plan.name(entry, body)
    if not name:
        raise ValueError("it has no name that says what is wrong")
    labels = plan.labels(entry, body)
    labels.setdefault("alertname", name)
    key = _key(plan, labels)
    word = plan.severity(entry, body)
    severity = plan.words.get(word.casefold(), word)
    if severity:
        labels.setdefault("severity", severity)
    over = (plan.ends_at(entry, body) or UNTOLD) if status == "resolved" else None
    return AlertEvent(
        key=key,
        name=name,
        status=status,
        severity=severity,
        starts_at=plan.starts_at(entry, body) or over or UNTOLD,
        ends_at=over,
        clears=told and bool(plan.resolved),
        labels=labels,
        annotations=plan.annotations(entry, body),
        summary=plan.summary(entry, body),
        fingerprint=key.hex()[:16],
        generator_url=plan.link(entry, body),
    )


def _status(plan: _Plan, entry: Any, body: Any) -> tuple[Status | None, bool]:
    """(status, did the sender say it itself?)"""
    word = plan.status(entry, body)
    if word.casefold() in plan.resolved:
        return "resolved", True
    if word.casefold() in plan.firing:
        return "firing", True
    if plan.otherwise == "error":
        known = ", ".join(sorted(plan.firing | plan.resolved))
        raise ValueError(f"its status is {word[:40]!r}: only these are known: {known}")
    return ("firing" if plan.otherwise == "firing" else None), False


def _key(plan: _Plan, labels: dict[str, str]) -> bytes:
    if not plan.key:
        return label_key(labels)
    kept = {name: labels[name] for name in plan.key if name in labels}
    if not kept:
        raise ValueError(f"it has none of the labels that say which alert it is: {', '.join(plan.key)}")
    return label_key(kept)


# --- values --------------------------------------------------------------------------------------------------------


def _at(path: Path, entry: Any, body: Any) -> Any:
    """The value at a path, or _NOTHING."""
    value = body if path[0] else entry
    for step in path[1]:
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return _NOTHING
            value = value[step]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return _NOTHING
    return value


def _plain(value: Any) -> str:
    """A JSON value as text: what is no scalar stays JSON."""
    if value is None or value is _NOTHING:
        return ""
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)[:MAX_TEXT]


def _text(value: Texts) -> _Text:
    """The first of the texts that is not empty."""
    compiled = [pieces(text) for text in alternatives(value)]

    def read(entry: Any, body: Any) -> str:
        for parts in compiled:
            told = "".join([p if isinstance(p, str) else _plain(_at(p, entry, body)) for p in parts])
            if told.strip() and (len(parts) == 1 or _any_told(parts, entry, body)):
                return told.strip() if len(parts) == 1 else told
        return ""

    return read


def _any_told(parts: tuple[str | Path, ...], entry: Any, body: Any) -> bool:
    """Is there a value between the words? "on {host}" without a host says nothing."""
    paths = [p for p in parts if not isinstance(p, str)]
    return not paths or any(_plain(_at(p, entry, body)) for p in paths)


def _names(names: Names) -> Callable[[Any, Any], dict[str, str]]:
    copied = [parse_path(path) for path in names.copy]
    paired = [(parse_path(pairs.list), pairs.name, pairs.value) for pairs in names.pairs]
    single = {name: _text(value) for name, value in names.set.items()}
    dropped = frozenset(names.drop)

    def read(entry: Any, body: Any) -> dict[str, str]:
        out: dict[str, str] = {}
        for path in copied:
            found = _at(path, entry, body)
            if isinstance(found, dict):
                out |= {str(name): _plain(value) for name, value in found.items()}
        for path, name, value in paired:
            found = _at(path, entry, body)
            for pair in found if isinstance(found, list) else ():
                if isinstance(pair, dict) and pair.get(name):
                    out[_plain(pair[name])] = _plain(pair.get(value))
        out |= {name: told for name, text in single.items() if (told := text(entry, body))}
        return {name: value for name, value in out.items() if value and name not in dropped}

    return read


def _moment(time: Time | None) -> _Moment:
    if time is None:
        return lambda _entry, _body: None
    text, form, zone = _text(time.text), time.format, ZoneInfo(time.zone)
    return lambda entry, body: read_time(text(entry, body), form, zone)


def read_time(text: str, form: str = "", zone: ZoneInfo | None = None) -> datetime | None:
    """A time as aware UTC; None for none, and for Go's zero time. Raises ValueError with a sentence."""
    if not text or text.startswith("0001-01-01"):
        return None
    try:
        if form:
            at = datetime.strptime(text, form)  # noqa: DTZ007 - the zone follows
        elif text.replace(".", "", 1).isdigit():
            at = _since_epoch(float(text))
        else:
            at = datetime.fromisoformat(text.upper() if text[-1] in "zZ" else text)
        at = (at if at.tzinfo else at.replace(tzinfo=zone or UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text[:40]!r} is not a time that can be read") from error
    if not EARLIEST <= at.year < LATEST:
        raise ValueError(f"{text[:40]!r} lies outside the years {EARLIEST} to {LATEST}")
    return at


def _since_epoch(count: float) -> datetime:
    """Seconds, or milli-, micro-, nanoseconds: by their size, as all of them mean a year near ours."""
    for limit, unit in ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6)):
        if count < limit:
            return _EPOCH + timedelta(seconds=count / unit)
    return _EPOCH + timedelta(seconds=count / 1e9)
