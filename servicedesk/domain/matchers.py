r"""Label matchers, as Alertmanager reads them from 0.27 on (in its default mode).

    alertname="Watchdog"          equal
    severity!="info"              not equal
    alertname=~"Node.*"           regular expression (RE2), over the whole value
    namespace!~"kube-.*|test"     does not match it
    {alertname="X", job=~"a|b"}   several, joined by AND; the braces may be left out
    "a name with spaces"="x"      any UTF-8 name, in double quotes

An absent label counts as empty: `team=""` matches an alert without a team, and so does `team!="a"`.

There are two grammars. The UTF-8 one (matcher/parse) takes names and values as bare words without white space or any
of ``{}!=~,\"'` ``, or as Go strings in double quotes. The classic one (pkg/labels) takes classic label names only, but
bare values with nearly anything in them, and in quotes knows the escapes ``\n``, ``\"`` and ``\\`` only, so that
``instance=~"\d+"`` means what it says. The default mode tries both and lets the classic one win where it can read the
text, and so it is here; https://prometheus.io/docs/alerting/latest/configuration/#matcher describes it.
Errors are those of the UTF-8 grammar, with the position.

One difference on purpose: an expression is checked before it is anchored. `a)|(b` is refused, where Alertmanager's
`^(?:a)|(b)$` would slip out of its anchors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import re2

Op = Literal["=", "!=", "=~", "!~"]
MAX_LENGTH = 20_000
MAX_REGEX_MEMORY = 8 << 20


class MatcherError(ValueError):
    """A matcher cannot be read. column: where, counted from 1."""

    def __init__(self, message: str, text: str, column: int) -> None:
        self.message, self.text, self.column = message, text, column
        shown = text if len(text) <= 120 else text[:117] + "…"
        super().__init__(f"{message} (column {column} of {shown})")


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label. Made by `matcher`, which compiles the expression."""

    name: str
    op: Op
    value: str
    expression: Any = field(default=None, compare=False, repr=False)

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.name, "")
        if self.op == "=":
            return value == self.value
        if self.op == "!=":
            return value != self.value
        return (self.expression.fullmatch(_utf8(value)) is not None) is (self.op == "=~")

    def __str__(self) -> str:
        name = self.name if _CLASSIC_NAME.fullmatch(self.name) else _quote(self.name)
        return f"{name}{self.op}{_quote(self.value)}"


def matcher(name: str, op: Op, value: str) -> Matcher:
    """A matcher. Raises ValueError when the regular expression is not one that RE2 knows."""
    return Matcher(name, op, value, _compile(value) if op in ("=~", "!~") else None)


def match_all(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether every matcher matches (AND). No matcher at all matches everything."""
    return all(m.matches(labels) for m in matchers)


def parse_matcher(text: str) -> Matcher:
    """Exactly one matcher. Raises MatcherError."""
    found = parse_matchers(text)
    if len(found) != 1:
        raise MatcherError(f"one matcher is expected here, not {len(found)}", text, 1)
    return found[0]


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """The matchers of `{a="b", c=~"x.*"}`, braces optional; an empty text or `{}` gives none. Raises MatcherError."""
    if len(text) > MAX_LENGTH:
        raise MatcherError(f"is longer than {MAX_LENGTH} characters", text, MAX_LENGTH)
    classic = _parse_classic(text)
    if classic is not None:
        return classic
    return _Parser(text).parse()


# --- regular expressions -------------------------------------------------------------------------------------------


def _compile(value: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_REGEX_MEMORY
    try:
        return re2.compile(_utf8(value).decode(), options)
    except re2.error as e:
        why = e.args[0].decode("utf-8", "replace") if isinstance(e.args[0], bytes) else str(e.args[0])
        raise ValueError(f"the regular expression {value!r} does not work: {why}") from e


def _utf8(text: str) -> bytes:
    """Labels of hostile senders may hold half a surrogate pair, which has no UTF-8: it is compared as U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


# --- the classic grammar (pkg/labels, OpenMetrics escapes) ---------------------------------------------------------

# Unicode's White_Space, as Go's unicode.IsSpace; Python's str.strip would take U+001C to U+001F too
_SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_CLASSIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_ASCII_SPACE = "\t\n\f\r "  # \s of Go's regexp
_CLASSIC = re.compile(r"[\t\n\f\r ]*([a-zA-Z_:][a-zA-Z0-9_:]*)[\t\n\f\r ]*(=~|=|!=|!~)(.*)", re.DOTALL)


def _parse_classic(text: str) -> tuple[Matcher, ...] | None:
    """None when this grammar cannot read the text."""
    found: list[Matcher] = []
    for part in _classic_parts(text.removeprefix("{").removesuffix("}")):
        match = _CLASSIC.fullmatch(part)
        value = _classic_value(match[3].strip(_ASCII_SPACE)) if match else None
        if match is None or value is None:
            return None
        op: Any = match[2]
        try:
            found.append(matcher(match[1], op, value))
        except ValueError:
            return None
    return tuple(found)


def _classic_parts(text: str) -> list[str]:
    parts, start, quoted, escaped = [], 0, False, False
    for i, char in enumerate(text):
        if char == ",":
            if not quoted:
                parts.append(text[start:i])
                start = i + 1
            continue  # a comma does not end an escape: so it is there
        if char == '"' and not escaped:
            quoted = not quoted
        escaped = char == "\\" and not escaped
    last = text[start:].strip(_SPACES)
    return [*parts, last] if last else parts


_CLASSIC_ESCAPE = re.compile(r'\\([n"\\])')
_BARE_QUOTE = re.compile(r'(?<!\\)(?:\\\\)*"')


def _classic_value(raw: str) -> str | None:
    if raw.startswith('"'):
        if not re.fullmatch(r'"(?:[^"\\]|\\.)*"', raw, re.DOTALL):
            return None
        raw = raw[1:-1]
    elif _BARE_QUOTE.search(raw):
        return None
    return _CLASSIC_ESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1], raw)


