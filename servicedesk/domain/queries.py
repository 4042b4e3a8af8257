"""Label values in PromQL and LogQL: as the value of a label matcher, escaped for its string, or as a number. Pure.

In `up{instance="${instance}", job=~"${job}|x"}` the first is written as a string, the second as a literal inside a
regular expression (RE2). A parameter of the type number or duration may stand outside of strings: `[${window}]`.
Go's string escapes hold in both languages (https://prometheus.io/docs/prometheus/latest/querying/basics/#string-literals).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from .parameters import SLOT, CannotAsk, Values

BARE_TYPES = ("number", "duration")
_TOKEN = re.compile(
    r"""(?P<slot>\$\$?\{[^}]*\}?)|(?P<double>"(?:[^"\\\n]|\\.)*")|(?P<single>'(?:[^'\\\n]|\\.)*')"""
    r"""|(?P<raw>`[^`]*`)|(?P<comment>\#[^\n]*)|(?P<other>.)""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a query. kind: double, single, raw, comment, slot, other; operator: what stands before a string."""

    kind: str
    text: str
    operator: str = ""


def pieces(query: str) -> Iterator[Piece]:
    """The query cut into strings, comments, slots and the rest; together they are the query."""
    before = ""
    for found in _TOKEN.finditer(query):
        kind, text = str(found.lastgroup), found[0]
        yield Piece(kind, text, _operator(before) if kind in ("double", "single") else "")
        before = (before + text)[-16:]


def _operator(before: str) -> str:
    found = re.search(r"(=~|!~|\|~|\|=|!=|=)\s*$", before)
    return found[1] if found else ""


def problem(query: str, types: Mapping[str, str]) -> str:
    """Why a query with slots cannot be used; "": it can. types: of the parameters."""
    for piece in pieces(query):
        for slot in SLOT.finditer(piece.text):
            if slot[2] is not None and (wrong := _misplaced(piece, slot[2], types)):
                return wrong
    return ""


def _misplaced(piece: Piece, name: str, types: Mapping[str, str]) -> str:
    if piece.kind == "slot":
        fits = types.get(name) in BARE_TYPES
        return "" if fits else f"${{{name}}} stands outside of a string: put it into double quotes, as a label's value"
    if piece.kind in ("raw", "comment"):
        return f"${{{name}}} stands in a {'backquoted string' if piece.kind == 'raw' else 'comment'}: use double quotes"
    return "" if piece.operator else f"${{{name}}} must be a label's value: after = != =~ or !~"


def fill(query: str, values: Values, types: Mapping[str, str], write_string: Callable[[str], str] | None = None) -> str:
    """The query with its values; write_string: how a text is written inside quotes. Raises CannotAsk."""
    if wrong := problem(query, types):
        raise CannotAsk(f"The query cannot be used: {wrong}.")
    return "".join(_filled(piece, values, write_string or string) for piece in pieces(query))


def _filled(piece: Piece, values: Values, write_string: Callable[[str], str]) -> str:
    def write(slot: re.Match[str]) -> str:
        if slot[2] is None:
            return "${"
        value = values.need(slot[2])
        if piece.kind == "slot":
            return value
        return write_string(literal(value) if piece.operator.endswith("~") else value)

    return SLOT.sub(write, piece.text)


def literal(value: str) -> str:
    """A text as an RE2 expression that matches it and nothing else."""
    return re.sub(r"([^A-Za-z0-9_\x80-\U0010ffff])", r"\\\1", value)


def string(value: str) -> str:
    """A text inside a string in quotes, Go's escapes; line breaks and controls by number."""
    out = []
    for char in value:
        if char == "\\":
            out.append("\\\\")
        elif char in "\"'":
            out.append(f"\\x{ord(char):02x}")  # by number: a backslash before the other kind of quote is an error
        elif ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0:
            out.append(f"\\x{ord(char):02x}" if ord(char) < 0x80 else f"\\u{ord(char):04x}")
        else:
            out.append(char)
    return "".join(out)


def matcher_string(value: str) -> str:
    r"""A text inside the double quotes of an Alertmanager matcher, which knows the escapes `\\`, `\"` and `\n` only."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
