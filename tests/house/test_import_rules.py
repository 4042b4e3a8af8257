"""The import rules of pyproject.toml catch what they are written for: each is broken here once, in a planted tree."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support import source

ROOMS = ["cli", "web/api", "web/ui", "services/shared", "channels", "files", "store/views", "domain", "workers"]
MODULES = ["__main__", "app", "desk", "config", "metrics", "errors", "services/intake", "services/review", "domain/sla"]

# contract id → the planted file and its text
PLANTED = {
    "layers": ("servicedesk/domain/sla.py", "from servicedesk import desk\n"),
    "rules-know-no-framework": ("servicedesk/domain/sla.py", "import click\n"),
    "receivers-stand-alone": ("alert_receivers/event.py", "from servicedesk import errors\n"),
    "domain-knows-events": ("servicedesk/domain/sla.py", "from alert_receivers import registry\n"),
    "yaml-in-files-and-config": ("servicedesk/cli/show.py", "def show() -> None:\n    import yaml\n"),
    "sql-in-store-and-reports": ("servicedesk/services/intake.py", "import sqlalchemy\n"),
    "flask-in-app-and-web": ("servicedesk/cli/show.py", "import flask\n"),
    "http-out-by-leaves": ("servicedesk/services/intake.py", "import requests\n"),
    "web-writes-through-services": ("servicedesk/web/api/x.py", "from servicedesk.store import incidents\n"),
    "api-and-ui-apart": ("servicedesk/web/api/x.py", "from servicedesk.web import ui\n"),
    "services-do-not-call-each-other": ("servicedesk/services/intake.py", "from servicedesk.services import review\n"),
    "no-cycles": ("servicedesk/domain/sla.py", "from servicedesk.domain import pause\n"),
}


def tree(folder: Path) -> Path:
    """A small tree with every room, all rules kept."""
    files = {f"servicedesk/{room}/__init__.py": "" for room in ROOMS}
    files |= {f"servicedesk/{Path(room).parent}/__init__.py": "" for room in ROOMS if "/" in room}
    files |= {f"servicedesk/{module}.py": "" for module in MODULES}
    files |= {"servicedesk/__init__.py": "", "alert_receivers/__init__.py": "", "alert_receivers/registry.py": ""}
    files |= {"alert_receivers/event.py": "", "servicedesk/store/incidents.py": "import sqlalchemy\n"}
    files |= {"servicedesk/domain/pause.py": "from servicedesk.domain import sla\n"}
    source.plant(folder, files)
    shutil.copy(source.ROOT / "pyproject.toml", folder)
    return folder


def lint(folder: Path, *contracts: str) -> tuple[int, str]:
    chosen = [part for contract in contracts for part in ("--contract", contract)]
    program = "from importlinter.cli import lint_imports_command as run; run()"
    command = [sys.executable, "-c", program, "--no-cache", "--no-logo", *chosen]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={"PYTHONPATH": str(folder)}, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_a_tree_that_keeps_the_rules_passes(tmp_path: Path) -> None:
    code, text = lint(tree(tmp_path))
    assert code == 0, text


@pytest.mark.parametrize("contract", PLANTED)
def test_each_rule_catches_its_violation(contract: str, tmp_path: Path) -> None:
    name, text = PLANTED[contract]
    source.plant(tree(tmp_path), {name: text})
    code, said = lint(tmp_path, contract)
    assert code == 1, said
    assert "BROKEN" in said


def test_a_new_module_needs_a_layer(tmp_path: Path) -> None:
    source.plant(tree(tmp_path), {"servicedesk/helpers.py": ""})
    code, said = lint(tmp_path, "layers")
    assert code == 1
    assert "helpers" in said


def test_every_rule_is_tried_here() -> None:
    settings = tomllib.loads((source.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert {contract["id"] for contract in settings["tool"]["importlinter"]["contracts"]} == set(PLANTED)
