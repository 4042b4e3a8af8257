"""`up`, `web`, `worker` and `incident` as an operator uses them."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from servicedesk.cli import words
from servicedesk.cli.main import run
from servicedesk.config import Config, Http, load
from servicedesk.desk import open_desk
from servicedesk.domain.incident import STATES
from servicedesk.services.setup import FirstRun
from tests.support.crew import crew
from tests.support.reviews import body
from tests.support.server import Server, free_port
from tests.support.source import ROOT
from tests.support.waiting import wait_until


class Line:
    """The command line on one desk."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def run(self, *arguments: str, code: int = 0) -> str:
        assert run(arguments) == code, self.capsys.readouterr()
        told = self.capsys.readouterr()
        return told.err if code else told.out

    def ask(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code))


@pytest.fixture
def line(
    engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Line]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERVICEDESK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SERVICEDESK_DATABASE_URL", engine_url)
    desk = open_desk(load())
    crew(desk)
    desk.close()
    return Line(capsys)


@pytest.mark.feature("O4", "T2")
def test_the_whole_way_by_command_line(line: Line, tmp_path: Path) -> None:
    def incident(*arguments: str, who: str = "owner", code: int = 0) -> Any:
        return line.ask("incident", *arguments, "--as", who, code=code)

    made = incident("open", "Mail is slow", "--category", "mail", "--impact", "2", "--urgency", "3", who="lead")
    assert (made["number"], made["status"], made["channel"]) == ("INC-1", "new", "cli")
    assert incident("take", "INC-1")["owner"] == "owner"
    assert incident("hold", "1", "--reason", "vendor")["status"] == "pending"
    assert incident("resume", "1")["status"] == "in_progress"
    refused = incident("resolve", "1", "--code", "fixed", code=1)
    assert [r["guard"] for r in refused["refusals"]] == ["G3"]
    fix = ("--code", "fixed", "--cause", "hardware", "--notes", "The disk was replaced.")
    assert incident("resolve", "1", *fix)["status"] == "resolved"
    incident("verify", "1", "--verdict", "pass", "--tested", "A mail", "--evidence", "2 s", "--no-new-problem")
    assert incident("confirm", "1", "--accepted", who="lead")["status"] == "review"
    (tmp_path / "review.json").write_text(json.dumps(body("lite")))
    incident("review", "save", "1", "review.json")
    incident("review", "submit", "1")
    refused = incident("review", "approve", "1", code=1)
    assert [r["guard"] for r in refused["refusals"]] == ["role"]
    assert incident("review", "approve", "1", who="lead")["status"] == "closed"
    assert "# Review of INC-1" in line.run("incident", "review", "show", "1")
    assert "INC-1" not in line.run("incident", "list")
    assert "INC-1" in line.run("incident", "list", "--all")


@pytest.mark.feature("O4")
def test_refusals_are_printed_each_and_end_with_1(line: Line) -> None:
    line.run("incident", "open", "Mail", "--as", "lead")
    line.run("incident", "take", "1", "--as", "owner")
    said = line.run("incident", "resolve", "1", "--code", "fixed", "--as", "agent", code=1)
    assert [text.split(":")[1].strip() for text in said.splitlines()] == [
        "refused by M4/role",
        "refused by M4/G2",
        "refused by M4/G3",
    ]


@pytest.mark.feature("O4")
def test_show_tells_what_is_missing(line: Line) -> None:
    line.run("incident", "open", "Mail", "--as", "lead")
    page = line.run("incident", "show", "INC-1")
    assert "Before it may close" in page
    assert "G8" in page
    line.run("incident", "show", "INC-7", code=1)


@pytest.mark.parametrize(
    "wrong",
    [
        ("incident", "take", "1"),  # nobody acts
        ("incident", "take", "one", "--as", "lead"),
        ("incident", "take", "1", "--as", "ghost"),
        ("incident", "list", "--status", "sleeping"),
        ("incident", "list", "--owner", "ghost"),
        ("incident", "edit", "1", "--as", "lead"),
        ("incident", "close", "1", "--as", "lead"),
    ],
)
def test_bad_usage_ends_with_2(line: Line, wrong: tuple[str, ...]) -> None:
    line.run("incident", "open", "Mail", "--as", "lead")
    assert "Traceback" not in line.run(*wrong, code=2)


def test_tasks_actions_steps_and_second_person(line: Line) -> None:
    line.run("incident", "open", "Mail", "--impact", "1", "--urgency", "1", "--as", "lead")
    line.run("incident", "take", "1", "--as", "owner")
    line.run("incident", "task", "1", "Order it", "--mandatory", "--as", "owner")
    assert "G4" in line.run("incident", "show", "1", "--as", "owner")
    line.run("incident", "task-set", "1", "1", "--status", "skipped", "--as", "owner", code=2)
    line.run("incident", "task-set", "1", "1", "--status", "skipped", "--reason", "In stock", "--as", "owner")
    asked = line.ask("incident", "second-person", "ask", "1", "--kind", "cancellation", "--reason", "A drill",
                     "--code", "not_an_incident", "--as", "lead")  # fmt: skip
    decide = ("incident", "second-person", "decide", str(asked["request"]), "--approve", "--as")
    line.run(*decide, "lead", code=1)
    line.run(*decide, "agent")
    gone = line.ask("incident", "cancel", "1", "--code", "not_an_incident", "--reason", "A drill", "--as", "lead")
    assert gone["status"] == "cancelled"


