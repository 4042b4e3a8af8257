"""Which syslog lines become alerts: rules as data, judged purely and in time linear in the length of a line.

The first rule that a line fits decides. All expressions of all rules are searched in one pass (RE2's Filter); what a
line must also be (severity, facility, host, app) is compared afterwards, for the few rules that are left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, Protocol

import re2

Action = Literal["alert", "record", "keep", "ignore"]
Kind = Literal["fire", "recover", "keep", "ignore"]
Place = tuple[str | int, ...]

SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "console", "cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
KEY_FIELDS = ("host", "app", "template", "text", "peer", "severity", "facility")
MAX_PATTERN = 2_000  # characters
MAX_RULES = 2_000
PATTERN_MEMORY = 4 << 20
TAG_LIMIT = 32  # characters of a program's name that every relay keeps
_NO_RULE = "no rule asks for it"


class Subject(Protocol):
    """A line as the rules see it. parsed: it had a header that is known."""

    @property
    def facility(self) -> int: ...
    @property
    def severity(self) -> int: ...
    @property
    def host(self) -> str: ...
    @property
    def app(self) -> str: ...
    @property
    def text(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Threshold:
    """So many lines (or distinct values of a group) of one key within this time. distinct: a group's name, or ""."""

    count: int
    within: timedelta
    distinct: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """A line that shows what a rule is for, and what comes of it: the test that a rule carries with itself."""

    line: str
    gives: Kind
    key: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Empty filters fit every line. severities, facilities: numbers; hosts, apps: names with * and ?.

    messages: one of them must be found in the text; excludes: none of them may. recoveries: a text that says that it
    is over. severity: the word that the alert carries, "": the line's own. key: what makes two lines one alert.
    """

    id: str
    title: str
    action: Action = "alert"
    explain: str = ""
    severities: frozenset[int] = frozenset()
    facilities: frozenset[int] = frozenset()
    hosts: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    recoveries: tuple[str, ...] = ()
    severity: str = ""
    service: str = ""
    category: str = ""
    key: tuple[str, ...] = ()
    summary: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    threshold: Threshold | None = None
    silence: timedelta | None = None
    join: bool = False
    examples: int = 20
    tests: tuple[Example, ...] = ()
    file: str = ""

    @property
    def clears(self) -> bool:
        """Can its source say that the alert is over?"""
        return bool(self.recoveries) or self.silence is not None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled expression and the names of its groups with their numbers, which are slow to ask for."""

    expression: Any
    groups: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a line, and why. found: the expression that was found, for its groups."""

    kind: Kind
    rule: Rule | None
    reason: str
    found: Pattern | None = None


def problems(rule: Rule) -> Iterator[tuple[Place, str]]:
    """What the types alone do not say of one rule: (keys of the value, sentence that says what to do)."""
    groups: set[str] = set()
    for name, patterns in (("message", rule.messages), ("not", rule.excludes), ("recovery", rule.recoveries)):
        for i, pattern in enumerate(patterns):
            try:
                groups |= set(compile_pattern(pattern).groupindex)
            except ValueError as error:
                yield (name, i), str(error)
    yield from _unknown_names(rule, {*KEY_FIELDS, *groups})
    if rule.recoveries and not rule.messages:
        yield ("recovery",), "needs a message beside it: what is it that ends?"
    if rule.action in ("keep", "ignore") and (rule.threshold or rule.recoveries or rule.silence):
        yield ("action",), "with a threshold, recovery or silence the action must be alert or record"


def _unknown_names(rule: Rule, known: set[str]) -> Iterator[tuple[Place, str]]:
    what = f"is neither a group of the expressions nor one of {', '.join(KEY_FIELDS)}"
    for i, part in enumerate(rule.key):
        if part not in known:
            yield ("key", i), f"{part!r} {what}"
        elif rule.recoveries and part in ("template", "text"):
            yield ("key", i), f"{part!r} differs between the line that fires and the one that recovers: use a group"
    for name in _PLACEHOLDER.findall(rule.summary):
        if name not in known:
            yield ("summary",), f"{{{name}}} {what}"
    if rule.threshold is not None and rule.threshold.distinct and rule.threshold.distinct not in known:
        yield ("threshold", "distinct"), f"{rule.threshold.distinct!r} {what}"


def compile_pattern(pattern: str) -> Any:
    """An expression as RE2 reads it. Raises ValueError with a sentence."""
    if not pattern:
        raise ValueError("is empty and would be found in every line: leave it out, or write what to look for")
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"is longer than {MAX_PATTERN} characters")
    try:
        compiled = re2.compile(pattern, _options())
    except re2.error as error:
        why = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error.args[0])
        raise ValueError(f"the expression {pattern!r} does not work: {why}") from error
    if compiled.search(b"") is not None:
        raise ValueError(f"the expression {pattern!r} is found in an empty line, so in every one: be more exact")
    return compiled


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = PATTERN_MEMORY
    return options


_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


class Ruleset:
    """Rules in the order in which they are asked, compiled. Immutable, thread-safe.

    Raises ValueError when an expression does not work, or there are too many rules.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        if len(self.rules) > MAX_RULES:
            raise ValueError(f"there are {len(self.rules)} rules, at most {MAX_RULES} are looked at")
        self._filter = re2.Filter()
        self._says: list[tuple[int, int, Verdict]] = []  # of each expression: its rule, its part there, what it gives
        for number, rule in enumerate(self.rules):
            self._add(number, rule, _FIRES, rule.messages)
            self._add(number, rule, _ENDS, rule.recoveries)
            self._add(number, rule, _EXCLUDES, rule.excludes)
        if self._says:
            self._filter.Compile()
        self._names = [(_Names(rule.hosts), _Names(rule.apps, TAG_LIMIT)) for rule in self.rules]
        self._plain_verdicts = [_verdict(rule, over=False) for rule in self.rules]
        # Rules without an expression that a line of this priority may fit: most often one or none.
        plain = [(n, rule) for n, rule in enumerate(self.rules) if not rule.messages]
        self._plain = [
            tuple(n for n, rule in plain if _fits_priority(rule, pri >> 3, pri & 7))
            for pri in range(len(FACILITIES) * 8)
        ]

    def _add(self, number: int, rule: Rule, part: int, patterns: Iterable[str]) -> None:
        for pattern in patterns:
            expression = compile_pattern(pattern)
            self._filter.Add(pattern.encode(), _options())
            self._says.append((number, part, _verdict(rule, part == _ENDS, expression)))

    def judge(self, line: Subject) -> Verdict:
        """What becomes of this line."""
        plain = self._plain[line.facility * 8 + line.severity]
        matched = self._filter.Match(line.text.encode()) if self._says else None
        if matched:
            return self._first(line, plain, matched)
        for number in plain:
            if self._names_fit(number, line):
                return self._plain_verdicts[number]
        return _IGNORED

    def _first(self, line: Subject, plain: Sequence[int], matched: Iterable[int]) -> Verdict:
        gives: dict[int, tuple[int, Verdict]] = {}
        excluded: set[int] = set()
        for index in sorted(matched):
            number, part, verdict = self._says[index]
            if part == _EXCLUDES:
                excluded.add(number)
            elif number not in gives or part > gives[number][0]:  # that it is over is the more exact saying
                gives[number] = (part, verdict)
        for number in sorted({*gives, *plain} - excluded):
            part, verdict = gives.get(number, (_FIRES, self._plain_verdicts[number]))
            rule = self.rules[number]
            fits = number not in gives or _fits_priority(rule, line.facility, line.severity, over=part == _ENDS)
            if fits and self._names_fit(number, line):
                return verdict
        return _IGNORED

    def _names_fit(self, number: int, line: Subject) -> bool:
        hosts, apps = self._names[number]
        return hosts.fit(line.host) and apps.fit(line.app)


