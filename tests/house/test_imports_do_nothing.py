"""Importing runs nothing: no files, no environment, no threads, no calls for their effect."""

import ast
from pathlib import Path

from tests.support import source

# Calls that read or change the world. Building a table, a metric or a compiled pattern does not.
EFFECTS = {"open", "print", "input", "exec", "eval"}
EFFECT_MODULES = {"os", "sys", "socket", "subprocess", "threading", "signal", "logging", "time", "requests", "shutil"}
# Reading a constant of these is no effect.
HARMLESS = {"threading.Lock", "threading.RLock", "threading.local", "logging.getLogger", "os.path.join"}
HARMLESS |= {"threading.BoundedSemaphore", "threading.Semaphore", "threading.Condition", "threading.Event"}
# What begins something, whatever object it is asked of.
BEGINNINGS = {"start", "run", "connect", "open", "begin", "listen", "load", "install"}


def calls_at_import(tree: ast.Module) -> list[tuple[int, str]]:
    """Calls and look-ups that run while the module is imported (function bodies do not)."""
    found: list[tuple[int, str]] = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
                if part is not None:
                    visit(part)
            return
        if isinstance(node, ast.Lambda) or (isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)):
            return
        if isinstance(node, ast.Call):
            found.append((node.lineno, source.dotted(node.func)))
        elif isinstance(node, ast.Attribute) and source.dotted(node) == "os.environ":
            found.append((node.lineno, "os.environ"))
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return found


def effects(root: Path) -> list[str]:
    found = []
    for name, tree in source.modules(root):
        if "/migrations/" in name:
            continue  # run by the migration tool, not imported by the program
        own = {t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
        for node in tree.body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                called = source.dotted(node.value.func).split(".")
                if called[0] in own and len(called) > 1 and called[-1] not in BEGINNINGS:
                    continue  # an object of this module's own is told how to be
                found.append(f"{name}:{node.lineno}: a call for its effect: {ast.unparse(node)[:60]}")
        for line, called in calls_at_import(tree):
            module = called.split(".")[0]
            if called not in HARMLESS and (called in EFFECTS or module in EFFECT_MODULES):
                found.append(f"{name}:{line}: {called} runs at import")
    return found


def test_importing_runs_nothing() -> None:
    assert effects(source.ROOT) == []


def test_it_sees_an_effect_at_import(tmp_path: Path) -> None:
    planted = (
        "import os\nHOME = os.environ['HOME']\nDATA = open('x').read()\nstart()\ndef fine():\n    return open('y')\n"
    )
    planted += "PARSER = Parser()\nPARSER.enable('table')\nPARSER.start()\n"
    source.plant(tmp_path, {"servicedesk/a.py": planted})
    assert [line.split(":")[1] for line in effects(tmp_path)] == ["4", "9", "2", "3"]


def test_the_package_file_holds_the_version_only() -> None:
    for package in source.PACKAGES:
        tree = ast.parse((source.ROOT / package / "__init__.py").read_text(encoding="utf-8"))
        rest = [n for n in tree.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
        assert all(isinstance(n, ast.Assign) and source.dotted(n.targets[0]) == "__version__" for n in rest), package