def test_every_state_can_be_asked_for(line: Line) -> None:
    for state in STATES:
        assert line.ask("incident", "list", "--status", state) == []


@pytest.fixture
def nodes(postgres_database: str, tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "node", postgres_database)
    yield server
    server.finish()


@pytest.mark.real
@pytest.mark.postgres
@pytest.mark.feature("O4", "O6")
def test_web_and_worker_as_processes_of_their_own(nodes: Server) -> None:
    """One takes, the other applies; both end well on TERM."""
    key = {"SERVICEDESK_AUDIT_KEY": "the same on all nodes"}
    command = [sys.executable, "-m", "servicedesk"]
    at = {"cwd": nodes.folder, "env": nodes.env | key, "stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    nodes.env |= key
    web = subprocess.Popen([*command, "web"], **at)
    worker = subprocess.Popen([*command, "worker"], **at)
    try:
        wait_until(lambda: _ready(nodes.base_url), 60, "the web node", every=0.1)
        assert requests.get(f"{nodes.base_url}/readyz", timeout=5).json() == {"status": "ok", "database": "ok"}
        alert = {"status": "firing", "labels": {"alertname": "A"}, "startsAt": "2026-11-02T08:00:00Z"}
        nodes.sender().post("/receivers/alertmanager", {"version": "4", "alerts": [alert]})
        lead = nodes.person("lead", "lead", "read")
        wait_until(lambda: lead.items("/incidents"), 30, "the ticket", every=0.2)
    finally:
        for process in (web, worker):
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(20) for process in (web, worker)]
    assert codes == [0, 0]


def _ready(base_url: str) -> bool:
    try:
        return requests.get(f"{base_url}/readyz", timeout=2).ok
    except requests.ConnectionError:
        return False


@pytest.mark.real
@pytest.mark.feature("O4")
def test_up_takes_a_free_port_stops_on_int_and_names_parts_not_built(tmp_path: Path) -> None:
    env = {"SERVICEDESK_HTTP_BIND": "127.0.0.1:0", "SERVICEDESK_OIDC_ISSUER": "https://id.example"}
    server = Server(tmp_path, env=env | {"PYTHONUNBUFFERED": "1"})
    server.spawn()
    try:
        wait_until(lambda: "Ready: http://" in server.log, 60, "the line that says ready")
        address = server.log.split("Ready: ")[1].split()[0]
        assert not address.endswith(":0")
        assert requests.get(f"{address}/healthz", timeout=5).ok
        assert f"{address}/sign-in/link/" in server.log
        assert "Not built yet" in server.log
        assert "oidc.issuer" in server.log
        assert "syslog" not in server.log, "what nobody set is not spoken of"
        assert server.process is not None
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(15) == 0
    finally:
        server.finish()
    assert "Traceback" not in server.log


@pytest.mark.real
def test_a_taken_port_uses_up_nothing(tmp_path: Path) -> None:
    """What is shown once must not have been shown to nobody: the port is bound before the first token is made."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        env = {"SERVICEDESK_HTTP_BIND": f"127.0.0.1:{taken.getsockname()[1]}"}
        server = Server(tmp_path, env=env)
        assert server.spawn().wait(60) == 1
    assert "sd_" not in server.log
    desk = open_desk(Config(data_dir=str(tmp_path / "data")))
    from servicedesk.store.views import people

    with desk.read() as tx:
        assert people.tokens(tx) == ()
    desk.close()


def test_a_public_bind_without_tls_is_warned_of() -> None:
    def said(**http: Any) -> str:
        return "".join(words.warnings(Config(http=Http(**http))))

    assert "without TLS" in said(bind="0.0.0.0:8080")
    assert "without TLS" in said(bind="[::]:8080")
    assert said(bind="127.0.0.1:8080") == ""
    assert said(bind="0.0.0.0:8080", trusted_proxies=("10.0.0.1",)) == ""
    assert said(bind="0.0.0.0:8080", base_url="https://desk.example") == ""


def test_the_greeting_shows_secrets_once_and_six_lines_to_paste() -> None:
    first = "\n".join(words.greeting(Config(), FirstRun("admin", "s3cret", "sd_1_2")))
    assert "/sign-in/link/s3cret" in first
    assert "solo-mode on" in first
    lines = words.alertmanager("http://127.0.0.1:8080", "sd_1_2")
    assert len(lines) == 6
    assert "\n".join(lines) in first
    later = "\n".join(words.greeting(Config(), FirstRun()))
    assert "sd_" not in later
    assert "sign-in" not in later


def test_the_greeting_names_commands_that_the_shell_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    done = subprocess.run([*shlex.split(words.program()), "--version"], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("servicedesk"), done.stderr


def test_amtool_accepts_the_lines(tmp_path: Path) -> None:
    from tests.support.missing import program

    file = tmp_path / "alertmanager.yml"
    file.write_text("\n".join(words.alertmanager("http://127.0.0.1:8080", "sd_1_2")))
    done = subprocess.run([program("amtool"), "check-config", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_line_is_quick_to_help() -> None:
    """Nothing that serves is imported to print a help text."""
    code = (
        "import sys; from servicedesk.cli.main import run; run(['incident', '--help']);"
        "print([m for m in ('flask', 'sqlalchemy', 'waitress') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.rstrip().endswith("[]")
