"""Only services/shared/transition.py assigns an incident's status; a new incident begins as `new`.

Two checks: this one reads the code, and tests/support/status_guard.py watches every statement that any test runs.
"""

import ast
from pathlib import Path

import pytest
from sqlalchemy import insert, text, update

from servicedesk.store.db import Tx
from servicedesk.store.tables import incident
from tests.support import source, status_guard

WRITER = "servicedesk/services/shared/transition.py"


def statements(function: ast.AST, verb: str) -> list[ast.expr]:
    """What each `update(incident)….values(…)` or `run(update(incident), …)` is handed; `incident.update()` too."""
    found: list[ast.expr] = []
    for call in ast.walk(function):
        if not isinstance(call, ast.Call):
            continue
        if isinstance(call.func, ast.Attribute) and call.func.attr == "values" and is_about(call.func.value, verb):
            found += [*call.args, ast.Call(ast.Name("dict"), [], call.keywords)]
        elif len(call.args) > 1 and is_about(call.args[0], verb):
            found += call.args[1:]
    return found


def is_about(chain: ast.AST, verb: str) -> bool:
    """Does a chain of calls begin with `update(incident)` or `incident.update()` (verb: update or insert)?"""
    while isinstance(chain, ast.Call | ast.Attribute):
        if isinstance(chain, ast.Call):
            if source.dotted(chain.func).endswith(f"incident.{verb}"):
                return True
            plain = isinstance(chain.func, ast.Name) and chain.func.id.endswith(verb)
            if plain and chain.args and source.dotted(chain.args[0]).split(".")[-1] == "incident":
                return True
            chain = chain.func
        else:
            chain = chain.value
    return False


def statuses(function: ast.AST, values: ast.expr) -> list[ast.expr]:
    """The expressions that a set of values gives to `status`, followed through the names of the function."""
    names = {node.id for node in ast.walk(values) if isinstance(node, ast.Name)}
    parts: list[ast.AST] = [values]
    found: list[ast.expr] = []
    for target, value in assignments(function):
        if isinstance(target, ast.Name) and target.id in names:
            parts.append(value)
        elif isinstance(target, ast.Subscript) and source.dotted(target.value) in names and says_status(target.slice):
            found.append(value)
    for node in (node for part in parts for node in ast.walk(part)):
        if isinstance(node, ast.Dict):
            found += [v for k, v in zip(node.keys, node.values, strict=True) if says_status(k)]
        elif isinstance(node, ast.Call) and source.dotted(node.func) == "dict":
            found += [k.value for k in node.keywords if k.arg == "status"]
    return found


def assignments(function: ast.AST) -> list[tuple[ast.expr, ast.expr]]:
    """(target, value) of every assignment, `|=` included."""
    found: list[tuple[ast.expr, ast.expr]] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            found += [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign | ast.AugAssign) and node.value is not None:
            found.append((node.target, node.value))
    return found


def says_status(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value == "status"


def functions(tree: ast.Module) -> list[ast.AST]:
    """The outermost functions of a module, methods included."""
    found: list[ast.AST] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found += [part for part in node.body if isinstance(part, ast.FunctionDef)]
        elif isinstance(node, ast.FunctionDef):
            found.append(node)
    return found


def writers(root: Path) -> list[str]:
    found = []
    for name, tree in source.modules(root, ("servicedesk",)):
        if name == WRITER or "/migrations/" in name:
            continue
        for function in functions(tree):
            for values in statements(function, "update"):
                found += [f"{name}:{v.lineno}: assigns an incident's status" for v in statuses(function, values)]
            for values in statements(function, "insert"):
                made = [v for v in statuses(function, values) if not source.dotted(v).endswith("NEW")]
                found += [f"{name}:{v.lineno}: makes an incident that is not new" for v in made]
    return found


def test_only_the_transition_assigns_status() -> None:
    assert writers(source.ROOT) == []


@pytest.mark.parametrize(
    "code",
    [
        "def f(tx):\n    tx.run(update(incident).where(x).values(status='closed'))\n",
        "def f(tx):\n    values = {'status': CLOSED}\n    tx.run(update(t.incident).values(values))\n",
        "def f(tx):\n    values['status'] = CLOSED\n    tx.run(incident.update().values(values))\n",
        "def f(tx):\n    tx.run(insert(incident).values(status=words.CLOSED))\n",
    ],
)
def test_it_sees_another_writer(code: str, tmp_path: Path) -> None:
    source.plant(tmp_path, {"servicedesk/services/shortcut.py": code, WRITER: code})
    assert len(writers(tmp_path)) == 1


def test_it_lets_new_incidents_and_other_tables_be(tmp_path: Path) -> None:
    code = "def f(tx):\n    tx.run(insert(incident).values(status=words.NEW))\n"
    code += "def g(tx):\n    v = {'status': 'approved'}\n    tx.run(update(review).values(v))\n"
    code += "    tx.run(update(incident).where(x).values(self_reviewed=True))\n"
    source.plant(tmp_path, {"servicedesk/services/fine.py": code})
    assert writers(tmp_path) == []


def test_the_guard_sees_a_statement_of_ours() -> None:
    ours = [f"/x/{name}" for name in ("servicedesk/services/shortcut.py", "servicedesk/store/db.py", "tests/test_x.py")]
    sql = str(update(incident).values(status="closed"))
    assert status_guard.forbidden(sql, ours)
    assert not status_guard.forbidden(sql, [f"/x/{WRITER}", *ours])
    assert not status_guard.forbidden(sql, ours[1:])  # a test that tries the triggers
    assert not status_guard.forbidden(str(insert(incident).values(status="new")), ours)
    assert not status_guard.forbidden(str(update(incident).values(title="x")), ours)


def test_the_guard_is_on_duty(sqlite_database: str) -> None:
    from servicedesk.store import db

    seen: list[str] = []
    database = db.Database(sqlite_database, status_guard.clock)

    def change(tx: Tx) -> None:
        with status_guard.watching(seen):
            tx.run(text("UPDATE incident SET status = 'new' WHERE id = -1"))

    database.write(change)
    database.close()
    assert seen == ["UPDATE incident SET status = 'new' WHERE id = -1"]
