"""Syslog lines as deliveries, and deliveries as events again: the rules of the desk between a listener and an alert.

A delivery's body is one JSON object a line, each with the line as it came (`line`, or `b64` where it is no UTF-8), who
sent it (`from`), how (`by`), when it arrived (`at`, microseconds) and what its transport noticed (`marks`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from alert_receivers.event import MalformedPayload, Parsed
from alert_receivers.syslog import message as messages
from alert_receivers.syslog.line import Line, Mark
from alert_receivers.syslog.masking import template
from alert_receivers.syslog.message import Message
from alert_receivers.syslog.times import sent_at
from servicedesk.config import Config
from servicedesk.desk import Desk
from servicedesk.domain.syslog_events import UNREADABLE, LineEvent, Told, events
from servicedesk.domain.syslog_rules import Rule, Ruleset, Verdict, groups_of
from servicedesk.errors import ConfigError
from servicedesk.files.rules import RuleBook
from servicedesk.store.types import from_us

RECEIVER = "syslog"
CONTENT_TYPE = "application/x-ndjson"
AGAIN, FRAGMENT, REPEATED, EMPTY = "sent again", "rest of another line", "repeats another line", "says nothing"
_AGAIN = Verdict("keep", None, AGAIN)
_FRAGMENT = Verdict("keep", None, FRAGMENT)
_REPEATED = Verdict("ignore", None, REPEATED)
_EMPTY = Verdict("ignore", None, EMPTY)
_UNREADABLE = Verdict(
    "fire",
    Rule(
        id=UNREADABLE,
        title="Unreadable syslog lines",
        action="record",
        explain="What this sender sends has no syslog header. The lines are kept as they came.",
        key=("peer",),
        summary="{peer} sends lines that are no syslog: {text}",
    ),
    f"rule {UNREADABLE}",
)


class Ended(msgspec.Struct, frozen=True):
    """Enough of an alert to say that it has ended because nothing was said any more."""

    key: bytes
    name: str
    severity: str
    labels: dict[str, str]
    summary: str
    rule: str
    host: str


class Record(msgspec.Struct, omit_defaults=True, rename={"peer": "from"}, gc=False):
    """One entry of a delivery's body. silence: no line, but that a rule's silence has passed."""

    at: int
    by: str = ""
    peer: str = ""
    line: str = ""
    b64: bytes | None = None
    marks: int = 0
    silence: Ended | None = None


_encoder, _decoder = msgspec.json.Encoder(), msgspec.json.Decoder(Record)
_books: WeakKeyDictionary[Desk, tuple[RuleBook, Zones]] = WeakKeyDictionary()
_books_mutex = threading.Lock()


class Zones:
    """The time zones of senders. Raises ConfigError for an entry that does not work."""

    def __init__(self, default: str, entries: Iterable[str]) -> None:
        self._default = _zone("syslog.timezone", default)
        self._hosts: dict[str, ZoneInfo] = {}
        self._networks: list[tuple[Any, ZoneInfo]] = []
        for entry in entries:
            who, sign, name = (part.strip() for part in entry.rpartition("="))
            if not sign or not who:
                raise ConfigError(f"syslog.timezones: {entry!r}: write `host=Zone/Name` or `10.0.0.0/8=Zone/Name`")
            zone = _zone("syslog.timezones", name)
            try:
                self._networks.append((ip_network(who, strict=False), zone))
            except ValueError:
                self._hosts[who.lower()] = zone
        self.of = lru_cache(maxsize=20_000)(self._of)

    def _of(self, host: str, peer: str) -> ZoneInfo:
        if host.lower() in self._hosts:
            return self._hosts[host.lower()]
        try:
            address = ip_address(peer)
        except ValueError:
            return self._default
        fitting = [(n.prefixlen, zone) for n, zone in self._networks if n.version == address.version and address in n]
        return max(fitting, key=lambda pair: pair[0])[1] if fitting else self._default


def _zone(key: str, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(f"{key}: {name!r} is not a time zone: write one like Europe/Paris") from error


def book(desk: Desk) -> RuleBook:
    """The desk's rules, kept current. Raises ConfigError."""
    return _kept(desk)[0]


def zones(desk: Desk) -> Zones:
    """The time zones of the desk's senders. Raises ConfigError."""
    return _kept(desk)[1]


def _kept(desk: Desk) -> tuple[RuleBook, Zones]:
    with _books_mutex:
        found = _books.get(desk)
        if found is None:
            local = Zones(desk.config.syslog.timezone, desk.config.syslog.timezones)
            found = _books[desk] = (RuleBook(own_folder(desk.config), may_lack=not desk.config.rules), local)
        return found


def own_folder(config: Config) -> Path:
    """Where the operator's rules stand: without a setting `rules` in the data folder, which may be absent."""
    return Path(config.rules) if config.rules else config.data_path / "rules"


def judge(rules: Ruleset, message: Message, marks: int) -> Verdict:
    """What becomes of a message: what its transport knows of it comes before the rules."""
    if marks & Mark.AGAIN:
        return _AGAIN
    if not message.text:
        return _EMPTY
    if message.form == "raw":
        if marks & Mark.CONTINUES:
            return _FRAGMENT
        verdict = rules.judge(message)
        return _UNREADABLE if verdict.rule is None else verdict
    if messages.is_repeat(message):
        return _REPEATED
    return rules.judge(message)


