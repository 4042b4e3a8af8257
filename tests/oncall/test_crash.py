"""A real worker process, killed while it calls people: every step once, and a double says that it may be one."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from servicedesk.config import Config
from servicedesk.desk import Desk, open_desk, utc_now
from servicedesk.services import escalations, outbox
from servicedesk.store.tables import outbox as outbox_rows
from servicedesk.store.tables import page_step
from tests.oncall.conftest import policy, use
from tests.support.crew import crew
from tests.support.source import ROOT
from tests.told.receivers import Mailbox
from tests.told.rows import opened

Worker = Callable[[str], "subprocess.Popen[bytes]"]
PEOPLE = ["agent@example.org", "owner@example.org"]


@contextmanager
def at(config: Config, clock: Callable[[], datetime] = utc_now) -> Iterator[Desk]:
    desk = open_desk(config, clock)
    try:
        yield desk
    finally:
        desk.close()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox().start()
    yield box
    box.stop()


@pytest.fixture
def config(engine_url: str, tmp_path: Path, mailbox: Mailbox) -> Config:
    return Config(data_dir=str(tmp_path / "data"), database_url=engine_url, mail=mailbox.settings())


@pytest.fixture
def number(config: Config) -> int:
    """A ticket whose policy calls two people at once, and a third after an hour."""
    with at(config) as desk:
        people = crew(desk)
        use(desk, people["lead"], policy((0, "person:owner,person:agent"), (60, "person:reviewer")))
        return opened(desk, people["lead"])


@pytest.fixture
def worker(config: Config, tmp_path: Path) -> Iterator[Worker]:
    """Starts `servicedesk worker` on the desk's database, with a fault point to die at."""
    own = {
        "SERVICEDESK_DATA_DIR": config.data_dir,
        "SERVICEDESK_DATABASE_URL": config.database_url,
        "SERVICEDESK_MAIL_HOST": config.mail.host,
        "SERVICEDESK_MAIL_PORT": str(config.mail.port),
        "SERVICEDESK_MAIL_SENDER": config.mail.sender,
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


def restart(config: Config) -> None:
    """What the next worker does once the lease of the dead one has ended."""
    with at(config, lambda: utc_now() + outbox.LEASE + timedelta(seconds=1)) as desk:
        while escalations.run_due(desk) + outbox.send_due(desk):
            pass


def proof(config: Config, number: int) -> list[tuple[Any, ...]]:
    """(round, step, address, state, maybe twice) of every row of the proof."""
    s, o = page_step.c, outbox_rows.c
    query = select(s.round, s.step, s.address, s.state, o.maybe_duplicate).outerjoin(outbox_rows, o.id == s.outbox_id)
    with at(config) as desk, desk.read() as tx:
        return sorted(tuple(row) for row in tx.run(query.where(s.incident_id == number)))


def pages(mailbox: Mailbox) -> list[str]:
    """The addresses of the mails that call somebody."""
    return sorted(str(m["To"]).split("<")[-1].strip(">") for m in mailbox.mails if "Page:" in str(m["Subject"]))


@pytest.mark.crash
@pytest.mark.feature("N4", "N5")
def test_killed_before_the_step_is_written_it_is_executed_once(
    config: Config, worker: Worker, mailbox: Mailbox, number: int
) -> None:
    assert worker("escalation.before_step").wait(60) == -signal.SIGKILL
    assert proof(config, number) == [], "neither a row nor a message of half a step"
    assert pages(mailbox) == []
    restart(config)
    assert proof(config, number) == [(1, 1, who, "sent", 0) for who in PEOPLE]
    assert pages(mailbox) == PEOPLE


@pytest.mark.crash
@pytest.mark.feature("N4", "N5")
@pytest.mark.parametrize(("fault", "sent"), [("outbox.before_send", 0), ("outbox.before_mark", 1)])
def test_killed_between_the_row_and_its_sending_it_is_sent_and_a_double_is_marked(
    config: Config, worker: Worker, mailbox: Mailbox, number: int, fault: str, sent: int
) -> None:
    with at(config) as desk:
        while escalations.run_due(desk):
            pass
    assert [row[3] for row in proof(config, number)] == ["queued", "queued"]
    assert worker(fault).wait(60) == -signal.SIGKILL
    assert len(pages(mailbox)) == sent
    restart(config)
    found = proof(config, number)
    assert [row[:4] for row in found] == [(1, 1, who, "sent") for who in PEOPLE], "each step once, nothing is lost"
    assert sorted(row[4] for row in found) == [0, 1], "the one that the dead worker held is marked"
    assert len(pages(mailbox)) == 2 + sent
    ids = {m["Message-ID"] for m in mailbox.mails if "Page:" in str(m["Subject"])}
    assert len(ids) == 2, "receivers can drop the doubles"
