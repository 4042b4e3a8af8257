"""Reading syslog rules: YAML files, `schema: 1`, a list under `syslog`. The format is described in docs/syslog.md.

The operator's rules are asked first, in the order of file names and of the lists; then the shipped ones. A rule with
the id of a shipped one takes its place.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from servicedesk.domain.policy import Duration, decode
from servicedesk.domain.syslog_rules import FACILITIES, SEVERITIES, Example, Rule, Ruleset, Threshold, problems
from servicedesk.errors import FileError
from servicedesk.files import typed, yaml

SHIPPED = Path(__file__).parent / "defaults" / "rules"


def _says(description: str, **rules: Any) -> msgspec.Meta:
    return msgspec.Meta(description=description, **rules)


SeverityWord = Literal["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
Texts = str | tuple[str, ...]
_ID = r"^[a-z0-9]+(?:-[a-z0-9]+)*$"


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class MatchFile(_Part, frozen=True, rename={"not_": "not"}):
    """Which lines: all that is named must fit."""

    severity: Annotated[
        SeverityWord | tuple[SeverityWord, ...] | None, _says("One word: this severity or a worse one; a list: these.")
    ] = None
    facility: Annotated[Texts | None, _says("A facility, or a list of them.")] = None
    host: Annotated[Texts | None, _says("A host name or address with * and ?, or a list of them.")] = None
    app: Annotated[Texts | None, _says("A program's name with * and ?, or a list of them.")] = None
    message: Annotated[Texts | None, _says("An RE2 expression that is found in the text, or a list: one of them.")] = (
        None
    )
    not_: Annotated[Texts | None, _says("An RE2 expression that is not found in the text, or a list: none.")] = None


class ThresholdFile(_Part, frozen=True):
    """So many lines of one key within this time, before there is an alert."""

    count: Annotated[int, _says("How many.", ge=2, le=1000)]
    within: Annotated[Duration, _says("Within which time, such as 5m.")]
    distinct: Annotated[str, _says("Count different values of this group, not lines.")] = ""


class ExampleFile(_Part, frozen=True):
    """A line as a sender sends it, and what must come of it; `rules lint` tries it."""

    line: Annotated[str, _says("The whole line with its header.", min_length=1, max_length=4000)]
    gives: Annotated[Literal["fire", "recover", "keep", "ignore"], _says("What comes of it.")] = "fire"
    key: Annotated[dict[str, str] | None, _says("Groups that must have these values.")] = None


class RuleFile(_Part, frozen=True):
    """One rule: the first that a line fits decides."""

    id: Annotated[str, _says("Names the rule for good: lower case letters, digits, single hyphens.", pattern=_ID)]
    title: Annotated[str, _says("The alert's name; {group} is filled in.", min_length=1, max_length=200)]
    match: Annotated[MatchFile, _says("Which lines.")] = MatchFile()
    action: Annotated[
        Literal["alert", "record", "keep", "ignore"],
        _says("alert; record: an alert without a ticket; keep: store the line; ignore: count it."),
    ] = "alert"
    explain: Annotated[str, _says("What it means, for the ticket.", max_length=4000)] = ""
    severity: Annotated[str, _says("The alert's severity word instead of the line's own.", max_length=40)] = ""
    service: Annotated[str, _says("The service that the ticket is about.", max_length=200)] = ""
    category: Annotated[str, _says("The ticket's category.", max_length=80)] = ""
    key: Annotated[tuple[str, ...], _says("What makes two lines one alert: groups, host, app, template, …")] = ()
    summary: Annotated[
        str, _says("The alert's text; {group}, {host}, {app}, {text} are filled in.", max_length=500)
    ] = ""
    labels: Annotated[dict[str, str], _says("Labels that the alert gets besides.")] = {}
    threshold: Annotated[ThresholdFile | None, _says("Only when so many come.")] = None
    recovery: Annotated[Texts | None, _says("An RE2 expression, or a list, whose line says that it is over.")] = None
    silence: Annotated[Duration | None, _says("It is over when nothing came for so long.")] = None
    join: Annotated[bool, _says("Alerts of this rule that begin together share one ticket.")] = False
    examples: Annotated[int, _says("How many lines are kept with the alert.", ge=1, le=100)] = 20
    tests: Annotated[tuple[ExampleFile, ...], _says("Lines that show what it is for.")] = ()


class RulesFile(_Part, frozen=True):
    """Syslog rules of the service desk."""

    schema: Annotated[Literal[1], _says("The version of this format.")]
    syslog: Annotated[tuple[RuleFile, ...], _says("Rules, in the order in which they are asked.")] = ()


def parse(text: str, file: str) -> tuple[Rule, ...]:
    """The syslog rules of one file; none when it holds other rules. Raises FileError with file, line and key."""
    document = yaml.parse(text, file)
    if not isinstance(document.data, dict) or "schema" not in document.data:
        raise document.error((), "must be a mapping that starts with `schema: 1`")
    if "syslog" not in document.data and len(document.data) > 1:
        return ()  # rules of another kind
    read = typed.convert(document, RulesFile, decode)
    return tuple(_rule(document, i, rule) for i, rule in enumerate(read.syslog))


def _rule(document: yaml.Document, index: int, read: RuleFile) -> Rule:
    keys: yaml.Keys = ("syslog", index)
    m = read.match
    rule = Rule(
        id=read.id,
        title=read.title,
        action=read.action,
        explain=read.explain.strip(),
        severities=_severities(m.severity),
        facilities=_facilities(document, keys, m.facility),
        hosts=_texts(m.host),
        apps=_texts(m.app),
        messages=_texts(m.message),
        excludes=_texts(m.not_),
        recoveries=_texts(read.recovery),
        severity=read.severity,
        service=read.service,
        category=read.category,
        key=read.key,
        summary=read.summary,
        labels=read.labels,
        threshold=None if read.threshold is None else _threshold(document, keys, read.threshold),
        silence=read.silence,
        join=read.join,
        examples=read.examples,
        tests=tuple(Example(t.line, t.gives, t.key) for t in read.tests),
        file=document.file,
    )
    for place, message in problems(rule):
        raise document.error((*keys, *_written(place)), message)
    return rule


def _written(place: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Where a rule's part stands in the file."""
    return ("match", *place) if place[0] in ("message", "not") else place


