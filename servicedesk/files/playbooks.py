"""Reading playbooks: one YAML file each, `schema: 1`. The format is described in playbooks/README.md."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from servicedesk.domain.matchers import MatcherError, parse_matchers
from servicedesk.domain.playbook import Catalogue, Condition, Link, Playbook, Step, version_of
from servicedesk.errors import FileError
from servicedesk.files import typed, yaml

SHIPPED = Path(__file__).resolve().parents[2] / "playbooks"
"""The playbooks that come with the program (a folder beside the package, in the repository and in the wheel)."""

RESERVED = frozenset(
    {
        "parameters", "check", "checks", "decision", "decisions", "branch", "auto", "automation", "diagnostics",
        "verify", "soak", "baseline", "timeout", "limits", "budget", "dry_run", "next", "when", "run", "include",
    }
)  # fmt: skip
"""Keys that the full format will have (features P2 to P6): refused by name until it does."""


def _text(description: str, longest: int, least: int = 1) -> msgspec.Meta:
    return msgspec.Meta(min_length=least, max_length=longest, description=description)


def _says(description: str, **rules: Any) -> msgspec.Meta:
    return msgspec.Meta(description=description, **rules)


_ID = msgspec.Meta(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=80)
Id = Annotated[str, _ID]
Names = str | tuple[str, ...]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class ConditionFile(_Part, frozen=True):
    """One entry of `match`: all that it names must hold (AND)."""

    labels: Annotated[str | None, _says("Matchers on the labels of an alert, as in Alertmanager.")] = None
    type: Annotated[Names | None, _says("The ticket's type: incident, request or question; or a list of them.")] = None
    category: Annotated[Names | None, _says("The ticket's category, or a list of them.")] = None
    service: Annotated[Names | None, _says("The ticket's service, or a list of them.")] = None


class LinkFile(_Part, frozen=True):
    """Something to read beside the steps."""

    title: Annotated[str, _text("What it is.", 200)]
    url: Annotated[str, _says("Its address, http or https.", pattern=r"^https?://[^\s<>\"]+$", max_length=2000)]


class StepFile(_Part, frozen=True):
    """One instruction to a person."""

    id: Annotated[Id, _says("Names the step in records and statistics; never change it for another meaning.")]
    title: Annotated[str, _text("What is to be done or found out, in one line.", 200)]
    instruction: Annotated[str, _text("How, in Markdown: commands, what to look for, what each finding means.", 20_000)]
    mandatory: Annotated[bool, _says("Must be done, or skipped with a reason, before the ticket is resolved.")] = False


class PlaybookFile(_Part, frozen=True):
    """A playbook of the service desk."""

    schema: Annotated[Literal[1], _says("The version of this format.")]
    id: Annotated[Id, _says("Names the playbook for good: lower case letters, digits and single hyphens.")]
    title: Annotated[str, _text("What is wrong, or asked for, in one line.", 200)]
    steps: Annotated[tuple[StepFile, ...], _says("What to do, in this order.", min_length=1)]
    summary: Annotated[str, _text("What it means and whom it hurts, in a few sentences.", 2000, 0)] = ""
    match: Annotated[
        tuple[str | ConditionFile, ...],
        _says("Tickets that it belongs to. One entry must hold (OR); all parts of that entry must hold (AND)."),
    ] = ()
    owner: Annotated[str, _text("Who keeps this playbook right.", 200, 0)] = ""
    estimated_minutes: Annotated[int, _says("How long it takes, roughly.", ge=1, le=10_000)] | None = None
    links: Annotated[tuple[LinkFile, ...], _says("What to read beside it.")] = ()


def parse(text: str, file: str) -> Playbook:
    """One playbook from its source text. Raises FileError that names file, line and key, and says what to do."""
    document = yaml.parse(text, file)
    _refuse_reserved(document)
    read = typed.convert(document, PlaybookFile)
    _refuse_double_steps(document, read)
    return Playbook(
        id=read.id,
        title=read.title,
        summary=read.summary.strip(),
        match=tuple(_condition(document, i, entry) for i, entry in enumerate(read.match)),
        owner=read.owner,
        estimated_minutes=read.estimated_minutes,
        links=tuple(Link(link.title, link.url) for link in read.links),
        steps=tuple(Step(s.id, s.title, s.instruction, s.mandatory) for s in read.steps),
        source=text,
        version=version_of(text),
        file=file,
    )


@lru_cache(maxsize=512)
def stored(source: str) -> Playbook:
    """The playbook of a source text that was accepted once and kept with a ticket. Cached."""
    return parse(source, "playbook_version")


def _refuse_reserved(document: yaml.Document) -> None:
    if not isinstance(document.data, dict):
        raise document.error((), "must be a mapping that starts with `schema: 1`")
    schema = document.data.get("schema")
    if type(schema) is not int or schema != 1:  # true is no 1
        raise document.error(("schema",), "must be `schema: 1`, the only format that this version reads")
    steps = document.data.get("steps")
    places: list[tuple[yaml.Keys, Any]] = [((), document.data)]
    places += [(("steps", i), step) for i, step in enumerate(steps if isinstance(steps, list) else [])]
    for keys, value in places:
        for key in value if isinstance(value, dict) else ():
            if key in RESERVED:
                why = f"{key!r} is reserved for a later schema: with schema 1 say it in a step's instruction"
                raise document.error((*keys, key), why)


def _refuse_double_steps(document: yaml.Document, read: PlaybookFile) -> None:
    seen: dict[str, int] = {}
    for i, step in enumerate(read.steps):
        if step.id in seen:
            raise document.error(("steps", i, "id"), f"step {seen[step.id] + 1} has the id {step.id!r} already")
        seen[step.id] = i


def _condition(document: yaml.Document, index: int, entry: str | ConditionFile) -> Condition:
    keys: yaml.Keys = ("match", index)
    labels = entry if isinstance(entry, str) else entry.labels
    if isinstance(entry, ConditionFile):
        keys = (*keys, "labels") if labels is not None else keys
        types, categories, services = (_names(n) for n in (entry.type, entry.category, entry.service))
    else:
        types = categories = services = frozenset()
    try:
        matchers = parse_matchers(labels or "")
    except MatcherError as e:
        raise document.error(keys, f"{e.message}, in column {e.column} of {e.text!r}") from e
    if not (matchers or types or categories or services):
        raise document.error(keys, 'names nothing and would match every ticket: write a matcher such as alertname="X"')
    return Condition(matchers, types, categories, services)


def _names(value: Names | None) -> frozenset[str]:
    if value is None:
        return frozenset()
    return frozenset({value} if isinstance(value, str) else value)


def find(folder: Path) -> list[Path]:
    """The playbook files below a folder: every *.yaml and *.yml, hidden ones aside. Raises FileError."""
    if not folder.is_dir():
        raise FileError("is not a folder: create it, or correct `playbooks` in the configuration", str(folder))
    return sorted(
        p
        for p in folder.rglob("*")
        if p.suffix in {".yaml", ".yml"}
        and p.is_file()
        and not any(x.startswith(".") for x in p.relative_to(folder).parts)
    )


def read(path: Path) -> Playbook:
    """One playbook from its file. Raises FileError."""
    return parse(yaml.read_text(path), str(path))


@dataclass(frozen=True, slots=True)
class _Known:
    """What was last seen of one file: its stamp, the last good playbook, and the error if it is broken now."""

    stamp: tuple[int, int, int]
    playbook: Playbook | None
    error: FileError | None


class PlaybookSet:
    """The playbooks of some folders, kept current: changed files are read again when somebody asks.

    A file that breaks keeps its last good version and stands in `errors` until it is mended. Two files of one folder
    with the same id are an error; of two folders, the later one's file takes the place of the earlier one's, so that
    an organisation can put its own in place of a shipped one. Thread-safe.
    """

    def __init__(self, folders: Sequence[Path], every: float = 2.0, tick: Callable[[], float] = time.monotonic) -> None:
        self.folders = tuple(dict.fromkeys(f.resolve() for f in folders))
        self._every, self._tick = every, tick
        self._lock = threading.Lock()
        self._known: dict[Path, _Known] = {}
        self._errors: tuple[FileError, ...] = ()
        self._catalogue = Catalogue(())
        self._looked = tick()
        self._look()

    @property
    def all(self) -> tuple[Playbook, ...]:
        """Every playbook, by id."""
        return self.catalogue().all

    @property
    def errors(self) -> tuple[FileError, ...]:
        """What is wrong with the files now; each names file, line and key."""
        self.catalogue()
        return self._errors

    def get(self, id_: str) -> Playbook | None:
        return self.catalogue().get(id_)

    def match(
        self, labels: Mapping[str, str], type_: str = "incident", category: str = "", service: str = ""
    ) -> tuple[Playbook, ...]:
        """The playbooks for such a ticket, by id. labels: of one alert; the rest: of the ticket."""
        return self.catalogue().match(labels, type_, category, service)

    def catalogue(self) -> Catalogue:
        """The playbooks of this moment; files are looked at every two seconds at most."""
        if self._tick() - self._looked >= self._every and self._lock.acquire(blocking=False):
            try:
                self._look()
                self._looked = self._tick()
            finally:
                self._lock.release()
        return self._catalogue

    def reload(self) -> None:
        """Look at the files now."""
        with self._lock:
            self._look()
            self._looked = self._tick()

    def _look(self) -> None:
        errors: list[FileError] = []
        known: dict[Path, _Known] = {}
        chosen: dict[str, Playbook] = {}
        for folder in self.folders:
            try:
                files = find(folder)
            except (FileError, OSError) as e:
                errors.append(e if isinstance(e, FileError) else FileError(str(e), str(folder)))
                files = [p for p in self._known if p.is_relative_to(folder)]  # keep the last good ones
            known.update((path, self._file(path)) for path in files)
            chosen.update(_of_one_folder([known[path].playbook for path in files], errors))
        errors += [k.error for k in known.values() if k.error is not None]
        changed = known != self._known
        self._known, self._errors = known, tuple(errors)
        if changed:
            self._catalogue = Catalogue(chosen.values())

    def _file(self, path: Path) -> _Known:
        before = self._known.get(path)
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if before is not None and before.stamp == stamp:
                return before
            return _Known(stamp, read(path), None)
        except OSError as e:
            error = FileError(f"cannot be read: {e.strerror or e}", str(path))
            return _Known((0, 0, 0), before.playbook if before else None, error)
        except FileError as e:
            return _Known(stamp, before.playbook if before else None, e)


def _of_one_folder(playbooks: Iterable[Playbook | None], errors: list[FileError]) -> dict[str, Playbook]:
    found: dict[str, Playbook] = {}
    for playbook in playbooks:
        if playbook is None:
            continue
        if playbook.id in found:
            why = f"the id {playbook.id!r} is taken by {found[playbook.id].file}: give one of them another id"
            errors.append(FileError(why, playbook.file, None, "id"))
        else:
            found[playbook.id] = playbook
    return found


def lint(paths: Iterable[Path]) -> tuple[int, list[FileError]]:
    """Check files and folders: how many files, and what is wrong with them, in order."""
    errors: list[FileError] = []
    files = list(dict.fromkeys(file for path in paths for file in (find(path) if path.is_dir() else [path])))
    good: list[Playbook] = []
    for file in files:
        try:
            good.append(read(file))
        except FileError as e:
            errors.append(e)
    _of_one_folder(good, errors)
    return len(files), errors


def load(folders: Sequence[Path], shipped: bool = True) -> PlaybookSet:
    """The shipped playbooks, and those of the operator's folders. Faults stand in `.errors`."""
    return PlaybookSet([SHIPPED, *folders] if shipped else folders)
