"""The verifier that docs/audit.md tells people to write accepts a real export, and refuses an edited one."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import Server
from tests.support.source import ROOT


def verify(folder: Path, rows: list[str]) -> "subprocess.CompletedProcess[str]":
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/audit.md").read_text(encoding="utf-8"), re.DOTALL)
    (folder / "verify.py").write_text(code)
    (folder / "timeline.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    command = [sys.executable, "verify.py", "data/audit.key", "timeline.jsonl"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.feature("A3")
def test_the_documented_verifier_works(engine_url: str, tmp_path: Path) -> None:
    server = Server(tmp_path / "desk", engine_url)
    server.run("user", "add", "zoë", "--role", "agent", "--display", "Zoë ✓ <b>")
    server.run("incident", "open", "The “cart” is slow \u202e", "--as", "zoë", "--description", "line\nline é")
    rows = server.run("audit", "export").stdout.splitlines()
    assert len(rows) >= 2
    done = verify(server.folder, rows)
    assert done.returncode == 0, done.stderr
    assert f"{len(rows)} rows: whole" in done.stdout

    for name, value in (("kind", "forged"), ("content", {"forged": True}), ("at_us", 1)):
        edited = json.loads(rows[-1]) | {name: value}
        assert verify(server.folder, [*rows[:-1], json.dumps(edited)]).returncode == 1
    assert verify(server.folder, rows[1:]).returncode == 1
