"""The set-up tools: what a machine lacks is named; on a desk it is skipped, in CI it fails."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import missing, source

NEEDED = ("bash", "id", "dirname", "cat", "sha256sum", "cut", "env")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder for PATH that holds a shell and little else: no apt-get, no Alertmanager, no Chromium."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in NEEDED:
        path = shutil.which(name)
        assert path is not None, name
        (folder / name).symlink_to(path)
    return folder


def run(script: str, bare: Path, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    command = [str(bare / "bash"), str(source.ROOT / "tools" / script), *arguments]
    return subprocess.run(command, env={"PATH": str(bare)} | env, capture_output=True, text=True, check=False)


def test_what_cannot_be_installed_is_named_and_skipped(bare: Path) -> None:
    done = run("setup_test_machine.sh", bare)
    assert done.returncode == 0
    for program in ("prometheus-alertmanager", "prometheus", "chromium"):
        assert f"MISSING: {program} " in done.stderr


def test_in_ci_nothing_is_skipped(bare: Path) -> None:
    done = run("setup_test_machine.sh", bare, CI="true")
    assert done.returncode == 1
    assert "In CI nothing is skipped" in done.stderr


def test_a_machine_that_has_everything_is_left_alone(bare: Path) -> None:
    parts = ("lmnsd_gtls.so", "lmnsd_ossl.so", "omrelp.so")
    for program in ("prometheus-alertmanager", "prometheus", "chromium", "rsyslogd", "logger", "syslog-ng", *parts):
        (bare / program).symlink_to(shutil.which("true") or "/bin/true")
    done = run("setup_test_machine.sh", bare, CI="true", RSYSLOG_MODDIR=str(bare))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_missing_python_is_one_sentence(bare: Path, tmp_path: Path) -> None:
    done = run("setup_venv.sh", bare, "core", VENV=str(tmp_path / "venv"), PYTHON="python-of-nowhere")
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_a_missing_program_skips_here_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing, "IN_CI", False)
    with pytest.raises(pytest.skip.Exception):
        missing.program("no-such-program")
    monkeypatch.setattr(missing, "IN_CI", True)
    with pytest.raises(pytest.fail.Exception):
        missing.program("no-such-program")


def test_ci_runs_both_parts(tmp_path: Path) -> None:
    """With a make that records its calls: both parts run, and either failing fails the run."""
    fake = tmp_path / "make"
    fake.write_text('#!/bin/bash\necho "make $1 CI=$CI"\n[ "$1" != "$FAILS" ]\n')
    fake.chmod(0o755)
    env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for fails, code in (("", 0), ("lint", 1), ("test", 1)):
        command = ["bash", str(source.ROOT / ".ci/run")]
        done = subprocess.run(command, env=env | {"FAILS": fails}, capture_output=True, text=True, check=False)
        assert (done.returncode != 0) == bool(code)
        assert "make lint CI=true" in done.stdout
        assert "make test CI=true" in done.stdout
