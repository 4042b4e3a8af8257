"""A real worker process, killed at the worst moment: nothing is lost, and a double says that it may be one."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from servicedesk.config import Config, Webhook
from servicedesk.desk import Desk, open_desk, utc_now
from servicedesk.services import outbox
from servicedesk.services.shared.notify import Notice
from tests.support.crew import crew
from tests.support.source import ROOT
from tests.support.waiting import wait_until
from tests.told.conftest import KEY, SECRET
from tests.told.receivers import Hook, Mailbox
from tests.told.rows import many, rows, tell

Worker = Callable[[str], "subprocess.Popen[bytes]"]


@contextmanager
def opened(config: Config, clock: Callable[[], datetime] = utc_now) -> Iterator[Desk]:
    desk = open_desk(config, clock)
    try:
        yield desk
    finally:
        desk.close()


@pytest.fixture
def config(engine_url: str, tmp_path: Path, mailbox: Mailbox, hook: Hook) -> Config:
    return Config(
        data_dir=str(tmp_path / "data"),
        database_url=engine_url,
        mail=mailbox.settings(),
        webhook=Webhook(url=hook.url, secret=SECRET),
    )


@pytest.fixture
def worker(config: Config, tmp_path: Path) -> Iterator[Worker]:
    """Starts `servicedesk worker` on the desk's database, with a fault point to die at ("" for none)."""
    own = {
        "SERVICEDESK_DATA_DIR": config.data_dir,
        "SERVICEDESK_DATABASE_URL": config.database_url,
        "SERVICEDESK_MAIL_HOST": config.mail.host,
        "SERVICEDESK_MAIL_PORT": str(config.mail.port),
        "SERVICEDESK_MAIL_SENDER": config.mail.sender,
        "SERVICEDESK_WEBHOOK_URL": config.webhook.url,
        "SERVICEDESK_WEBHOOK_SECRET": config.webhook.secret,
        "PYTHONPATH": str(ROOT),
    }
    started: list[subprocess.Popen[bytes]] = []

    def start(fault: str) -> "subprocess.Popen[bytes]":
        env = os.environ | own | {"SERVICEDESK_FAULT": fault}
        started.append(subprocess.Popen([sys.executable, "-m", "servicedesk", "worker"], env=env, cwd=tmp_path))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait(10)


@pytest.mark.crash
@pytest.mark.feature("N1")
def test_killed_between_send_and_mark_it_is_sent_again_marked_and_with_the_same_id(
    config: Config, worker: Worker, mailbox: Mailbox, hook: Hook
) -> None:
    with opened(config) as desk:
        crew(desk)
        (number,) = many(desk, 1)
        tell(desk, Notice("opened", number))
    for _ in range(3):  # two mails and a post
        assert worker("outbox.before_mark").wait(60) == -signal.SIGKILL
    assert (len(mailbox.mails), len(hook.posts)) == (2, 1)
    with opened(config) as desk:
        assert outbox.send_due(desk) == 0  # before the lease ends nobody sends it again
    with opened(config, lambda: utc_now() + outbox.LEASE + timedelta(seconds=1)) as desk:
        assert {(r.state, r.maybe_duplicate) for r in rows(desk)} == {("pending", 0)}
        while outbox.send_due(desk):
            pass
        assert {(r.state, r.maybe_duplicate, r.tries) for r in rows(desk)} == {("sent", 1, 2)}
        assert {r.maybe_duplicate for r in outbox.listing(desk)} == {True}
    assert (len(mailbox.mails), len(hook.posts)) == (4, 2)
    assert len({m["Message-ID"] for m in mailbox.mails}) == 2  # receivers can drop the doubles
    assert len({p.headers["webhook-id"] for p in hook.posts}) == 1
    assert all(p.signed_with(KEY) for p in hook.posts)
    assert hook.posts[0].raw == hook.posts[1].raw


@pytest.mark.crash
def test_killed_before_sending_it_is_sent_once(config: Config, worker: Worker, mailbox: Mailbox) -> None:
    with opened(replace(config, webhook=Webhook())) as desk:
        crew(desk)
        tell(desk, Notice("opened", many(desk, 1)[0]))
    for _ in range(2):
        assert worker("outbox.before_send").wait(60) == -signal.SIGKILL
    assert mailbox.mails == []
    with opened(config, lambda: utc_now() + outbox.LEASE + timedelta(seconds=1)) as desk:
        while outbox.send_due(desk):
            pass
        assert {r.state for r in rows(desk)} == {"sent"}
    assert len(mailbox.mails) == len({m["Message-ID"] for m in mailbox.mails}) == 2


@pytest.mark.crash
def test_killed_while_the_server_hangs_nothing_is_lost(config: Config, worker: Worker, mailbox: Mailbox) -> None:
    with opened(replace(config, webhook=Webhook())) as desk:
        crew(desk)
        tell(desk, Notice("opened", many(desk, 1)[0]))
    mailbox.hang()
    process = worker("")
    wait_until(lambda: mailbox.connections == 1, 30, "the worker to hang")
    process.kill()
    process.wait(10)
    mailbox.release()
    with opened(config, lambda: utc_now() + outbox.LEASE + timedelta(seconds=1)) as desk:
        while outbox.send_due(desk):
            pass
        assert {r.state for r in rows(desk)} == {"sent"}
    assert len({m["Message-ID"] for m in mailbox.mails}) == 2
