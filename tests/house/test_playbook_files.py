"""The shipped playbooks: they parse, their commands and queries parse, and the reference describes the whole format."""

import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from servicedesk.checks.registry import CHECKS
from servicedesk.domain.checks import Ask
from servicedesk.domain.parameters import TYPES, examples, resolve
from servicedesk.domain.playbook import Playbook
from servicedesk.files import playbook_format, playbook_parts, playbooks
from servicedesk.files.playbooks import SHIPPED
from tests.support import missing

README = (SHIPPED / "README.md").read_text(encoding="utf-8")
FILES = playbooks.find(SHIPPED)
each = pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.parent.name}/{f.stem}")


def blocks(playbook: Playbook, language: str) -> list[str]:
    """The fenced code blocks of one language in a playbook's instructions."""
    fence = re.compile(rf"^([ ]*)```{language}\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
    return [block for step in playbook.steps for _, block in fence.findall(step.instruction)]


@pytest.mark.feature("P7")
def test_there_are_enough_and_nothing_is_wrong() -> None:
    assert len(FILES) >= 100
    assert playbooks.lint([SHIPPED], CHECKS) == (len(FILES), [])


@each
def test_it_tells_a_person_all_that_is_needed(file: Path) -> None:
    p = playbooks.read(file)
    assert p.match, "matches nothing"
    assert p.summary
    assert p.owner
    assert p.estimated_minutes
    assert p.steps[-1].mandatory, "the last step proves that it is over"
    assert file.parent.name == p.id.split("-")[0] or file.parent.name == "kubernetes", "grouped by technology"
    text = "".join(s.instruction for s in p.steps)
    assert "scalate" in text or file.parent.name in {"desk"}, "says when to ask for help"


@each
def test_it_reads_well_on_a_page(file: Path) -> None:
    """Fences are closed, and nothing in it would be taken for HTML outside of code."""
    for step in playbooks.read(file).steps:
        assert step.instruction.count("```") % 2 == 0, step.id
        prose = re.sub(r"`[^`]*`", "", re.sub(r"```.*?```", "", step.instruction, flags=re.DOTALL))
        assert not re.search(r"</?[a-z]", prose), step.id


@each
def test_its_shell_commands_are_shell(file: Path) -> None:
    for block in blocks(playbooks.read(file), "sh"):
        script = re.sub(r"<[a-z][a-z _-]*>", "placeholder", block)
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False, timeout=20)
        assert (done.returncode, done.stderr) == (0, ""), block


def asked(playbook: Playbook) -> list[tuple[str, Ask]]:
    """What each of its checks would ask, with the example values."""
    known = {p.name: p for p in playbook.parameters}
    found = []
    for name, spec in playbook.checks:
        kind = CHECKS[spec.type]
        found.append((name, kind.ask(playbook_parts.options_of(spec, kind), examples(playbook.parameters), known)))
    return found


@each
def test_its_checks_can_be_asked_with_its_examples(file: Path) -> None:
    """The dry run: every check of it, with the example of every parameter, says what it would ask."""
    book = playbooks.read(file, CHECKS)
    assert [name for name, ask in asked(book) if not ask.shown] == []
    for p in book.parameters:
        assert resolve([p], dict.fromkeys(p.labels, p.example or TYPES[p.type].example)).problems == {}, p.name


@each
def test_it_looks_by_itself_and_proves_its_fix(file: Path) -> None:
    """What an alert opens is diagnosed before anybody comes, and verified afterwards; forks lead to different steps."""
    book = playbooks.read(file, CHECKS)
    if file.parent.name == "desk":
        return
    assert len(book.auto_steps) >= 2, "diagnoses by itself"
    assert book.verify, "proves that it is over"
    for step in book.auto_steps:
        assert step.means or (step.check and step.check.type == "promql"), f"{step.id}: what does its verdict mean?"


@pytest.mark.real
def test_their_queries_are_promql(tmp_path: Path) -> None:
    read = [playbooks.read(f, CHECKS) for f in FILES]
    lines = [line for p in read for b in blocks(p, "promql") for line in b.splitlines() if line.strip()]
    lines += [ask.data["query"] for p in read for _, ask in asked(p) if ask.check == "promql"]
    assert len(lines) > 500
    rules = [{"record": f"r:{i}", "expr": line} for i, line in enumerate(lines)]
    file = tmp_path / "rules.json"  # JSON is YAML
    file.write_bytes(msgspec.json.encode({"groups": [{"name": "g", "rules": rules}]}))
    command = [missing.program("promtool"), "check", "rules", "--lint=none", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr


# --- the reference ---------------------------------------------------------------------------------------------------


STRUCTS = [s for s in vars(playbook_format).values() if isinstance(s, type) and issubclass(s, playbook_format.Part)]


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda s: s.__name__)
def test_the_reference_explains_every_key(struct: type[msgspec.Struct]) -> None:
    names = struct.__struct_encode_fields__
    assert [name for name in names if f"`{name}`" not in README and f"{name}: " not in README] == []


def test_the_examples_of_the_reference_are_read() -> None:
    examples = [re.sub(r"^  ", "", e, flags=re.MULTILINE) if e.startswith("  ") else e for e in yaml_blocks(README)]
    whole = [e for e in examples if e.startswith("schema: 2")]
    assert len(whole) == 1
    book = playbooks.parse(whole[0], "README.md", CHECKS)
    assert book.verify and book.parameters and book.steps[2].decision
    head = "schema: 2\nid: a\ntitle: A\nsteps: [{id: s, title: S, instruction: x}]\n"
    matches = [e for e in examples if e.startswith("match:")]
    assert len(matches) == 2
    for part in matches:
        assert len(playbooks.parse(head + part, "README.md", CHECKS).match) == 3


def yaml_blocks(text: str) -> list[str]:
    return [found[2] for found in re.finditer(r"^( *)```yaml\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)]
