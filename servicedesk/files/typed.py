"""A document's plain values as typed structs (msgspec); what does not fit is named by file, line, key, and in words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from servicedesk.errors import FileError
from servicedesk.files.yaml import Document, Keys

T = TypeVar("T")
DecHook = Callable[[type, Any], Any]


def convert(doc: Document, kind: type[T], dec_hook: DecHook | None = None) -> T:
    """The document as a typed struct. Raises FileError that names the line and the key of what does not fit."""
    try:
        return msgspec.convert(doc.data, kind, str_keys=True, dec_hook=dec_hook)
    except msgspec.ValidationError as e:
        raise _explain(doc, str(e), kind, dec_hook) from e


_AT = re.compile(r"(?P<what>.*?)(?: - at (?P<in_key>`key` in )?`(?P<path>\$[^`]*)`)?", re.DOTALL)
_PART = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]|(\[\.\.\.\])")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<key>.*)`")
_ENUM = re.compile(r"Invalid enum value (?P<value>.*)", re.DOTALL)
_PLAIN_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "nothing",
}
_TYPES = re.compile(r"`([a-z| ]+)`")
_REGEX = re.compile(r" matching regex .*", re.DOTALL)


def _explain(doc: Document, message: str, kind: Any, dec_hook: DecHook | None) -> FileError:
    found = _AT.fullmatch(message)
    what, path = (found["what"], found["path"] or "$") if found else (message, "$")
    if found and found["in_key"]:
        path += "[...]"
    keys = _keys_of(path, message, doc.data, kind, dec_hook)
    if unknown := _UNKNOWN.fullmatch(what):
        return doc.error((*keys, unknown["key"]), unknown_key(unknown["key"], _fields_at(kind, keys)))
    if missing := _MISSING.fullmatch(what):
        return doc.error(keys, f"the key {missing['key']!r} is missing: add it")
    if wrong := _ENUM.fullmatch(what):
        what = f"{wrong['value']} is not one of the values that are known here{_choices(kind, keys)}"
    what = _TYPES.sub(lambda types: " or ".join(_PLAIN_WORDS.get(t, t) for t in types[1].split(" | ")), what)
    if (description := _description(kind, keys)) and _REGEX.search(what):
        what = _REGEX.sub(" of another form", what)
    what += f" ({description})" if description else ""
    return doc.error(keys, what[:1].lower() + what[1:])


def _description(kind: Any, keys: Keys) -> str:
    """What the value is for, as its type tells editors, too."""
    info = _type_at(kind, keys)
    extra = info.extra_json_schema if isinstance(info, msgspec.inspect.Metadata) else None
    return str((extra or {}).get("description", "")).rstrip(".")


def _choices(kind: Any, keys: Keys) -> str:
    found = [o for o in _options(_type_at(kind, keys)) if isinstance(o, msgspec.inspect.LiteralType)]
    return f": use one of {', '.join(str(v) for o in found for v in o.values)}" if found else ""


def unknown_key(key: str, known: list[str]) -> str:
    """The sentence about a key that nobody reads, with the nearest known one."""
    close = difflib.get_close_matches(key, known, 1)
    if close:
        return f"{key!r} is not a known key: did you mean {close[0]!r}?"
    return f"{key!r} is not a known key: remove it" + (f", or use one of {', '.join(known)}" if known else "")


def _keys_of(path: str, message: str, data: Any, kind: Any, dec_hook: DecHook | None) -> Keys:
    """`$.steps[1].id` as keys. msgspec writes a mapping's own key as `[...]`: the entry that, left alone in the
    mapping, gives the same message is the one that is meant."""
    keys: Keys = ()
    for name, index, hidden in _PART.findall(path):
        if not hidden:
            keys = (*keys, int(index) if index else name)
            continue
        alone = {key: _replaced(data, keys, {key: value}) for key, value in _at(data, keys).items()}
        guilty = [key for key, whole in alone.items() if _complaint(whole, kind, dec_hook) == message]
        if not guilty:
            break
        data, keys = alone[guilty[0]], (*keys, guilty[0])
    return keys


def _complaint(data: Any, kind: Any, dec_hook: DecHook | None) -> str:
    try:
        msgspec.convert(data, kind, str_keys=True, dec_hook=dec_hook)
    except msgspec.ValidationError as e:
        return str(e)
    return ""


def _at(data: Any, keys: Keys) -> Any:
    for key in keys:
        data = data[key]
    return data


def _replaced(data: Any, keys: Keys, value: Any) -> Any:
    """A copy of `data` with `value` at `keys`."""
    if not keys:
        return value
    copy = list(data) if isinstance(data, list) else dict(data)
    copy[keys[0]] = _replaced(data[keys[0]], keys[1:], value)  # type: ignore[index]
    return copy


def _fields_at(kind: Any, keys: Keys) -> list[str]:
    """The field names of the struct that stands at `keys` below `kind`."""
    found = [o for o in _options(_type_at(kind, keys)) if isinstance(o, msgspec.inspect.StructType)]
    return [f.encode_name for option in found for f in option.fields]


def _type_at(kind: Any, keys: Keys) -> Any:
    info: Any = msgspec.inspect.type_info(kind)
    for key in keys:
        info = _child(info, key)
    return info


def _options(info: Any) -> tuple[Any, ...]:
    if isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    return info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)


def _child(info: Any, key: str | int) -> Any:
    for option in _options(info):
        if isinstance(option, msgspec.inspect.StructType):
            for f in option.fields:
                if f.encode_name == key:
                    return f.type
        elif isinstance(option, msgspec.inspect.DictType):
            return option.value_type
        elif hasattr(option, "item_type"):
            return option.item_type
        elif isinstance(option, msgspec.inspect.TupleType) and isinstance(key, int) and key < len(option.item_types):
            return option.item_types[key]
    return info
