"""Every failure is one sentence and a code; --help imports nothing; global options stand anywhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from servicedesk.cli import main
from servicedesk.cli.main import COMMANDS, hoist, run
from servicedesk.errors import Busy, NotFound, Refusal, Refused
from tests.cli.conftest import Cli
from tests.support.source import ROOT


def one_sentence(text: str) -> bool:
    return text.startswith("servicedesk: ") and text.count("\n") == 1 and "Traceback" not in text


@pytest.mark.feature("O4")
def test_help_names_every_command_and_imports_none(folder: Path) -> None:
    code = "import sys; from servicedesk.cli.main import run; run(['--help']); print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
    )
    for name in COMMANDS:
        assert f"  {name} " in done.stdout
    for heavy in ("'sqlalchemy'", "'flask'", "'alembic'", "servicedesk.cli.user"):
        assert heavy not in done.stdout


@pytest.mark.feature("O4")
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there(name: str) -> None:
    command = main.cli.get_command(click.Context(main.cli), name)
    assert command is not None
    assert command.help


@pytest.mark.feature("O4")
@pytest.mark.parametrize(
    ("line", "hoisted"),
    [
        ("user list --json", "--json user list"),
        ("up --config my.yaml", "--config my.yaml up"),
        ("user --debug list --config=x --json", "--debug --config=x --json user list"),
        ("user list", "user list"),
        ("user add -- --json", "user add -- --json"),
        ("user list --config", "--config user list"),
    ],
)
def test_global_options_stand_anywhere(line: str, hoisted: str) -> None:
    assert hoist(line.split()) == hoisted.split()


@pytest.mark.feature("O4")
@pytest.mark.parametrize(
    "line",
    ["nonsense", "user", "user add", "user add x --role king", "--nonsense", "user list --config", "token create"],
)
def test_bad_usage_is_two(cli: Cli, line: str) -> None:
    answer = cli(*line.split())
    assert (answer.code, answer.out) == (2, "")
    assert answer.err


@pytest.mark.feature("O4")
@pytest.mark.parametrize("command", ["user list", "token list", "audit verify", "policy show", "db backup ."])
def test_without_a_database_it_says_what_to_do(cli: Cli, command: str) -> None:
    answer = cli(*command.split())
    assert answer.code == 1
    assert one_sentence(answer.err)
    assert "servicedesk up" in answer.err


WRONG = {
    "colour: blue": "colour: unknown key",
    "http: yes": "http: needs keys below it",
    "[1, 2": "cannot be read",
    "http: {threads: many}": "'many' is not a int",
    "database_url: mysql://x": "sqlite:///path or postgresql://",
    "data_dir: /proc/nowhere": "cannot be used",
    "policies: /nowhere": "does not exist",
}


@pytest.mark.feature("O4")
@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_configuration_is_one_sentence(
    cli: Cli, folder: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SERVICEDESK_DATA_DIR")
    (folder / "wrong.yaml").write_text(text)
    if text.startswith("policies"):
        assert cli("db", "upgrade").code == 0
    answer = cli("user", "list", "--config", "wrong.yaml")
    assert answer.code == 1
    assert one_sentence(answer.err)
    assert WRONG[text] in answer.err
    assert cli("user", "list", "--config", "absent.yaml").err.startswith("servicedesk: absent.yaml: there is no such")


@pytest.mark.feature("O4")
def test_the_check_names_what_would_be_set_in_vain(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERVICEDESK_DATABASE_URL", raising=False)
    assert cli("config", "check").code == 0
    monkeypatch.setenv("SERVICEDESK_SERVICE_HOST", "10.0.0.1")  # Kubernetes sets these for a service of this name
    monkeypatch.setenv("SERVICEDESK_PORT_8080_TCP", "tcp://10.0.0.1:8080")
    assert cli("config", "check").code == 0
    monkeypatch.setenv("SERVICEDESK_HTTP_BINDD", "0.0.0.0:80")
    answer = cli("config", "check")
    assert answer.code == 1
    assert one_sentence(answer.err)
    assert "SERVICEDESK_HTTP_BINDD (is SERVICEDESK_HTTP_BIND meant?)" in answer.err


@pytest.mark.feature("O4")
def test_the_check_looks_at_the_data_folder(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERVICEDESK_DATABASE_URL", raising=False)
    (folder / "file").write_text("here is a file")
    monkeypatch.setenv("SERVICEDESK_DATA_DIR", str(folder / "file" / "data"))
    answer = cli("config", "check")
    assert answer.code == 1
    assert one_sentence(answer.err)
    assert "is not a folder" in answer.err


@pytest.mark.feature("O4")
def test_a_database_that_is_away_is_one_sentence(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICEDESK_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    answer = cli("user", "list")
    assert answer.code == 1
    assert one_sentence(answer.err)
    assert "does not answer" in answer.err


@pytest.mark.feature("O4", "O7")
def test_a_schema_newer_than_the_program_is_one_sentence(cli: Cli, folder: Path) -> None:
    import sqlite3

    assert cli("db", "upgrade").code == 0
    with sqlite3.connect(folder / "data/servicedesk.db") as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    for command in (("user", "list"), ("db", "upgrade")):
        answer = cli(*command)
        assert answer.code == 1
        assert one_sentence(answer.err)
        assert "newer than this program" in answer.err


class Raising(click.Command):
    """Stands in for any command that fails in this way."""

    def __init__(self, error: BaseException) -> None:
        super().__init__("raising")
        self.error = error

    def invoke(self, ctx: click.Context) -> None:
        raise self.error


REFUSED = Refused([Refusal("M4", "G3", "Notes are missing.", "resolution"), Refusal("M4", "G5", "It fires.", "alerts")])


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    monkeypatch.setattr(main.Registry, "get_command", lambda *_: Raising(error))


@pytest.mark.feature("O4", "A7")
def test_refusals_are_told_one_by_one(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, REFUSED)
    answer = cli("user")
    assert answer.code == 1
    assert answer.err.splitlines() == [
        "servicedesk: refused by M4/G3: Notes are missing.",
        "servicedesk: refused by M4/G5: It fires.",
    ]
    told = json.loads(cli("user", "--json").err)
    assert told["refusals"][1] == {"rule": "M4", "guard": "G5", "message": "It fires.", "where": "alerts"}


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (Busy(), 1, "servicedesk: Not now: try again in a moment. Nothing was stored."),
        (NotFound("There is no ticket INC-9."), 1, "servicedesk: There is no ticket INC-9."),
        (ValueError("boom\nboom"), 1, "servicedesk: unexpected ValueError: boom boom (run again with --debug"),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
    ],
)
def test_any_failure_is_a_sentence(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    raising(monkeypatch, error)
    answer = cli("user")
    assert answer.code == code
    assert answer.err.startswith(said)


def test_debug_shows_where(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, ValueError("boom"))
    with pytest.raises(ValueError, match="boom"):
        run(["user", "--debug"])


@pytest.mark.feature("O4")
def test_a_reader_that_goes_away_is_no_failure_to_talk_about(folder: Path) -> None:
    command = f"{sys.executable} -m servicedesk config show | head -1"
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout.startswith("KEY")
    assert done.stderr == ""
