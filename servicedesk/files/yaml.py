"""Reading YAML strictly: YAML 1.2 core values, no surprises, and every error says file, line, key and what to do.

PyYAML speaks YAML 1.1, where `17:30` is the number 1050, `no` is false and a date is a date. Here only the scalars
of the YAML 1.2 core schema (https://yaml.org/spec/1.2.2/#103-core-schema) are more than text: `null` or `~`,
`true`, `false`, and numbers. Aliases, anchors, tags, several documents in one file and a key given twice are refused.
The document is built from the parser's events, so nothing in the file can name a Python object.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from servicedesk.errors import FileError

Keys = tuple[str | int, ...]
"""Where a value stands: ("steps", 1, "id")."""

MAX_BYTES = 1 << 20
MAX_DEPTH = 24

# libyaml's parser is ten times faster and gives the same events; a build without it works too.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_OCT = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INF = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_NAN = frozenset({".nan", ".NaN", ".NAN"})
_LONGEST_NUMBER = 100


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, counted from 1."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says: plain values, the place of each, and the text it was read from."""

    data: Any
    text: str
    file: str
    places: Mapping[Keys, Place] = field(repr=False)
    prefix: Keys = ()  # of a part of a document: where it stands in the whole

    def part(self, keys: Keys) -> Document:
        """The value at `keys` as a document of its own; its errors name the place in the whole."""
        data = self.data
        for key in keys:
            data = data[key]
        inside = {at[len(keys) :]: place for at, place in self.places.items() if at[: len(keys)] == keys}
        return Document(data, self.text, self.file, inside, (*self.prefix, *keys))

    def place(self, keys: Keys) -> Place:
        """The place of the value at `keys`, or of the nearest thing around it."""
        while keys and keys not in self.places:
            keys = keys[:-1]
        return self.places.get(keys, Place(self.file, 1))

    def error(self, keys: Keys, message: str) -> FileError:
        place = self.place(keys)
        return FileError(message, place.file, place.line, dotted((*self.prefix, *keys)))


def dotted(keys: Keys) -> str:
    """steps[1].id: a path as a person reads it."""
    out = ""
    for key in keys:
        out += f"[{key}]" if isinstance(key, int) else (f".{key}" if out else key)
    return out


def read_text(path: Path) -> str:
    """The file's text (UTF-8, at most 1 MiB). Raises FileError."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FileError(f"is over {MAX_BYTES >> 20} MiB: split it into several files", str(path))
        return path.read_bytes().decode("utf-8-sig")
    except OSError as e:
        raise FileError(
            f"cannot be read ({e.strerror or e}): check that it exists and who may read it", str(path)
        ) from e
    except UnicodeDecodeError as e:
        raise FileError(f"is not UTF-8 text (byte {e.start}): save it as UTF-8", str(path)) from e


def load(path: Path) -> Document:
    """Read and parse one file. Raises FileError."""
    return parse(read_text(path), str(path))


def parse(text: str, file: str) -> Document:
    """Parse one YAML document. An empty one has the data None. Raises FileError with the line of the first fault."""
    build = _Builder(file)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            build.take(event)
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        what = ", ".join(part for part in (e.context, e.problem) if part)
        hint = "; indent with spaces, not tabs" if "cannot start any token" in what and _tab_at(text, mark) else ""
        raise FileError(f"is not valid YAML: {what}{hint}", file, mark.line + 1 if mark else None) from e
    except yaml.YAMLError as e:
        raise FileError(f"is not valid YAML: {' '.join(str(e).split())}", file) from e
    return Document(build.root, text, file, build.places)


def _tab_at(text: str, mark: Any) -> bool:
    return mark is not None and "\t" in (text.splitlines()[mark.line : mark.line + 1] or [""])[0][: mark.column + 1]


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being read."""

    value: dict[str, Any] | list[Any]
    keys: Keys
    key: str | None = None  # of a mapping: the key that waits for its value