def _texts(value: Texts | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


def _severities(value: SeverityWord | tuple[SeverityWord, ...] | None) -> frozenset[int]:
    if value is None:
        return frozenset()
    if isinstance(value, str):
        return frozenset(range(SEVERITIES.index(value) + 1))
    return frozenset(SEVERITIES.index(word) for word in value)


def _facilities(document: yaml.Document, keys: yaml.Keys, value: Texts | None) -> frozenset[int]:
    for name in _texts(value):
        if name not in FACILITIES:
            place = (*keys, "match", "facility")
            raise document.error(place, f"{name!r} is not a facility: use one of {', '.join(FACILITIES)}")
    return frozenset(FACILITIES.index(name) for name in _texts(value))


def _threshold(document: yaml.Document, keys: yaml.Keys, read: ThresholdFile) -> Threshold:
    if not 0 < read.within.total_seconds() <= 7 * 86400:
        raise document.error((*keys, "threshold", "within"), "must be longer than nothing and at most 7d")
    return Threshold(read.count, read.within, read.distinct)


def find(folder: Path) -> list[Path]:
    """The rule files of a folder. Raises FileError."""
    if not folder.is_dir():
        raise FileError("is not a folder: create it, or correct `rules` in the configuration", str(folder))
    return sorted(p for p in folder.rglob("*") if p.suffix in {".yaml", ".yml"} and p.is_file())


def read(path: Path) -> tuple[Rule, ...]:
    """The rules of one file. Raises FileError."""
    return parse(yaml.read_text(path), str(path))


def lint(paths: Iterable[Path]) -> tuple[tuple[Rule, ...], list[FileError]]:
    """The rules of files and folders, and what is wrong with them."""
    errors: list[FileError] = []
    rules: list[Rule] = []
    for file in dict.fromkeys(file for path in paths for file in (find(path) if path.is_dir() else [path])):
        try:
            rules += read(file)
        except FileError as error:
            errors.append(error)
    return _without_doubles(rules, errors), errors


def _without_doubles(rules: Iterable[Rule], errors: list[FileError]) -> tuple[Rule, ...]:
    chosen: dict[str, Rule] = {}
    for rule in rules:
        if rule.id in chosen:
            why = f"the id {rule.id!r} is taken by {chosen[rule.id].file}: give one of them another id"
            errors.append(FileError(why, rule.file, None, "id"))
        else:
            chosen[rule.id] = rule
    return tuple(chosen.values())


def together(own: Iterable[Rule], shipped: Iterable[Rule]) -> tuple[Rule, ...]:
    """All rules in the order in which they are asked."""
    own = tuple(own)
    ids = {rule.id for rule in own}
    return (*own, *(rule for rule in shipped if rule.id not in ids))


@dataclass(frozen=True, slots=True)
class _Known:
    """What was last seen of one file: its stamp, its last good rules, and the error if it is broken now."""

    stamp: tuple[int, int, int]
    rules: tuple[Rule, ...]
    error: FileError | None


class RuleBook:
    """The shipped rules and those of the operator's folder, kept current: files are looked at when somebody asks.

    A file that breaks keeps its last good rules and stands in `errors` until it is mended. may_lack: the folder need
    not be there. Thread-safe.
    """

    def __init__(
        self,
        folder: Path | None,
        every: float = 2.0,
        tick: Callable[[], float] = time.monotonic,
        may_lack: bool = False,
    ) -> None:
        self.folder, self._may_lack = folder, may_lack
        self._every, self._tick = every, tick
        self._lock = threading.Lock()
        self._known: dict[Path, _Known] = {}
        self._errors: tuple[FileError, ...] = ()
        self._shipped, _ = lint([SHIPPED])
        self._ruleset = Ruleset(self._shipped)
        self._looked = tick()
        self._look()

    @property
    def errors(self) -> tuple[FileError, ...]:
        """What is wrong with the files now."""
        self.current()
        return self._errors

    def current(self) -> Ruleset:
        """The rules of this moment; files are looked at every two seconds at most."""
        if self._tick() - self._looked >= self._every and self._lock.acquire(blocking=False):
            try:
                self._looked = self._tick()
                self._look()
            finally:
                self._lock.release()
        return self._ruleset

    def look_again(self) -> Ruleset:
        """The rules, with the files looked at now."""
        with self._lock:
            self._looked = self._tick()
            self._look()
        return self._ruleset

    def _look(self) -> None:
        if self.folder is None or (self._may_lack and not self._known and not self.folder.is_dir()):
            return
        errors: list[FileError] = []
        try:
            files: Sequence[Path] = find(self.folder)
        except (FileError, OSError) as error:
            errors.append(error if isinstance(error, FileError) else FileError(str(error), str(self.folder)))
            files = list(self._known)
        known = {path: self._file(path) for path in files}
        changed = known != self._known
        self._known = known
        errors += [k.error for k in known.values() if k.error is not None]
        own = _without_doubles((rule for k in known.values() for rule in k.rules), errors)
        if changed:
            try:
                self._ruleset = Ruleset(together(own, self._shipped))
            except ValueError as error:
                errors.append(FileError(str(error), str(self.folder)))
        self._errors = tuple(errors)

    def _file(self, path: Path) -> _Known:
        before = self._known.get(path, _Known((0, 0, 0), (), None))
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if before.stamp == stamp:
                return before
            return _Known(stamp, read(path), None)
        except OSError as error:
            return replace(before, stamp=(0, 0, 0), error=FileError(f"cannot be read: {error.strerror}", str(path)))
        except FileError as error:
            return replace(before, stamp=stamp, error=error)