# --- the UTF-8 grammar (matcher/parse, Go's string escapes) --------------------------------------------------------

_SPACE = re.compile(f"[{_SPACES}]*")
_OPERATOR = re.compile(r"=~|!~|!=|=")
_BARE = re.compile(rf"""[^{{}}!=~,\\"'`{_SPACES}]+""")
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"', re.DOTALL)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def parse(self) -> tuple[Matcher, ...]:
        self.space()
        braces = self.take("{")
        found: list[Matcher] = []
        while not self.ends(braces):
            found.append(self.one())
            if not self.ends(braces) and not self.take(","):
                raise self.fault(f"a comma{' or }' if braces else ''} is expected")
        if braces and not self.take("}"):
            raise self.fault("the closing } is missing")
        if self.at < len(self.text):
            raise self.fault("nothing more is expected")
        return tuple(found)

    def one(self) -> Matcher:
        name = self.word("a label name is expected (in double quotes, if it holds special characters)")
        if not (op := _OPERATOR.match(self.text, self.at)):
            raise self.fault("one of = != =~ !~ is expected")
        self.at = op.end()
        self.space()
        start = self.at
        value = self.word("a value is expected (in double quotes, if it holds special characters)")
        kind: Any = op[0]
        try:
            return matcher(name, kind, value)
        except ValueError as e:
            raise MatcherError(str(e), self.text, start + 1) from e

    def word(self, expected: str) -> str:
        if bare := _BARE.match(self.text, self.at):
            self.at = bare.end()
            self.space()
            return bare[0]
        if not self.text.startswith('"', self.at):
            raise self.fault(expected)
        if not (quoted := _QUOTED.match(self.text, self.at)):
            raise self.fault("the closing double quote is missing")
        value = self.unquote(quoted[0][1:-1])
        self.at = quoted.end()
        self.space()
        return value

    def unquote(self, body: str) -> str:
        out, last = bytearray(), 0
        for escape in _ESCAPE.finditer(body):
            out += _utf8(body[last : escape.start()])
            last = escape.end()
            out += self.unescape(escape)
        out += _utf8(body[last:])
        try:
            return out.decode()
        except UnicodeDecodeError:
            raise self.fault("the text in quotes is not valid UTF-8") from None

    def unescape(self, escape: re.Match[str]) -> bytes:
        body = escape[0][1:]
        if body in _SIMPLE:
            return _SIMPLE[body]
        if body[0] == "x" and len(body) == 3:
            return bytes([int(body[1:], 16)])
        if body[0] in "01234567" and len(body) == 3 and int(body, 8) < 256:
            return bytes([int(body, 8)])
        if body[0] in "uU" and len(body) > 1 and (code := int(body[1:], 16)) < 0x110000 and not 0xD800 <= code < 0xE000:
            return chr(code).encode()
        raise self.fault(f"the escape \\{body} is not known: write \\\\ for a backslash", 1 + escape.start())

    def take(self, char: str) -> bool:
        if not self.text.startswith(char, self.at):
            return False
        self.at += 1
        self.space()
        return True

    def ends(self, braces: bool) -> bool:
        return self.at >= len(self.text) or (braces and self.text[self.at] == "}")

    def space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def fault(self, message: str, offset: int = 0) -> MatcherError:
        return MatcherError(message, self.text, self.at + offset + 1)


_ESCAPE = re.compile(
    r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL
)  # what does not match whole is taken as one character, and refused
_SIMPLE = {
    "a": b"\a", "b": b"\b", "f": b"\f", "n": b"\n", "r": b"\r", "t": b"\t", "v": b"\v", "\\": b"\\", '"': b'"',
}  # fmt: skip
