"""Reading playbook files: strict, with the place of every fault; a set of them that keeps itself current."""

import os
from itertools import count
from pathlib import Path

import pytest

from servicedesk.domain.playbook import Link, version_of
from servicedesk.errors import FileError
from servicedesk.files import playbooks
from servicedesk.files.playbook_parts import ONLY_2
from servicedesk.files.playbooks import PlaybookSet, parse

HEAD = "schema: 1\nid: a\ntitle: A\n"
STEPS = "steps:\n  - id: one\n    title: One\n    instruction: Do it.\n"
WHOLE = """schema: 1
id: disk-full
title: A disk is full
summary: >-
  Programs
  fail.
match:
  - alertname="Disk", severity=~"warning|critical"
  - {type: [incident, request], category: storage, service: nas, labels: 'mountpoint!="/"'}
owner: Operations
estimated_minutes: 20
links:
  - {title: Board, url: "https://grafana.example.org/d/1?x=a&y=b"}
steps:
  - id: find
    title: Find it
    instruction: |
      ```sh
      df -h
      ```
    mandatory: true
  - id: mend
    title: Mend it
    instruction: Make room.
"""


def refused(text: str) -> FileError:
    with pytest.raises(FileError) as caught:
        parse(text, "p.yaml")
    assert caught.value.file == "p.yaml"
    return caught.value


@pytest.mark.feature("P1")
def test_a_whole_playbook() -> None:
    p = parse(WHOLE, "p.yaml")
    assert (p.id, p.title, p.summary, p.owner, p.estimated_minutes) == (
        "disk-full", "A disk is full", "Programs fail.", "Operations", 20,
    )  # fmt: skip
    assert p.links == (Link("Board", "https://grafana.example.org/d/1?x=a&y=b"),)
    assert [(s.id, s.mandatory) for s in p.steps] == [("find", True), ("mend", False)]
    assert p.steps[0].instruction == "```sh\ndf -h\n```\n"
    assert [str(m) for m in p.match[0].matchers] == ['alertname="Disk"', 'severity=~"warning|critical"']
    assert (p.match[1].types, p.match[1].services) == ({"incident", "request"}, {"nas"})
    assert (p.source, p.file) == (WHOLE, "p.yaml")


def test_the_version_is_the_hash_of_the_text_alone() -> None:
    first, again, changed = parse(WHOLE, "a"), parse(WHOLE, "b"), parse(WHOLE + "# more\n", "a")
    assert first.version == again.version == version_of(WHOLE)
    assert len(first.version) == 64
    assert changed.version != first.version


@pytest.mark.feature("P1")
@pytest.mark.parametrize("key", sorted(ONLY_2))
@pytest.mark.parametrize("where", ["top", "step"])
def test_keys_of_schema_2_are_refused_by_name(key: str, where: str) -> None:
    text = HEAD + STEPS + (f"{key}: []\n" if where == "top" else f"    {key}: []\n")
    error = refused(text)
    assert (error.line, error.key) == (8, key if where == "top" else f"steps[0].{key}")
    assert f"{key!r} is a key of schema 2" in error.message


@pytest.mark.parametrize(
    ("text", "line", "key", "word"),
    [
        ("", 1, "", "mapping"),
        ("- a", 1, "", "mapping"),
        ("id: a\n" + STEPS, 1, "schema", "schema: 1"),
        ("schema: 3\nid: a", 1, "schema", "`schema: 1` or `schema: 2`"),
        ("schema: true\nid: a", 1, "schema", "schema: 1"),
        ("schema: 1\ntitle: A\n" + STEPS, 1, "", "'id' is missing"),
        (HEAD, 1, "", "'steps' is missing"),
        (HEAD + "steps: []", 4, "steps", ">= 1"),
        (HEAD + STEPS + "stepz: []", 8, "stepz", "did you mean 'steps'?"),
        (HEAD + STEPS + "    mandatry: true", 8, "steps[0].mandatry", "did you mean 'mandatory'?"),
        (HEAD + STEPS + "    mandatory: yes", 8, "steps[0].mandatory", "true or false"),
        (HEAD + STEPS + STEPS.removeprefix("steps:\n"), 8, "steps[1].id", "step 1 has the id 'one' already"),
        ("schema: 1\nid: Not_OK\ntitle: A\n" + STEPS, 2, "id", "lower case letters, digits and single hyphens"),
        (HEAD + "estimated_minutes: 0\n" + STEPS, 4, "estimated_minutes", ">= 1"),
        (HEAD + "estimated_minutes: 20 min\n" + STEPS, 4, "estimated_minutes", "a whole number"),
        (HEAD + "links:\n  - {title: x, url: 'javascript:alert(1)'}\n" + STEPS, 5, "links[0].url", "http or https"),
        (HEAD + "links:\n  - {title: x, url: 'https://a/\" on=\"x'}\n" + STEPS, 5, "links[0].url", "http or https"),
        (HEAD + "match: alertname=X\n" + STEPS, 4, "match", "a list"),
        (HEAD + "match:\n  - alertname=\"X\"\n  - alertname=~\"(\"\n" + STEPS, 6, "match[1]", "missing ): ("),
        (HEAD + "match:\n  - '{\"a b\" \"c\"}'\n" + STEPS, 5, "match[0]", "in column 8"),
        (HEAD + "match:\n  - labels: 'a b'\n" + STEPS, 5, "match[0].labels", "in column 3"),
        (HEAD + "match:\n  - {}\n" + STEPS, 5, "match[0]", "every ticket"),
        (HEAD + "match: ['']\n" + STEPS, 4, "match[0]", "every ticket"),
        (HEAD + "match: ['{}']\n" + STEPS, 4, "match[0]", "every ticket"),
        (HEAD + "match: [{typ: request}]\n" + STEPS, 4, "match[0].typ", "did you mean 'type'?"),
    ],
)  # fmt: skip
def test_a_fault_is_named(text: str, line: int, key: str, word: str) -> None:
    error = refused(text)
    assert (error.line, error.key) == (line, key)
    assert word in error.message


