"""What a mapping says: how the JSON of a sender becomes events. The format of alert_receivers/mappings/*.yaml.

A *text* is what it says, with `{path}` replaced by the value at that path; a list of texts gives the first that is not
empty. A path is `host.name`, `hosts[0].name`, `labels."dotted.name"`; `$.` before it begins at the whole body instead
of at the entry. What is not there is empty. Nothing of a body is ever evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

Step = str | int
Path = tuple[bool, tuple[Step, ...]]
"""(from the root of the body?, the steps)."""
Place = tuple[str | int, ...]

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_STEP = re.compile(r'\.?([^.\[\]"{}\s]+)|\."([^"]*)"|^"([^"]*)"|\[(\d{1,6})\]')


def _says(description: str, **rules: Any) -> msgspec.Meta:
    return msgspec.Meta(description=description, **rules)


Text = Annotated[str, _says("A text; {path} is replaced by the value there.", max_length=2000)]
Texts = Annotated[Text | tuple[Text, ...], _says("A text, or a list of them: the first that is not empty.")]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Status(_Part, frozen=True):
    """Which words say that it fires, and which that it is over. Upper and lower case are alike."""

    text: Annotated[Texts, _says("Where the word stands.")]
    firing: Annotated[tuple[str, ...], _says("Words that say that it fires.", min_length=1)]
    resolved: Annotated[tuple[str, ...], _says("Words that say that it is over.")] = ()
    otherwise: Annotated[
        Literal["error", "firing", "nothing"],
        _says("Any other word, or none: error: a dead letter; firing; nothing: the entry says nothing of a problem."),
    ] = "error"


class Severity(_Part, frozen=True):
    """The severity word; the policy's table gives it its urgency."""

    text: Annotated[Texts, _says("Where the word stands.")]
    words: Annotated[dict[str, str], _says("Other words for it, such as `5: critical`.")] = {}


class Pairs(_Part, frozen=True):
    """A list of objects with a name and a value each, such as tags."""

    list: Annotated[str, _says("Path of the list.", min_length=1)]
    name: Annotated[str, _says("Member that holds the name.", min_length=1)]
    value: Annotated[str, _says("Member that holds the value.", min_length=1)]


class Names(_Part, frozen=True):
    """Names with their values: objects copied, lists of pairs, and single ones; the later wins. Empty ones go."""

    copy: Annotated[tuple[str, ...], _says("Paths of objects whose members are taken.")] = ()
    pairs: Annotated[tuple[Pairs, ...], _says("Lists of pairs.")] = ()
    set: Annotated[dict[str, Texts], _says("Single names.")] = {}
    drop: Annotated[tuple[str, ...], _says("Names that are left out.")] = ()


class Time(_Part, frozen=True):
    """A time. Without a format: RFC 3339, or seconds (milli-, micro-, nanoseconds) since 1970."""

    text: Annotated[Texts, _says("Where it stands.")]
    format: Annotated[str, _says("As Python's strptime reads it, such as `%Y.%m.%d %H:%M:%S`.")] = ""
    zone: Annotated[str, _says("The zone of times that name none, such as Europe/Paris.")] = "UTC"


class Expected(_Part, frozen=True, kw_only=True):
    """What a sample gives: only what is named is compared."""

    status: Literal["firing", "resolved"]
    name: str | None = None
    severity: str | None = None
    summary: str | None = None
    starts_at: Annotated[str | None, _says("RFC 3339; `received` when the sender told none.")] = None
    ends_at: str | None = None
    labels: dict[str, str] = {}


class Sample(_Part, frozen=True):
    """A body as the sender sends it, and the events that come of it: the test that a mapping carries with itself."""

    title: Annotated[str, _says("What it shows.", min_length=1, max_length=200)]
    body: Annotated[str, _says("The whole body.", min_length=1)]
    gives: Annotated[tuple[Expected, ...], _says("The events, in their order.")]


