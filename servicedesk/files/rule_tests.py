"""Tests of correlation rules: YAML files, `schema: 1`, recorded deliveries and the tickets that must come of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from servicedesk.files import typed, yaml


def _says(description: str, **rules: Any) -> msgspec.Meta:
    return msgspec.Meta(description=description, **rules)


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


_Count = Annotated[int, msgspec.Meta(ge=0)]


class DeliveryPart(_Part, frozen=True):
    """One delivery: its body here or in a file beside this one."""

    at: Annotated[str, _says("When it came: RFC 3339, such as 2026-11-22T03:00:00Z.")]
    source: Annotated[str, _says("Where it came from.")] = "test"
    receiver: Annotated[str, _says("alertmanager, events, syslog, or the name of a mapping.")] = "alertmanager"
    body: Annotated[str, _says("The body as it was sent.")] = ""
    file: Annotated[str, _says("A file with the body, beside the test.")] = ""


class TicketPart(_Part, frozen=True):
    """A ticket that must come."""

    alerts: Annotated[
        tuple[dict[str, str], ...], _says("Labels: each fits an alert of it, together they fit all.", min_length=1)
    ]
    rule: Annotated[str, _says("The rule that made it.")] = ""
    title: Annotated[str, _says("Its title.")] = ""


class ExpectPart(_Part, frozen=True):
    """Every ticket that must come, no other; and how many alerts stay records."""

    tickets: Annotated[tuple[TicketPart, ...], _says("The tickets, in any order.")] = ()
    records: Annotated[_Count | None, _says("How many alerts have no ticket.")] = None


class TestFile(_Part, frozen=True):
    """A test of correlation rules."""

    schema: Annotated[Literal[1], _says("The version of this format.")]
    deliveries: Annotated[tuple[DeliveryPart, ...], _says("In the order in which they came.", min_length=1)]
    expect: ExpectPart


@dataclass(frozen=True, slots=True)
class Delivery:
    at: datetime
    source: str
    receiver: str
    body: bytes


@dataclass(frozen=True, slots=True)
class RuleTest:
    deliveries: tuple[Delivery, ...]
    expect: ExpectPart


def load(path: Path) -> RuleTest:
    """A test with the bodies of its deliveries. Raises FileError with file, line and key."""
    document = yaml.load(path)
    found = typed.convert(document, TestFile)
    return RuleTest(
        tuple(_delivery(document, path.parent, i, part) for i, part in enumerate(found.deliveries)), found.expect
    )


def _delivery(document: yaml.Document, folder: Path, index: int, part: DeliveryPart) -> Delivery:
    keys: yaml.Keys = ("deliveries", index)
    at = _time(part.at)
    if at is None:
        raise document.error((*keys, "at"), "is no time with a zone: write one like 2026-11-22T03:00:00Z")
    if bool(part.body) is bool(part.file):
        raise document.error(keys, "needs either body or file")
    try:
        body = part.body.encode() if part.body else (folder / part.file).read_bytes()
    except OSError as error:
        raise document.error((*keys, "file"), f"cannot be read: {error.strerror}") from error
    return Delivery(at, part.source, part.receiver, body)


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None