def _verdict(rule: Rule, over: bool, expression: Any = None) -> Verdict:
    if rule.action in ("ignore", "keep"):
        return Verdict(rule.action, rule, f"rule {rule.id}")
    found = None if expression is None else Pattern(expression, tuple(expression.groupindex.items()))
    return Verdict("recover" if over else "fire", rule, f"rule {rule.id}", found)


_FIRES, _ENDS, _EXCLUDES = 0, 1, 2  # the parts that an expression may have in a rule
_IGNORED = Verdict("ignore", None, _NO_RULE)


def _fits_priority(rule: Rule, facility: int, severity: int, over: bool = False) -> bool:
    """Does the line's priority fit? A recovery is often told with a lower severity than what it ends."""
    if rule.facilities and facility not in rule.facilities:
        return False
    return over or not rule.severities or severity in rule.severities


class _Names:
    """Names, of which some may hold * and ?; compared without regard to upper and lower case."""

    __slots__ = ("_cut", "_exact", "_patterns")

    def __init__(self, names: Sequence[str], cut: int | None = None) -> None:
        self._cut = cut
        self._exact = frozenset(n.lower()[:cut] for n in names if not _is_pattern(n))
        self._patterns = tuple(_glob(n.lower()) for n in names if _is_pattern(n))

    def fit(self, name: str) -> bool:
        if not self._exact and not self._patterns:
            return True
        name = name.lower()
        if name[: self._cut] in self._exact:
            return True
        return any(p.fullmatch(name.encode()) is not None for p in self._patterns)


def _is_pattern(name: str) -> bool:
    return "*" in name or "?" in name


def _glob(name: str) -> Any:
    parts = (".*" if c == "*" else "." if c == "?" else re2.escape(c) for c in name)
    return re2.compile("(?s)" + "".join(parts), _options())


def groups_of(verdict: Verdict, text: str) -> dict[str, str]:
    """What the named groups of the expression that was found hold."""
    pattern = verdict.found
    if pattern is None or not pattern.groups:
        return {}
    found = pattern.expression.search(text.encode())
    if found is None:
        return {}
    values = found.groups(b"")
    return {name: values[number - 1].decode() for name, number in pattern.groups}


def key_names(rule: Rule, groups: Mapping[str, str]) -> tuple[str, ...]:
    """What makes two lines of a rule one alert: as it says, else host and groups, else host, program and template."""
    if rule.key:
        return rule.key
    if groups:
        return ("host", *sorted(groups))
    return ("host",) if rule.threshold is not None else ("host", "app", "template")


def fill(text: str, values: Mapping[str, str]) -> str:
    """A text with {name} replaced; names without a value stay as they are. Values are never read again."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)