def test_stored_text_is_read_once() -> None:
    assert playbooks.stored(WHOLE) is playbooks.stored(WHOLE)
    assert playbooks.stored(WHOLE).version == version_of(WHOLE)


# --- a folder of them ------------------------------------------------------------------------------------------------


def text_of(id_: str, title: str = "T") -> str:
    return f"schema: 1\nid: {id_}\ntitle: {title}\n{STEPS}"


_moments = count(1)


def put(folder: Path, name: str, text: str) -> Path:
    """Writes a file with a time stamp of its own: two writes within one tick of the file system must differ."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    moment = 1_700_000_000_000_000_000 + next(_moments) * 1_000_000_000
    os.utime(path, ns=(moment, moment))
    return path


class Ticks:
    """A monotonic clock that moves by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


def ids(found: PlaybookSet) -> list[str]:
    return [p.id for p in found.all]


def test_files_are_found_below_the_folder_hidden_ones_aside(folder: Path) -> None:
    put(folder, "b/two.yml", text_of("two"))
    put(folder, "one.yaml", text_of("one"))
    put(folder, ".git/three.yaml", text_of("three"))
    put(folder, "schema.json", "{}")
    assert ids(PlaybookSet([folder])) == ["one", "two"]


def test_the_shipped_ones_are_there_and_may_be_replaced(folder: Path) -> None:
    shipped = playbooks.load([])
    assert shipped.errors == ()
    assert len(shipped.all) >= 10
    put(folder, "mine.yaml", text_of("postgresql-down", "Ours"))
    own = playbooks.load([folder])
    assert (len(own.all), own.errors) == (len(shipped.all), ())
    found = own.get("postgresql-down")
    assert found is not None
    assert found.title == "Ours"


def test_two_files_of_one_folder_with_one_id_are_an_error(folder: Path) -> None:
    put(folder, "a.yaml", text_of("same", "First"))
    put(folder, "b.yaml", text_of("same", "Second"))
    found = PlaybookSet([folder])
    assert [p.title for p in found.all] == ["First"]
    assert [e.file for e in found.errors] == [str(folder.resolve() / "b.yaml")]
    assert "'same' is taken" in found.errors[0].message


@pytest.mark.feature("P8")
def test_changed_new_and_removed_files_are_seen(folder: Path) -> None:
    ticks = Ticks()
    put(folder, "a.yaml", text_of("a", "Before"))
    found = PlaybookSet([folder], every=2.0, tick=ticks)
    put(folder, "a.yaml", text_of("a", "After"))
    put(folder, "b.yaml", text_of("b"))
    ticks.now = 1.9
    assert [p.title for p in found.all] == ["Before"]  # files are looked at every two seconds, not on each question
    ticks.now = 2.0
    assert [(p.id, p.title) for p in found.all] == [("a", "After"), ("b", "T")]
    (folder / "a.yaml").unlink()
    found.reload()
    assert ids(found) == ["b"]


@pytest.mark.feature("P8")
def test_a_broken_file_keeps_its_last_good_version_and_is_reported(folder: Path) -> None:
    put(folder, "a.yaml", text_of("a", "Good"))
    found = PlaybookSet([folder], every=0)
    put(folder, "a.yaml", "schema: 1\nid: [")
    assert [p.title for p in found.all] == ["Good"]
    assert [(e.file, e.line) for e in found.errors] == [(str(folder.resolve() / "a.yaml"), 3)]
    assert [p.title for p in found.all] == ["Good"]
    put(folder, "a.yaml", text_of("a", "Mended"))
    assert [p.title for p in found.all] == ["Mended"]
    assert found.errors == ()


def test_a_file_that_was_never_good_is_only_reported(folder: Path) -> None:
    put(folder, "a.yaml", "schema: 9\n")
    put(folder, "b.yaml", text_of("b"))
    found = PlaybookSet([folder])
    assert (ids(found), len(found.errors)) == (["b"], 1)


def test_a_folder_that_goes_away_keeps_what_was_read(folder: Path) -> None:
    put(folder, "a.yaml", text_of("a"))
    found = PlaybookSet([folder], every=0)
    folder.rename(folder.with_name("moved"))
    assert ids(found) == ["a"]
    assert any("is not a folder" in e.message for e in found.errors)


def test_nothing_is_read_again_while_nothing_changes(folder: Path) -> None:
    put(folder, "a.yaml", text_of("a"))
    found = PlaybookSet([folder], every=0)
    assert found.catalogue() is found.catalogue()


def test_lint_checks_files_and_folders_once_each(folder: Path) -> None:
    good, bad = put(folder, "a.yaml", text_of("a")), put(folder, "b.yaml", text_of("b") + "verify: {}\n")
    put(folder, "c.yaml", text_of("a"))
    checked, errors = playbooks.lint([good, folder, bad])
    assert checked == 3
    assert [(Path(e.file).name, e.key) for e in errors] == [("b.yaml", "verify"), ("c.yaml", "id")]
