"""Reading correlation rules: YAML files, `schema: 1`, a list under `correlation`. The format: docs/rules.md.

The operator's rules are asked first, in the order of file names and of the lists; then the shipped ones; then
`default`. A rule with the id of a shipped one takes its place.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from servicedesk.domain import correlation_rules as domain
from servicedesk.domain.correlation_rules import HOST_LABELS, Example, Rule, Ruleset, Threshold
from servicedesk.domain.matchers import Matcher, MatcherError, parse_matchers
from servicedesk.domain.policy import AlertPolicy, Duration, decode
from servicedesk.errors import FileError
from servicedesk.files import typed, yaml

SHIPPED = Path(__file__).parent / "defaults" / "rules"
_ID = r"^[a-z0-9]+(?:-[a-z0-9]+)*$"


def _says(description: str, **rules: Any) -> msgspec.Meta:
    return msgspec.Meta(description=description, **rules)


Texts = str | tuple[str, ...]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class ThresholdFile(_Part, frozen=True, kw_only=True):
    """No ticket before so much has come."""

    episodes: Annotated[int, _says("So many episodes.", ge=1, le=10_000)] = 1
    hosts: Annotated[int, _says("On so many different hosts.", ge=1, le=10_000)] = 1
    within: Annotated[Duration, _says("That began within this time, such as 10m.")]
    host: Annotated[tuple[str, ...], _says("Labels that name the host: the first that is there.", min_length=1)] = (
        HOST_LABELS
    )


class ExampleFile(_Part, frozen=True):
    """An alert, and whether this rule decides about it; `rules lint` tries it."""

    labels: Annotated[dict[str, str], _says("Its labels.")]
    source: Annotated[str, _says("Where it comes from.")] = ""
    fits: Annotated[bool, _says("Does this rule decide about it?")] = True


class RuleFile(_Part, frozen=True):
    """One rule: the first that an alert fits decides."""

    id: Annotated[str, _says("Names the rule for good: lower case letters, digits, single hyphens.", pattern=_ID)]
    match: Annotated[Texts, _says('Matchers as in Alertmanager, all must fit: `severity="info"`.')] = ()
    source: Annotated[Texts, _says("Names of sources with * and ?, one must fit.")] = ()
    answer: Annotated[
        Literal["ticket", "record", "attach", "suppress"],
        _says("ticket; record: without a ticket; attach: to another's ticket; suppress: shown as suppressed."),
    ] = "ticket"
    group: Annotated[str, _says("Rules with the same group share tickets.", max_length=80)] = ""
    group_by: Annotated[tuple[str, ...], _says("Labels on which the alerts of one ticket agree.")] = ()
    join: Annotated[Duration | None, _says("How long after its first start a ticket takes siblings.")] = None
    threshold: Annotated[ThresholdFile | None, _says("No ticket before so much has come.")] = None
    max_age: Annotated[Duration | None, _says("What began longer ago when it came makes no ticket.")] = None
    to: Annotated[Texts, _says("attach: matchers that the ticket's labels must fit.")] = ()
    mark: Annotated[Literal["misuse", "malfunction", "noise", "known"] | None, _says("How its records are marked.")] = (
        None
    )
    reason: Annotated[str, _says("Why, for whoever reads the record or the ticket.", max_length=500)] = ""
    tests: Annotated[tuple[ExampleFile, ...], _says("Alerts that show what it is for.")] = ()


class RulesFile(_Part, frozen=True):
    """Correlation rules of the service desk."""

    schema: Annotated[Literal[1], _says("The version of this format.")]
    correlation: Annotated[tuple[RuleFile, ...], _says("Rules, in the order in which they are asked.")] = ()


def parse(text: str, file: str, policy: AlertPolicy) -> tuple[Rule, ...]:
    """The correlation rules of one file; none when it holds other rules. Raises FileError with file, line and key."""
    document = yaml.parse(text, file)
    if not isinstance(document.data, dict) or "schema" not in document.data:
        raise document.error((), "must be a mapping that starts with `schema: 1`")
    if "correlation" not in document.data:
        return ()  # rules of another kind
    found = typed.convert(document, RulesFile, decode)
    rules = tuple(_rule(document, i, rule, policy) for i, rule in enumerate(found.correlation))
    for rule, why in domain.unlike(rules):
        raise document.error(("correlation", rules.index(rule), "group"), why)
    return rules


def _rule(document: yaml.Document, index: int, read: RuleFile, policy: AlertPolicy) -> Rule:
    keys: yaml.Keys = ("correlation", index)
    own_group = bool(read.group_by or read.join is not None or read.threshold)
    need = read.threshold
    rule = Rule(
        id=read.id,
        answer=read.answer,
        matchers=_matchers(document, (*keys, "match"), read.match),
        sources=_texts(read.source),
        group=(read.group or (read.id if own_group else "")) if read.answer == "ticket" else read.group,
        group_by=read.group_by or (() if read.answer == "attach" else policy.join_labels),
        join=policy.join_window if read.join is None else read.join,
        threshold=None if need is None else Threshold(need.episodes, need.hosts, need.within, need.host),
        max_age=read.max_age,
        to=_matchers(document, (*keys, "to"), read.to),
        mark=read.mark or "",
        reason=read.reason.strip(),
        alone=policy.one_incident_per_alert and not own_group,
        tests=tuple(Example(t.labels, t.source, t.fits) for t in read.tests),
        file=document.file,
    )
    for place, message in domain.problems(rule if read.answer in ("ticket", "attach") else _as_written(rule, read)):
        raise document.error((*keys, *place), message)
    return rule


def _as_written(rule: Rule, read: RuleFile) -> Rule:
    """Without what the policy adds: so that only what stands in the file is complained about."""
    return replace(rule, join=read.join or timedelta(0), group_by=read.group_by)


def _matchers(document: yaml.Document, keys: yaml.Keys, value: Texts) -> tuple[Matcher, ...]:
    found: list[Matcher] = []
    for i, text in enumerate(_texts(value)):
        try:
            found += parse_matchers(text)
        except (MatcherError, ValueError) as error:
            raise document.error((*keys, i) if isinstance(value, tuple) else keys, str(error)) from error
    return tuple(found)


def _texts(value: Texts) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def find(folder: Path) -> list[Path]:
    """The rule files of a folder. Raises FileError."""
    if not folder.is_dir():
        raise FileError("is not a folder: create it, or correct `rules` in the configuration", str(folder))
    return sorted(p for p in folder.rglob("*") if p.suffix in {".yaml", ".yml"} and p.is_file())


def lint(paths: Iterable[Path], policy: AlertPolicy) -> tuple[tuple[Rule, ...], list[FileError]]:
    """The rules of files and folders, and what is wrong with them, their tests included."""
    errors: list[FileError] = []
    rules: list[Rule] = []
    for file in dict.fromkeys(file for path in paths for file in (find(path) if path.is_dir() else [path])):
        try:
            rules += parse(yaml.read_text(file), str(file), policy)
        except FileError as error:
            errors.append(error)
    chosen = _without_doubles(rules, errors)
    errors += [FileError(why, rule.file, None, rule.id) for rule, why in domain.unlike(chosen)]
    return chosen, errors


def failing_examples(rules: Iterable[Rule], everything: Ruleset) -> list[FileError]:
    """Tests in the rules that do not hold, judged with all the rules."""
    found = []
    for rule in rules:
        for number, example in enumerate(rule.tests):
            decides = everything.judge(example.source, example.labels)
            if (decides.id == rule.id) is not example.fits:
                why = f"the rule {decides.id!r} decides about it"
                found.append(FileError(why, rule.file, None, f"{rule.id}.tests[{number}]"))
    return found


def _without_doubles(rules: Iterable[Rule], errors: list[FileError]) -> tuple[Rule, ...]:
    chosen: dict[str, Rule] = {}
    for rule in rules:
        if rule.id in chosen:
            why = f"the id {rule.id!r} is taken by {chosen[rule.id].file}: give one of them another id"
            errors.append(FileError(why, rule.file, None, "id"))
        else:
            chosen[rule.id] = rule
    return tuple(chosen.values())


def together(own: Iterable[Rule], shipped: Iterable[Rule], policy: AlertPolicy) -> Ruleset:
    """All rules in the order in which they are asked."""
    own = tuple(own)
    ids = {rule.id for rule in own}
    return Ruleset(own, (rule for rule in shipped if rule.id not in ids), policy)


@dataclass(frozen=True, slots=True)
class _Known:
    """What was last seen of one file: its stamp, its last good rules, and the error if it is broken now."""

    stamp: tuple[int, int, int]
    rules: tuple[Rule, ...]
    error: FileError | None


class RuleBook:
    """The shipped rules and those of the operator's folder, kept current: files are looked at when somebody asks.

    A file that breaks keeps its last good rules and stands in `errors` until it is mended. Thread-safe.
    """

    def __init__(
        self, folder: Path | None, policy: AlertPolicy, every: float = 2.0, tick: Callable[[], float] = time.monotonic
    ) -> None:
        self.folder, self.policy = folder, policy
        self._every, self._tick = every, tick
        self._lock = threading.Lock()
        self._known: dict[Path, _Known] = {}
        self._errors: tuple[FileError, ...] = ()
        self._shipped, _ = lint([SHIPPED], policy)
        self._ruleset = together((), self._shipped, policy)
        self._looked = tick()
        self._look()

    @property
    def errors(self) -> tuple[FileError, ...]:
        """What is wrong with the files now."""
        self.current()
        return self._errors

    def current(self) -> Ruleset:
        """The rules of this moment; files are looked at every two seconds at most."""
        due = self.folder is not None and self._tick() - self._looked >= self._every
        if due and self._lock.acquire(blocking=False):
            try:
                self._looked = self._tick()
                self._look()
            finally:
                self._lock.release()
        return self._ruleset

    def follow(self, policy: AlertPolicy) -> None:
        """Take what the rules leave open from another policy."""
        with self._lock:
            self.policy, self._known = policy, {}
            self._shipped, _ = lint([SHIPPED], policy)
            self._ruleset = together((), self._shipped, policy)
            self._look()

    def _look(self) -> None:
        if self.folder is None:
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
        errors += [FileError(why, rule.file, None, rule.id) for rule, why in domain.unlike(own)]
        if changed:
            self._ruleset = together(own, self._shipped, self.policy)
        self._errors = tuple(errors)

    def _file(self, path: Path) -> _Known:
        before = self._known.get(path, _Known((0, 0, 0), (), None))
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if before.stamp == stamp:
                return before
            return _Known(stamp, parse(yaml.read_text(path), str(path), self.policy), None)
        except OSError as error:
            return replace(before, stamp=(0, 0, 0), error=FileError(f"cannot be read: {error.strerror}", str(path)))
        except FileError as error:
            return replace(before, stamp=stamp, error=error)
