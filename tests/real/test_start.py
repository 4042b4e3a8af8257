"""The first minutes of an operator: what `servicedesk up` prints, how fast and small it is, how it ends and refuses."""

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from tests.benchmarks import machine
from tests.support.server import Server
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

READY_SECONDS = 3.0
IDLE_MIB = 120.0


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Server]:
    """A server on nothing at all: no data folder, no configuration."""
    server = Server(tmp_path / "new")
    yield server
    server.finish()


def stood_in_line(pid: int) -> float:
    """Seconds that a process was ready to run while others had the processors (Linux: proc_pid_schedstat)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


@pytest.mark.feature("O4", "O6")
def test_it_is_ready_soon_and_small(new: Server) -> None:
    """The best of three starts, without the time that it stood in line for a processor: other tests run beside it."""
    taken, memory = [], []
    for _ in range(3):
        begun = time.monotonic()
        new.start()
        taken.append(time.monotonic() - begun - stood_in_line(new.pid))
        memory.append(machine.pss(new.pid))
        assert new.stop() == 0
        if min(taken) < READY_SECONDS and min(memory) < IDLE_MIB:
            break
    assert min(taken) < READY_SECONDS, taken
    assert min(memory) < IDLE_MIB, memory


@pytest.mark.feature("O4", "A2", "I21")
def test_the_first_start_tells_what_is_needed_and_later_ones_keep_it_secret(new: Server) -> None:
    new.start()
    said = wait_until(lambda: new.log if "sd_" in new.log else "", what="the token")
    assert new.base_url in said
    (link,) = set(re.findall(r"http://\S+/sign-in/link/\S+", said))
    token = re.findall(r"sd_[A-Za-z0-9]+_[A-Za-z0-9_-]+", said)[0]
    assert "solo" in said
    answer = requests.get(link, timeout=10)
    assert answer.status_code == 200, answer.text[:500]
    receiver = f"{new.base_url}/api/v1/receivers/alertmanager"
    assert receiver in said
    posted = requests.post(receiver, data=b"{}", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert posted.status_code == 200
    first = len(new.log)
    new.stop()
    new.start()
    assert token not in new.log[first:], "the token is shown once"


def test_the_printed_alertmanager_lines_are_valid(new: Server) -> None:
    new.start()
    said = wait_until(lambda: new.log if "webhook_configs" in new.log else "", what="the lines to paste")
    lines = said.splitlines()
    at = next(i for i, line in enumerate(lines) if "receivers:" in line or "route:" in line)
    indent = len(lines[at]) - len(lines[at].lstrip())
    block = []
    for line in lines[at:]:
        if line.strip() and len(line) - len(line.lstrip()) < indent:
            break
        block.append(line[indent:])
        if not line.strip():
            break
    pasted = yaml.safe_load("\n".join(block))
    assert "receivers" in pasted, block


@pytest.mark.feature("I4")
def test_term_ends_it_well_and_soon(new: Server) -> None:
    new.start()
    begun = time.monotonic()
    assert new.stop() == 0
    assert time.monotonic() - begun < 10
    assert "Traceback" not in new.log


def refused(server: Server, **env: str) -> str:
    """What a start that must fail says; it must be short, and its exit code not 0."""
    before = len(server.log)
    process = server.spawn(**env)
    assert process.wait(30) not in {0, None}
    said = server.log[before:]
    assert "Traceback" not in said, said
    assert 1 <= len([line for line in said.splitlines() if line.strip()]) <= 3, said
    return said


@pytest.mark.feature("O4")
def test_a_second_one_on_the_same_data_is_one_sentence(new: Server) -> None:
    new.start()
    second = new.run("up", check=False)
    assert second.returncode == 1
    assert f"(process {new.pid}) works in" in second.stderr
    assert "Traceback" not in second.stderr
    assert new.is_running()


@pytest.mark.feature("O4")
def test_a_taken_port_is_one_sentence(new: Server) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", new.port))
        taken.listen()
        assert str(new.port) in refused(new)


@pytest.mark.feature("O4")
def test_wrong_settings_are_one_sentence(new: Server) -> None:
    (new.folder / "servicedesk.yaml").write_text("htpp: {bind: x}\n")
    assert "htpp" in refused(new)
    (new.folder / "servicedesk.yaml").unlink()
    assert "database_url" in refused(new, SERVICEDESK_DATABASE_URL="oracle://x")


@pytest.mark.feature("O4", "O6")
def test_a_database_that_is_away_is_one_sentence(new: Server) -> None:
    with socket.socket() as nobody:  # bound, but nobody listens
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        said = refused(new, SERVICEDESK_DATABASE_URL=f"postgresql://desk@127.0.0.1:{port}/desk")
    assert "database" in said


@pytest.mark.feature("O7")
def test_a_schema_newer_than_the_program_is_one_sentence(new: Server) -> None:
    import sqlite3

    new.start()
    new.stop()
    with sqlite3.connect(new.folder / "data" / "servicedesk.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    assert "newer" in refused(new)
