"""Files, functions and templates stay small enough to be read at one go."""

import ast
from pathlib import Path

from tests.support import source

FILE_LINES, FUNCTION_LINES, TEMPLATE_LINES = 400, 60, 200


def too_long(root: Path) -> list[str]:
    found = []
    for name, tree in source.modules(root):
        lines = len((root / name).read_text(encoding="utf-8").splitlines())
        if lines > FILE_LINES:
            found.append(f"{name}: {lines} lines, at most {FILE_LINES}")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES:
                    found.append(f"{name}:{node.lineno}: {node.name} has {length} lines, at most {FUNCTION_LINES}")
    for path in sorted((root / "servicedesk/web/templates").rglob("*.html")):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > TEMPLATE_LINES:
            found.append(f"{path.relative_to(root)}: {lines} lines, at most {TEMPLATE_LINES}")
    return found


def test_files_functions_and_templates_are_small() -> None:
    assert too_long(source.ROOT) == []


def test_it_sees_what_is_too_long(tmp_path: Path) -> None:
    body = "def long():\n" + "    x = 1\n" * 60
    source.plant(tmp_path, {"servicedesk/a.py": body + "\n" * 400, "servicedesk/web/templates/t.html": "\n" * 201})
    found = too_long(tmp_path)
    assert [line.split(":")[0] for line in found] == [
        "servicedesk/a.py",
        "servicedesk/a.py",
        "servicedesk/web/templates/t.html",
    ]


def test_a_short_tree_passes(tmp_path: Path) -> None:
    source.plant(tmp_path, {"servicedesk/a.py": "def short():\n    return 1\n"})
    assert too_long(tmp_path) == []
