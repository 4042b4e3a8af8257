"""Turning what lines look like into a rule: a draft, a preview over what is stored, the file that is hot reloaded."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alert_receivers.syslog import message as messages
from alert_receivers.syslog.masking import template as words_of
from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.domain.syslog_drafts import Draft, id_of, pattern_of
from servicedesk.domain.syslog_events import Told, key_parts
from servicedesk.domain.syslog_rules import Rule, Ruleset
from servicedesk.errors import BadInput, Conflict
from servicedesk.files import rule_text
from servicedesk.services.shared import identity, lines
from servicedesk.services.shared.lines import Record
from servicedesk.store import syslog as store
from servicedesk.store.views import syslog as views

LOOKED_AT = 20_000  # lines at most
DELIVERIES, BYTES = 200, 16 << 20  # of them, and of their text
TEMPLATES = 500  # whose examples stand for lines that are not stored
SHOWN = 20
KEYS = 10_000  # that are told apart


@dataclass(frozen=True, slots=True)
class Fit:
    """A line that the rule fits. now: what becomes of it today, and why; key: what it would belong to."""

    host: str
    app: str
    text: str
    now: str
    why: str
    key: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What the rule would do. looked: stored lines; fit: of them; alerts: different ones among these.

    samples, samples_fit: examples of templates, which stand for lines that are not stored. now: what becomes of the
    lines that fit today, by how many.
    """

    looked: int
    fit: int
    alerts: int
    samples: int
    samples_fit: int
    now: tuple[tuple[str, int], ...]
    fits: tuple[Fit, ...]
    source: str


def current(desk: Desk) -> tuple[Rule, ...]:
    """The rules in the order in which they are asked."""
    return lines.book(desk).current().rules


def begin(found: views.Template) -> Draft:
    """The draft that a template begins with."""
    read = messages.parse(found.example.encode("utf-8", "replace"))
    pattern = pattern_of(found.template, read.text)
    title = " ".join(found.template.replace("*", "…").split())[:120] or found.app or "Syslog"
    line = found.example if found.example.isprintable() and len(found.example) < 4_000 else ""
    return Draft(id_of(found.app, found.template), title, "alert", app=found.app, message=pattern, line=line)


def preview(desk: Desk, draft: Draft) -> Preview:
    """Try the rule alone on the newest stored lines and on the examples of templates. Raises BadInput."""
    alone = Ruleset([rule_text.check(draft)])
    today, zones = lines.book(desk).current(), lines.zones(desk)
    counts, now, keys, fits = [0, 0, 0, 0], Counter[str](), set[str](), list[Fit]()
    for is_sample, record in _records(desk):
        one = lines.read(alone, zones, 0, record)
        counts[2 * is_sample] += 1
        if one.verdict.rule is None or one.verdict.rule.id != draft.id:
            continue
        counts[2 * is_sample + 1] += 1
        before = lines.read(today, zones, 0, record).verdict
        now[f"{before.kind}: {before.reason}"] += 1
        if len(keys) < KEYS or len(fits) < SHOWN:
            key = _key(one)
            keys.add(key)
            if len(fits) < SHOWN:
                line = one.line
                fits.append(Fit(line.host or one.peer, line.app, line.text[:1_000], before.kind, before.reason, key))
    return Preview(
        counts[0], counts[1], len(keys), counts[2], counts[3], tuple(now.most_common(10)), tuple(fits),
        rule_text.text_of(draft),
    )  # fmt: skip


def _key(one: Told) -> str:
    return " ".join(f"{name}={value}" for name, value in key_parts(one, words_of).items())


def _records(desk: Desk) -> Iterator[tuple[bool, Record]]:
    """(is it a template's example, line): the newest stored lines, then the examples of the most frequent templates."""
    with desk.read() as tx:
        bodies = store.newest_bodies(tx, lines.RECEIVER, DELIVERIES)
        samples = views.templates(tx, limit=TEMPLATES).items
    count = size = 0
    for body in bodies:
        raw = zlib.decompress(body)
        size += len(raw)
        for record in lines.records(raw):
            if isinstance(record, Record) and record.silence is None:
                count += 1
                yield False, record
        if count >= LOOKED_AT or size >= BYTES:
            break
    for sample in samples:
        yield True, Record(0, "udp", "", sample.example)


def save(desk: Desk, actor: Actor, draft: Draft) -> Path:
    """Write the rule where it is read by itself; recorded. Answers the file. Raises NotAllowed, BadInput, Conflict."""
    identity.need_admin(actor)
    rule = rule_text.check(draft)
    book = lines.book(desk)
    if any(known.id == rule.id for known in book.look_again().rules):
        raise Conflict(f"There is a rule {rule.id!r} already: choose another name.")
    failing = lines.failing_examples([rule], Ruleset([rule]), lines.zones(desk))
    if failing:
        raise BadInput({"message": f"Its own example {failing[0][2]}: correct the expression or the filters."})
    text = rule_text.text_of(draft, actor.name)
    path = rule_text.write(lines.own_folder(desk.config), draft, actor.name)
    try:
        after = {"file": path.name, "text": text}
        desk.write(lambda tx: identity.record(tx, desk, actor, "rule", rule.id, None, after))
    except BaseException:  # what is not recorded does not count
        path.unlink(missing_ok=True)
        raise
    book.look_again()
    return path
