"""Values that a playbook takes from an alert's labels, and where they may stand in what a check asks. Pure.

Label values are other people's text. A value is taken only when it has the form of its type (and of the playbook's
own pattern); it is then put into a place by plain substitution, `${name}`, and written for that place: percent-encoded
in an address, escaped in a query's string. Nothing is evaluated, and no value can end the place that it stands in.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

LONGEST = 300


class BadValue(ValueError):
    """A value does not have the form of its place; the sentence says which form that is."""


class CannotAsk(Exception):
    """A check cannot be asked with these values; the sentence says why. Its verdict is inconclusive."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """labels: where its value comes from, the first that the alert has; pattern: an RE2 object, over the whole value.

    default: the value without a label, None: then the checks that need it are not asked. example: for tests.
    """

    name: str
    type: str = "text"
    labels: tuple[str, ...] = ()
    pattern: Any = field(default=None, compare=False)
    default: str | None = None
    example: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Values:
    """values: of the parameters that could be taken; problems: of each other one, why not."""

    values: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    def need(self, name: str) -> str:
        """The value. Raises CannotAsk."""
        if name not in self.values:
            raise CannotAsk(self.problems.get(name, f"There is no parameter {name!r}."))
        return self.values[name]


# --- types ------------------------------------------------------------------------------------------------------------

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@/-]{0,199}")
_HOST_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_LOOKS_LIKE_ADDRESS = re.compile(r"(?:0[xX][0-9a-fA-F]*|[0-9]+)")
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_DURATION = re.compile(r"[0-9]{1,6}(?:ms|s|m|h|d|w)")
_PATH = re.compile(r"/[A-Za-z0-9_./@:+=, -]{0,199}")
_URL_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]{1,300}")
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # controls, direction marks, surrogates, private use


def _text(value: str) -> str:
    if any(unicodedata.category(c) in _HIDDEN for c in value):
        raise BadValue("printable text without control characters or direction marks")
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value) or ".." in value or "//" in value:
        raise BadValue("a name of letters, digits and _ . : @ / -")
    return value


def host(value: str) -> str:
    """A host name (RFC 1123, underscores allowed) or an IP address in its one canonical spelling."""
    try:
        found = ipaddress.ip_address(value)
        if isinstance(found, ipaddress.IPv6Address) and found.scope_id:
            raise BadValue("an IP address without a zone")
        return str(found)
    except BadValue:
        raise
    except ValueError:
        pass
    bare = value.removesuffix(".")
    labels = bare.split(".")
    plain = bool(bare) and len(bare) <= 253 and all(_HOST_LABEL.fullmatch(label) for label in labels)
    if not plain or _LOOKS_LIKE_ADDRESS.fullmatch(labels[-1]):
        raise BadValue("a host name or an IP address in its usual spelling")
    return bare.lower()


def port(value: str) -> str:
    if not (value.isascii() and value.isdigit() and len(value) <= 5 and 0 < int(value) < 65536):
        raise BadValue("a port from 1 to 65535")
    return str(int(value))


def split_address(value: str) -> tuple[str, str]:
    """`host:port`, `[v6]:port`, `host` or a bare IPv6 address → (host, port or ""). Raises BadValue."""
    if value.startswith("["):
        inside, closed, rest = value[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise BadValue("host:port")
        return host(str(_v6(inside))), port(rest[1:]) if rest else ""
    if value.count(":") > 1:
        return str(_v6(value)), ""
    name, colon, number = value.partition(":")
    return host(name), port(number) if colon else ""


def _v6(value: str) -> ipaddress.IPv6Address:
    try:
        found = ipaddress.IPv6Address(value)
    except ValueError:
        raise BadValue("a host name or an IP address in its usual spelling") from None
    if found.scope_id:
        raise BadValue("an IP address without a zone")
    return found


def join_address(host_: str, port_: str) -> str:
    """host:port, with the brackets that an IPv6 address needs."""
    return f"[{host_}]:{port_}" if ":" in host_ else f"{host_}:{port_}"


def _host_of(value: str) -> str:
    return split_address(value)[0]


def _port_of(value: str) -> str:
    if value.isascii() and value.isdigit():
        return port(value)
    found = split_address(value)[1]
    if not found:
        raise BadValue("a port from 1 to 65535")
    return found


def _address(value: str) -> str:
    name, number = split_address(value)
    if not number:
        raise BadValue("host:port")
    return join_address(name, number)


def url(value: str) -> str:
    """An absolute http or https address: ASCII, no user name, its host as `host` reads it."""
    if not _URL_CHARACTERS.fullmatch(value):
        raise BadValue("an http or https address")
    try:
        parts = urlsplit(value)
        number = parts.port
    except ValueError:
        raise BadValue("an http or https address") from None
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise BadValue("an http or https address without a user name")
    name = _host_of(f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname)
    shown = f"[{name}]" if ":" in name else name
    netloc = shown if number is None else f"{shown}:{port(str(number))}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme.lower()}://{netloc}{parts.path or '/'}{query}"


def _matching(pattern: re.Pattern[str], form: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise BadValue(form)
        return value

    return check


def _path(value: str) -> str:
    if not _PATH.fullmatch(value) or ".." in value.split("/"):
        raise BadValue("an absolute path without ..")
    return value


@dataclass(frozen=True, slots=True)
class Type:
    """A type of parameters. read: the value in its canonical form, or BadValue."""

    name: str
    read: Callable[[str], str]
    example: str
    description: str


TYPES: dict[str, Type] = {
    t.name: t
    for t in (
        Type("text", _text, "any words", "printable text on one line"),
        Type("name", _name, "shop/web-1", "letters, digits and _ . : @ / -, as names in Kubernetes, jobs, devices"),
        Type("host", _host_of, "db1.example.org", "a host name or IP address; of `host:port` the host"),
        Type("port", _port_of, "9100", "a port; of `host:port` the port"),
        Type("address", _address, "db1.example.org:5432", "`host:port`"),
        Type("url", url, "https://shop.example.org/health", "an http or https address without a user name"),
        Type("number", _matching(_NUMBER, "a number"), "42", "a number"),
        Type("duration", _matching(_DURATION, "a duration such as 5m"), "5m", "a duration as Prometheus writes it"),
        Type("path", _path, "/var/lib", "an absolute path without `..`"),
    )
}


def shown(value: str, longest: int = 80) -> str:
    """A value of others inside a sentence: quoted, escaped, cut."""
    text = value if len(value) <= longest else value[: longest - 1] + "…"
    return "“" + "".join(c if unicodedata.category(c) not in _HIDDEN else f"\\u{ord(c):04x}" for c in text) + "”"


def take(parameter: Parameter, value: str) -> str:
    """The value in its canonical form. Raises BadValue."""
    if len(value) > LONGEST:
        raise BadValue(f"at most {LONGEST} characters")
    if not value:
        raise BadValue("not empty")
    read = TYPES[parameter.type].read(value)
    if parameter.pattern is not None and parameter.pattern.fullmatch(read) is None:
        raise BadValue("the playbook's pattern")
    return read


def resolve(parameters: Iterable[Parameter], labels: Mapping[str, str]) -> Values:
    """The parameters' values for one alert; a hostile or absent value is a problem with a sentence, never an error."""
    values: dict[str, str] = {}
    problems: dict[str, str] = {}
    for p in parameters:
        name = next((label for label in p.labels if labels.get(label)), None)
        given = labels[name] if name is not None else p.default
        if given is None:
            problems[p.name] = f"The alert has no label {' or '.join(p.labels)}, from which {p.name} is taken."
            continue
        try:
            values[p.name] = take(p, given)
        except BadValue as wrong:
            where = f"label {name}" if name else "default"
            problems[p.name] = f"{p.name} is not taken from the {where}: {shown(given)} is not {wrong}."
    return Values(values, problems)


