"""From a request to typed input: strict, unknown fields refused by name, every wrong field named at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast, get_origin

import msgspec
from flask import Request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import UnsupportedMediaType

from servicedesk.errors import BadInput

S = TypeVar("S", bound=msgspec.Struct)


class Elsewhere(BadInput):
    """Fields that are set by doing something else; `pointers` names the resource of each."""

    def __init__(self, fields: Mapping[str, str], pointers: Mapping[str, str]) -> None:
        super().__init__(fields)
        self.pointers = dict(pointers)


def body(kind: type[S], request: Request) -> S:
    """The JSON object of a request as `kind`. Raises BadInput naming every wrong field, UnsupportedMediaType."""
    return fields(kind, json_object(request))


def json_object(request: Request) -> dict[str, Any]:
    """The JSON object of a request, {} for no body at all; NUL, which no database stores, becomes visible."""
    raw = request.get_data(cache=True)
    if not raw:
        return {}
    if request.mimetype != "application/json" and not request.mimetype.endswith("+json"):
        raise UnsupportedMediaType("Send the body as application/json.")
    try:
        data = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"The body is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise BadInput("The body must be a JSON object.")
    return cast("dict[str, Any]", visible(data))


def visible(value: Any) -> Any:
    """The value with every NUL in its texts written out: PostgreSQL refuses it, and nobody types it."""
    if isinstance(value, str):
        return value.replace("\x00", "\\u0000")
    if isinstance(value, dict):
        return {visible(k): visible(v) for k, v in value.items()}
    if isinstance(value, list):
        return [visible(v) for v in value]
    return value


@contextmanager
def named(**names: str) -> Iterator[None]:
    """Fields that a service calls otherwise are told by the names that the caller sent: service name = API name."""
    try:
        yield
    except BadInput as error:
        raise BadInput({names.get(name, name): text for name, text in error.fields.items()}) from error


def query(kind: type[S], arguments: MultiDict[str, str]) -> S:
    """The query of an address as `kind`; lists by repeating a name. Raises BadInput naming every wrong one."""
    known = {f.encode_name: f for f in msgspec.structs.fields(kind)}
    data: dict[str, Any] = {}
    for name, values in arguments.lists():
        listed = name in known and get_origin(known[name].type) is tuple
        data[name] = tuple(values) if listed else values[-1]
    return fields(kind, data, strict=False)


def fields(kind: type[S], data: Mapping[str, Any], *, strict: bool = True) -> S:
    """A struct from names and values, judged one by one. Raises BadInput."""
    known = {f.encode_name: f for f in msgspec.structs.fields(kind)}
    wrong = {name: f"is unknown here; known: {', '.join(known)}" for name in data if name not in known}
    values: dict[str, Any] = {}
    for name, field in known.items():
        if name in data:
            try:
                values[field.name] = msgspec.convert(data[name], field.type, strict=strict)
            except msgspec.ValidationError as error:
                wrong[name] = _sentence(str(error))
        elif field.required:
            wrong[name] = "is missing"
    if wrong:
        raise BadInput(wrong)
    return kind(**values)


def _sentence(text: str) -> str:
    """msgspec's message without its path where that says nothing (`$` is the field itself)."""
    return text.removesuffix(" - at `$`").replace(" - at `$", " at `").replace("Expected", "must be", 1).strip()
