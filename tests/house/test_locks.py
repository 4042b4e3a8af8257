"""The lock files: every pin by hash, no address, the tools' lock holds every pin of the program's."""

import re
import tomllib

from tests.support import source

PIN = re.compile(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)")


def read(name: str) -> str:
    return (source.ROOT / name).read_text(encoding="utf-8")


def pins(text: str) -> dict[str, str]:
    return {match[1].lower(): match[2] for line in text.splitlines() if (match := PIN.match(line))}


def test_every_pin_has_a_hash_and_no_file_an_address() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = read(name)
        blocks = re.split(r"\n(?=\S)", text)
        unhashed = [block.split("\n")[0] for block in blocks if PIN.match(block) and "--hash=sha256:" not in block]
        assert pins(text), name
        assert unhashed == [], name
        assert "://" not in text, name


def test_the_tools_lock_holds_the_programs_pins() -> None:
    core, dev = pins(read("requirements.lock")), pins(read("requirements-dev.lock"))
    assert {name: dev.get(name) for name in core} == core


def test_every_declared_dependency_is_locked() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    declared = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["postgres"]]
    groups = [item for group in project["dependency-groups"].values() for item in group]
    name = re.compile(r"[A-Za-z0-9_.-]+")
    core, dev = pins(read("requirements.lock")), pins(read("requirements-dev.lock"))
    assert [d for d in declared if name.match(d)[0].lower() not in core] == []
    assert [d for d in groups if name.match(d)[0].lower() not in dev] == []
