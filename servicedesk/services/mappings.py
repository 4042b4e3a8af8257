"""What a body becomes: read by a receiver of the desk, or by a mapping that is being written. Keeps nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alert_receivers import mapped
from alert_receivers.event import AlertEvent, MalformedPayload, Receiver, visible
from alert_receivers.mapped import told_time
from servicedesk.desk import Desk
from servicedesk.errors import BadInput, FileError
from servicedesk.files import mappings as files

MOST = 1 << 20  # bytes of a body
MOST_MAPPING = 64 << 10  # characters of a mapping
SHOWN = 200  # events


@dataclass(frozen=True, slots=True)
class Told:
    """An event as it would be applied. index: of its entry in the body; starts_at, ends_at: RFC 3339, `received`: the
    sender did not say, so it is when the delivery was received. key: 16 hex digits of what makes it the same alert."""

    index: int
    status: str
    name: str
    severity: str
    summary: str
    starts_at: str
    ends_at: str
    clears: bool
    key: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    link: str


@dataclass(frozen=True, slots=True)
class Preview:
    """problem: why the body cannot be read as a whole; errors: (index, why) of entries that become dead letters;

    silent: entries that say nothing of a problem; more: events that are not shown.
    """

    problem: str
    events: tuple[Told, ...]
    errors: tuple[tuple[int, str], ...]
    silent: int = 0
    truncated: int = 0
    more: int = 0


def preview(desk: Desk, body: str, receiver: str = "", mapping: str = "") -> Preview:
    """The events of a body, read by a receiver of the desk or by the text of a mapping. Raises BadInput.

    A mapping that is faulty is told with line and key; without samples it is tried as well.
    """
    raw = body.encode("utf-8", "surrogateescape")
    if len(raw) > MOST:
        raise BadInput({"body": f"At most {MOST} bytes."})
    reads = _draft(mapping) if mapping.strip() else desk.receivers.get(receiver)
    if reads is None:
        raise BadInput({"receiver": f"There is no receiver {receiver!r}; there are: {', '.join(desk.receivers)}."})
    try:
        parsed = reads.parse(raw)
    except MalformedPayload as error:
        return Preview(visible(str(error)), (), ())
    shown = tuple(_told(index, event) for index, event in parsed.events[:SHOWN])
    errors = tuple((index, visible(why)) for index, why in parsed.errors[:SHOWN])
    return Preview("", shown, errors, parsed.silent, parsed.truncated, max(len(parsed.events) - SHOWN, 0))


def _draft(text: str) -> Receiver:
    if len(text) > MOST_MAPPING:
        raise BadInput({"mapping": f"At most {MOST_MAPPING} characters."})
    try:
        return mapped.receiver(files.draft(text))
    except FileError as error:
        place = f"line {error.line}" if error.line else ""
        raise BadInput({"mapping": ": ".join(part for part in (place, error.key, error.message) if part)}) from error


def _told(index: int, e: AlertEvent) -> Told:
    return Told(
        index,
        e.status,
        visible(e.name),
        visible(e.severity),
        visible(e.summary),
        told_time(e.starts_at),
        told_time(e.ends_at),
        e.clears,
        e.key.hex()[:16],
        {visible(name): visible(value) for name, value in sorted(e.labels.items())},
        {visible(name): visible(value) for name, value in sorted(e.annotations.items())},
        visible(e.generator_url),
    )