def examples(parameters: Iterable[Parameter]) -> Values:
    """Each parameter's example, for dry runs without an alert."""
    return Values({p.name: p.example or p.default or TYPES[p.type].example for p in parameters})


# --- places -----------------------------------------------------------------------------------------------------------

SLOT = re.compile(r"\$(\$\{|\{([^}]*)\})")
_SLOT_NAME = re.compile(r"[a-z][a-z0-9_]*")


def names_in(text: str) -> tuple[str, ...]:
    """The parameters that a text names, in order."""
    return tuple(dict.fromkeys(m[2] for m in SLOT.finditer(text) if m[2] is not None))


def is_slot_name(name: str) -> bool:
    return _SLOT_NAME.fullmatch(name) is not None


def fill(text: str, values: Values, write: Callable[[str], str] = str) -> str:
    """`${name}` replaced by the value as `write` writes it; `$${` stands for `${`. Raises CannotAsk."""
    return SLOT.sub(lambda m: "${" if m[2] is None else write(values.need(m[2])), text)


def fill_text(text: str, parameters: Iterable[Parameter], values: Values) -> str:
    """A text for people: known values filled in, `<name>` where there is none; other `${…}` stay as they are."""
    known = {p.name for p in parameters}

    def word(slot: re.Match[str]) -> str:
        if slot[2] is None:
            return "${"
        return values.values.get(slot[2], f"<{slot[2]}>") if slot[2] in known else slot[0]

    return SLOT.sub(word, text) if known else text


def fill_as(type_: str, text: str, values: Values) -> str:
    """A field that is of one type once it is filled. Raises CannotAsk."""
    filled = fill(text, values)
    try:
        return TYPES[type_].read(filled)
    except BadValue as wrong:
        raise CannotAsk(f"{shown(filled)} is not {wrong}.") from None


_URL_PARTS = re.compile(r"(https?)://([^/?#@\\\s]+)([^?#\s]*)(?:\?([^#\s]*))?")


def url_problem(text: str, types: Mapping[str, str]) -> str:
    """Why an address with slots cannot be used; "": it can. types: of the parameters."""
    if SLOT.fullmatch(text):
        name = names_in(text)
        return "" if name and types.get(name[0]) == "url" else "a whole address needs a parameter of the type url"
    found = _URL_PARTS.fullmatch(text)
    if found is None:
        return "write http:// or https://, a host without a user name, a path and a query; or one parameter (type url)"
    wrong = [n for n in names_in(found[2]) if types.get(n) not in ("host", "port", "address")]
    return f"in the place of the host {wrong[0]} must have the type host, port or address" if wrong else ""


def fill_url(text: str, values: Values) -> str:
    """An address; each value is percent-encoded for its place. Raises CannotAsk."""
    if SLOT.fullmatch(text):
        return fill_as("url", text, values)
    found = _URL_PARTS.fullmatch(text)
    if found is None:
        raise CannotAsk(f"{shown(text)} is not an http or https address.")
    netloc = fill(found[2], values, lambda v: f"[{v}]" if v.count(":") > 1 and not v.startswith("[") else v)
    rest = fill(found[3], values, _encoded) + ("?" + fill(found[4], values, _encoded) if found[4] else "")
    try:
        return url(f"{found[1]}://{netloc}{rest}")
    except BadValue as wrong:
        raise CannotAsk(f"{shown(netloc + rest)} is not {wrong}.") from None


def _encoded(value: str) -> str:
    if any(part in (".", "..") for part in re.split(r"[/\\\\]", value)):
        raise CannotAsk(f"{shown(value)} would lead out of its place in the address.")
    return quote(value, safe="")
