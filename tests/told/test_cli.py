"""`servicedesk notification list` and `test`, as an operator types them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from servicedesk.config import Config
from servicedesk.desk import open_desk
from servicedesk.services import outbox
from tests.support.crew import crew
from tests.support.server import free_port
from tests.support.source import ROOT
from tests.told.conftest import KEY, SECRET
from tests.told.receivers import Hook, Mailbox
from tests.told.rows import opened


class Shell:
    """Runs commands on a desk in `folder` with this configuration."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.config = Config(data_dir=str(folder / "data"))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SERVICEDESK_")}
        own = {"SERVICEDESK_DATA_DIR": self.config.data_dir, "PYTHONPATH": str(ROOT)}
        self.env = kept | own | {f"SERVICEDESK_{name.upper()}": value for name, value in settings.items()}

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "servicedesk", "notification", *words]
        return subprocess.run(
            command, env=self.env, cwd=self.folder, capture_output=True, text=True, check=False, timeout=60
        )

    def ask(self, *words: str) -> Any:
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def shell(tmp_path: Path, mailbox: Mailbox, hook: Hook) -> Shell:
    made = Shell(
        tmp_path,
        mail_host="127.0.0.1",
        mail_port=str(mailbox.port),
        mail_sender="desk@example.org",
        webhook_url=hook.url,
        webhook_secret=SECRET,
    )
    open_desk(made.config).close()
    return made


@pytest.mark.feature("O4", "N1")
def test_a_test_goes_out_by_every_configured_channel(shell: Shell, mailbox: Mailbox, hook: Hook) -> None:
    answer = shell.ask("test", "--to", "ops@example.org", "--language", "fr")
    assert [(a["channel"], a["target"]) for a in answer] == [("email", "ops@example.org"), ("webhook", "webhook")]
    assert answer[0]["provider_id"] == "2.0.0 Ok: queued as 4X1"
    (mail,) = mailbox.mails
    assert mail["Subject"] == "[TEST] Un essai"
    assert hook.posts[0].signed_with(KEY)


def test_without_an_address_the_webhook_alone_is_tested(shell: Shell, mailbox: Mailbox, hook: Hook) -> None:
    done = shell.run("test")
    assert (done.returncode, done.stdout) == (0, "webhook: sent to webhook (200)\n")
    assert (mailbox.mails, len(hook.posts)) == ([], 1)


def test_a_test_that_fails_says_what_the_server_said(shell: Shell, mailbox: Mailbox) -> None:
    mailbox.answers["ops@example.org"] = "550 5.1.1 No such user"
    done = shell.run("test", "--channel", "email", "--to", "ops@example.org")
    assert done.returncode == 1
    assert done.stderr == "servicedesk: E-mail: the test message did not go out: 550 5.1.1 No such user\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("test", "--channel", "pigeon"), "There is no channel 'pigeon'; known: email, webhook,"),
        (("test", "--channel", "email"), "Say which address the test goes to."),
        (("list", "--incident", "forty-two"), "'forty-two' is no number of a ticket"),
        (("list", "--state", "lost"), "'lost' is not one of"),
    ],
)
def test_bad_usage_is_named(shell: Shell, words: tuple[str, ...], sentence: str) -> None:
    done = shell.run(*words)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_what_is_not_configured_is_named(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    open_desk(shell.config).close()
    assert "set mail.host" in shell.run("test", "--channel", "email", "--to", "a@example.org").stderr
    assert "set webhook.url" in shell.run("test").stderr


@pytest.mark.feature("O4")
def test_the_list_says_what_became_of_each(shell: Shell, mailbox: Mailbox) -> None:
    mailbox.answers["lead2@example.org"] = "550 5.1.1 No such user"
    desk = open_desk(
        Config(data_dir=shell.config.data_dir, mail=mailbox.settings()),
    )
    try:
        people = crew(desk)
        number = opened(desk, people["agent"])
        while outbox.send_due(desk):
            pass
        opened(desk, people["agent"])
    finally:
        desk.close()
    assert [r["state"] for r in shell.ask("list")] == ["pending", "pending", "failed", "sent"]
    failed = shell.ask("list", "--incident", f"INC-{number}", "--state", "failed")
    assert [(r["number"], r["target"], r["error"], r["maybe_duplicate"]) for r in failed] == [
        (f"INC-{number}", "lead2@example.org", "550 5.1.1 No such user", False)
    ]
    text = shell.run("list", "--limit", "3").stdout.splitlines()
    assert text[0].split() == ["TICKET", "EVENT", "CHANNEL", "TARGET", "STATE", "TRIES", "CREATED", "SAID"]
    assert len(text) == 4


def test_a_server_that_is_away_gives_a_sentence_and_no_traceback(tmp_path: Path) -> None:
    port = free_port()
    shell = Shell(tmp_path, mail_host="127.0.0.1", mail_port=str(port))
    open_desk(shell.config).close()
    done = shell.run("test", "--to", "a@example.org")
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr
