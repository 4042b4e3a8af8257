"""Reading playbooks: one YAML file each, `schema: 1` or `schema: 2`. The format is described in playbooks/README.md."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from servicedesk.domain.checks import CheckKind
from servicedesk.domain.playbook import Catalogue, Playbook
from servicedesk.errors import FileError
from servicedesk.files import playbook_parts, yaml
from servicedesk.files.playbook_parts import Kinds

SHIPPED = Path(__file__).resolve().parents[2] / "playbooks"
"""The playbooks that come with the program (a folder beside the package, in the repository and in the wheel)."""


def parse(text: str, file: str, kinds: Kinds | None = None) -> Playbook:
    """One playbook from its source text; kinds: the kinds of checks, whose keys are then read strictly, too.

    Raises FileError that names file, line and key, and says what to do.
    """
    document = yaml.parse(text, file)
    return playbook_parts.read(document, kinds)


@lru_cache(maxsize=512)
def stored(source: str) -> Playbook:
    """The playbook of a source text that was accepted once and kept with a ticket, by its own schema. Cached."""
    return parse(source, "playbook_version")


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


def read(path: Path, kinds: Kinds | None = None) -> Playbook:
    """One playbook from its file. Raises FileError."""
    return _parsed(yaml.read_text(path), str(path), tuple((kinds or {}).items()))


@lru_cache(maxsize=1024)
def _parsed(text: str, file: str, kinds: tuple[tuple[str, CheckKind], ...]) -> Playbook:
    """As `parse`; the same text of the same file is parsed once in a process, however many desks read it."""
    return parse(text, file, dict(kinds) or None)


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

    def __init__(
        self,
        folders: Sequence[Path],
        every: float = 2.0,
        tick: Callable[[], float] = time.monotonic,
        kinds: Kinds | None = None,
    ) -> None:
        self.folders, self.kinds = tuple(dict.fromkeys(f.resolve() for f in folders)), kinds
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
            return _Known(stamp, read(path, self.kinds), None)
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


def lint(paths: Iterable[Path], kinds: Kinds | None = None) -> tuple[int, list[FileError]]:
    """Check files and folders: how many files, and what is wrong with them, in order."""
    errors: list[FileError] = []
    files = list(dict.fromkeys(file for path in paths for file in (find(path) if path.is_dir() else [path])))
    good: list[Playbook] = []
    for file in files:
        try:
            good.append(read(file, kinds))
        except FileError as e:
            errors.append(e)
    _of_one_folder(good, errors)
    return len(files), errors


def load(folders: Sequence[Path], shipped: bool = True, kinds: Kinds | None = None) -> PlaybookSet:
    """The shipped playbooks, and those of the operator's folders. Faults stand in `.errors`."""
    return PlaybookSet([SHIPPED, *folders] if shipped else folders, kinds=kinds)