class _Builder:
    """Turns the parser's events into plain values with an explicit stack: no depth can exhaust Python's own."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Any = None
        self.places: dict[Keys, Place] = {}
        self.stack: list[_Open] = []
        self.documents = 0

    def take(self, event: Any) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    raise self.fault(event, "a second document starts here (---): put it into a file of its own")
            case yaml.AliasEvent():
                raise self.fault(event, f"the alias *{event.anchor} is refused: write the value out")
            case yaml.ScalarEvent():
                self.refuse_extras(event)
                self.scalar(event)
            case yaml.MappingStartEvent():
                self.refuse_extras(event)
                self.begin(event, {})
            case yaml.SequenceStartEvent():
                self.refuse_extras(event)
                self.begin(event, [])
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self.stack.pop()

    def fault(self, event: Any, message: str) -> FileError:
        keys = self.stack[-1].keys if self.stack else ()
        return FileError(message, self.file, event.start_mark.line + 1, dotted(keys))

    def refuse_extras(self, event: Any) -> None:
        if event.anchor is not None:
            raise self.fault(event, f"the anchor &{event.anchor} is refused: write the value out where it is needed")
        if event.tag is not None:
            raise self.fault(event, f"the tag {_written(event.tag)} is refused: remove it")

    def begin(self, event: Any, value: dict[str, Any] | list[Any]) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise self.fault(event, f"is nested more than {MAX_DEPTH} deep: make it flatter")
        if self.stack and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None:
            raise self.fault(event, "a list or mapping cannot be a key: put the key into quotes if it is meant as text")
        self.stack.append(_Open(value, self.put(event, value)))

    def scalar(self, event: Any) -> None:
        top = self.stack[-1] if self.stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            if event.value in top.value:
                where = self.places[(*top.keys, event.value)].line
                raise self.fault(event, f"the key {event.value!r} stands here twice (first on line {where}): keep one")
            top.key = event.value
            self.places[(*top.keys, event.value)] = Place(self.file, event.start_mark.line + 1)
            return
        plain = event.implicit[0]
        self.put(event, core_value(event.value) if plain else event.value)

    def put(self, event: Any, value: Any) -> Keys:
        """Put a value where the innermost open thing waits for it."""
        keys: Keys = ()
        if not self.stack:
            self.root = value
        else:
            top = self.stack[-1]
            if isinstance(top.value, list):
                keys = (*top.keys, len(top.value))
                top.value.append(value)
            else:
                assert top.key is not None  # noqa: S101  begin() and scalar() have seen to it
                keys = (*top.keys, top.key)
                top.value[top.key], top.key = value, None
        # a mapping's value is found at its key's line, where a person looks for it
        self.places.setdefault(keys, Place(self.file, event.start_mark.line + 1))
        return keys


def _written(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def core_value(text: str) -> Any:
    """A plain (unquoted) scalar by the YAML 1.2 core schema: null, true, false, numbers; everything else is text."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if text[0] in "+-.0123456789" and len(text) <= _LONGEST_NUMBER:
        return _number(text)
    return text


def _number(text: str) -> Any:
    if _INT.fullmatch(text):
        return int(text)
    if _OCT.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INF.fullmatch(text):
        return -math.inf if text[0] == "-" else math.inf
    return math.nan if text in _NAN else text


def merge(base: Document, over: Document) -> Document:
    """`over` laid upon `base`, key by key: mappings are merged, lists and values replaced, `null` takes a key away."""
    places = dict(base.places)
    data = _merge(base.data, over.data, (), places, over.places)
    return Document(data, over.text, over.file, places)


def _merge(base: Any, over: Any, keys: Keys, places: dict[Keys, Place], new: Mapping[Keys, Place]) -> Any:
    if not (isinstance(base, dict) and isinstance(over, dict)):
        places.update({at: place for at, place in new.items() if at[: len(keys)] == keys})
        return over
    out = dict(base)
    for key, value in over.items():
        at = (*keys, key)
        places[at] = new[at]
        if value is None:
            out.pop(key, None)
        else:
            out[key] = _merge(base.get(key), value, at, places, new)
    return out
