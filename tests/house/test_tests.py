"""The tests themselves: no sleeps, no mocks, marks that name a row of the features page."""

import ast
from pathlib import Path

from tests.support import source
from tools import features

# `wait_until` polls; the keeper of PostgreSQL watches its owner; a race gives one side a head start of milliseconds.
MAY_SLEEP = {"tests/support/waiting.py", "tests/support/postgres_server.py", "tests/flows/test_race.py"}


def bad_habits(root: Path) -> list[str]:
    found = []
    for name, tree in source.modules(root, ("tests",)):
        found += [f"{name}:{line}: {what}" for line, what in source.imports(tree) if what.startswith("unittest.mock")]
        if name in MAY_SLEEP:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and source.dotted(node.func) in {"time.sleep", "sleep"}:
                found.append(f"{name}:{node.lineno}: sleeps; wait for a condition (tests/support/waiting.py)")
    return found


def marked(tree: ast.Module) -> list[tuple[int, str]]:
    """(line, row id) of every feature mark written with plain strings."""
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and source.dotted(n.func).endswith("mark.feature")]
    return [(n.lineno, str(a.value)) for n in calls for a in n.args if isinstance(a, ast.Constant)]


def test_no_sleep_and_no_mock() -> None:
    assert bad_habits(source.ROOT) == []


def test_it_sees_a_sleep_and_a_mock(tmp_path: Path) -> None:
    source.plant(tmp_path, {"tests/test_x.py": "from unittest.mock import Mock\nimport time\ntime.sleep(1)\n"})
    assert len(bad_habits(tmp_path)) == 2


def test_marks_name_rows_of_the_features_page() -> None:
    known = features.rows((source.ROOT / "docs/features.md").read_text(encoding="utf-8"))
    marks = [(name, line, row) for name, tree in source.modules(source.ROOT, ("tests",)) for line, row in marked(tree)]
    assert [mark for mark in marks if mark[2] not in known] == []
    assert marked(ast.parse('@pytest.mark.feature("I4", "T2")\ndef test_x(): ...')) == [(1, "I4"), (1, "T2")]