def encode(lines: Iterable[Line]) -> bytes:
    """The body of one delivery."""
    return b"\n".join([_encoder.encode(_record(line)) for line in lines])


def encode_silence(ended: Iterable[tuple[Ended, int]]) -> bytes:
    """The body of a delivery that says of these alerts that silence ended them. With the time: microseconds."""
    return b"\n".join([_encoder.encode(Record(at=at, silence=one)) for one, at in ended])


def _record(line: Line) -> Record:
    try:
        return Record(line.arrived, line.transport, line.peer, line.raw.decode(), None, line.marks)
    except UnicodeDecodeError:
        return Record(line.arrived, line.transport, line.peer, "", line.raw, line.marks)


def records(raw: bytes) -> list[Record | str]:
    """The entries of a body; a sentence stands for one that cannot be read."""
    found: list[Record | str] = []
    for row in raw.split(b"\n"):
        try:
            found.append(_decoder.decode(row))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            found.append(f"is no entry of a syslog delivery: {error}")
    return found


def line_of(record: Record) -> bytes:
    """The line as it came."""
    return record.line.encode() if record.b64 is None else bytes(record.b64)


def shown(record: Record) -> str:
    """The line as text; bytes that are no UTF-8 as escapes."""
    return record.line if record.b64 is None else bytes(record.b64).decode("utf-8", "backslashreplace")


def parse(desk: Desk, raw: bytes) -> Parsed:
    """Events of one stored body, by the rules of this moment. Raises MalformedPayload when no entry can be read."""
    rules, local = book(desk).current(), zones(desk)
    entries = records(raw)
    errors = tuple((i, entry) for i, entry in enumerate(entries) if isinstance(entry, str))
    if len(errors) == len(entries):
        raise MalformedPayload("the body holds no entry of a syslog delivery")
    told, silent = [], {}
    for index, entry in enumerate(entries):
        if isinstance(entry, str):
            continue
        if entry.silence is not None:
            silent[index] = _ended(entry)
            continue
        one = read(rules, local, index, entry)
        if one.verdict.kind in ("fire", "recover"):
            told.append(one)
    found = events(told, template) | silent
    return Parsed(tuple(sorted(found.items())), errors, silent=len(entries) - len(found) - len(errors))


def read(rules: Ruleset, zones: Zones, index: int, record: Record) -> Told:
    """One entry, judged."""
    message = messages.parse(line_of(record))
    verdict = judge(rules, message, record.marks)
    arrived = from_us(min(max(record.at, 0), _LATEST))
    zone = zones.of(message.host, record.peer)
    at = sent_at(message.stamp, message.zone, message.unset, arrived, zone)
    return Told(index, at, arrived, message, verdict, record.peer, shown(record))


_LATEST = int(timedelta(days=365 * 7000).total_seconds() * 1_000_000)


def _ended(record: Record) -> LineEvent:
    e, at = record.silence, from_us(min(max(record.at, 0), _LATEST))
    assert e is not None  # noqa: S101 - the caller looked
    fingerprint = e.key.hex()[:16]
    said: dict[str, str] = {}
    return LineEvent(
        e.key, e.name, "resolved", e.severity, at, at, True, e.labels, said, e.summary, fingerprint, "",
        rule=e.rule, host=e.host,
    )  # fmt: skip


def ended(event: LineEvent) -> Ended:
    """What must be kept of an event, so that silence can end its alert."""
    return Ended(event.key, event.name, event.severity, dict(event.labels), event.summary, event.rule, event.host)


def encode_ended(event: LineEvent) -> bytes:
    return _encoder.encode(ended(event))


def decode_ended(raw: bytes) -> Ended:
    return msgspec.json.decode(raw, type=Ended)


def failing_examples(rules: Sequence[Rule], everything: Ruleset, zones: Zones) -> list[tuple[Rule, int, str]]:
    """The examples that rules carry and that do not come out as they say: (rule, number, sentence)."""
    found = []
    for rule in rules:
        for number, example in enumerate(rule.tests):
            line = Record(0, "udp", "192.0.2.1", example.line)
            one = read(everything, zones, 0, line)
            why = _differs(rule, example.gives, example.key or {}, one)
            if why:
                found.append((rule, number, why))
    return found


def _differs(rule: Rule, gives: str, key: Mapping[str, str], one: Told) -> str:
    decided = one.verdict.rule
    if one.verdict.kind != gives:
        by = f" by {decided.id}" if decided else ""
        return f"gives {one.verdict.kind}{by}, not {gives}"
    if gives != "ignore" and (decided is None or decided.id != rule.id):
        return f"is decided by {decided.id if decided else 'nothing'}"
    groups = groups_of(one.verdict, one.line.text)
    wrong = {name: groups.get(name, "") for name in key if groups.get(name, "") != key[name]}
    return f"has {wrong}, not { ({name: key[name] for name in wrong}) }" if wrong else ""