class Mapping(_Part, frozen=True, kw_only=True):
    """A mapping: how the JSON of a sender becomes events."""

    schema: Annotated[Literal[1], _says("The version of this format.")]
    name: Annotated[
        str, _says("The last part of the address that is posted to.", pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$")
    ]
    title: Annotated[str, _says("The sender's name.", min_length=1, max_length=100)]
    documentation: Annotated[str, _says("Where the sender's format is described.")] = ""
    setup: Annotated[str, _says("How the sender is set up, for people (Markdown).")] = ""
    body: Annotated[Literal["json", "ndjson"], _says("ndjson: a JSON value a line.")] = "json"
    entries: Annotated[
        str | tuple[str, ...],
        _says("Path of the list of entries, or several: the first that is there. None: the body is it, or the entry."),
    ] = ()
    only: Annotated[
        dict[str, tuple[str, ...]],
        _says("Entries that count: each text must be one of its words. The rest says nothing of a problem."),
    ] = {}
    status: Status
    name_: Annotated[Texts, _says("The alert's name: what is wrong.")] = msgspec.field(name="alert")
    severity: Annotated[Severity | None, _says("How bad it is.")] = None
    labels: Annotated[Names, _says("Labels: what it is about. Rules match them.")] = Names()
    key: Annotated[
        tuple[str, ...], _says("Labels that make it the same alert again; none: all labels and the name.")
    ] = ()
    annotations: Annotated[Names, _says("What the sender says besides.")] = Names()
    summary: Annotated[Texts, _says("One line for people.")] = ()
    link: Annotated[Texts, _says("Where the sender shows it.")] = ()
    starts_at: Annotated[Time | None, _says("When it began; none: when it was received.")] = None
    ends_at: Annotated[Time | None, _says("When it ended; none: when that was received.")] = None
    samples: Annotated[tuple[Sample, ...], _says("Bodies that show what it is for.", min_length=1)]


def problems(mapping: Mapping) -> Iterator[tuple[Place, str]]:
    """What the types alone do not say: (keys of the value, sentence that says what to do)."""
    for place, text in _texts(mapping):
        for found in _PLACEHOLDER.findall(text):
            if (why := wrong_path(found)) is not None:
                yield place, why
    for place, path in _paths(mapping):
        if path and (why := wrong_path(path)) is not None:
            yield place, why
    for name in ("starts_at", "ends_at"):
        time = getattr(mapping, name)
        if time is not None and not _is_zone(time.zone):
            yield (name, "zone"), f"{time.zone!r} is not a time zone: write one like Europe/Paris"
    both = {word.casefold() for word in mapping.status.firing} & {word.casefold() for word in mapping.status.resolved}
    if both:
        yield ("status", "resolved"), f"{', '.join(sorted(both))} cannot say both that it fires and that it is over"


def _texts(mapping: Mapping) -> Iterator[tuple[Place, str]]:
    fields: list[tuple[Place, Texts]] = [
        (("status", "text"), mapping.status.text),
        (("alert",), mapping.name_),
        (("summary",), mapping.summary),
        (("link",), mapping.link),
        *((("only", text), text) for text in mapping.only),
    ]
    if mapping.severity is not None:
        fields.append((("severity", "text"), mapping.severity.text))
    for name in ("labels", "annotations"):
        fields += [((name, "set", key), value) for key, value in getattr(mapping, name).set.items()]
    for name in ("starts_at", "ends_at"):
        if (time := getattr(mapping, name)) is not None:
            fields.append(((name, "text"), time.text))
    for place, value in fields:
        for text in alternatives(value):
            yield place, text


def _paths(mapping: Mapping) -> Iterator[tuple[Place, str]]:
    yield from ((("entries",), path) for path in alternatives(mapping.entries))
    for name in ("labels", "annotations"):
        names: Names = getattr(mapping, name)
        yield from (((name, "copy", i), path) for i, path in enumerate(names.copy))
        yield from (((name, "pairs", i, "list"), pairs.list) for i, pairs in enumerate(names.pairs))


def alternatives(value: Texts) -> tuple[str, ...]:
    """The texts of a value that may be one or several."""
    return (value,) if isinstance(value, str) else value


def wrong_path(text: str) -> str | None:
    """Why this is no path; None when it is one."""
    try:
        parse_path(text)
    except ValueError as error:
        return str(error)
    return None


def parse_path(text: str) -> Path:
    """`$.a.b[0]` as (True, ("a", "b", 0)). Raises ValueError with a sentence."""
    rest, root = text, False
    if text == "$" or text.startswith(("$.", "$[")):
        rest, root = text[1:], True
    steps: list[Step] = []
    at = 0
    while at < len(rest):
        found = _STEP.match(rest, at)
        if found is None or (at == 0 and not root and rest.startswith(".")):
            raise ValueError(f"{text!r} is not a path: write one like host.name, hosts[0].name or $.title")
        plain, quoted, first, index = found.groups()
        steps.append(int(index) if index is not None else next(x for x in (plain, quoted, first) if x is not None))
        at = found.end()
    if not steps and not root:
        raise ValueError("a path is missing between the braces")
    return root, tuple(steps)


def pieces(text: str) -> tuple[str | Path, ...]:
    """A text cut at its placeholders: plain parts and paths. Raises ValueError."""
    out: list[str | Path] = []
    last = 0
    for found in _PLACEHOLDER.finditer(text):
        if found.start() > last:
            out.append(text[last : found.start()])
        out.append(parse_path(found[1]))
        last = found.end()
    if last < len(text):
        out.append(text[last:])
    return tuple(out)


def _is_zone(name: str) -> bool:
    try:
        return bool(ZoneInfo(name).key)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
