"""A disk that is really full: senders are told 503, reading works, and it goes on by itself when there is room."""

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support import missing
from tests.support.alertmanager import body, member
from tests.support.server import Client, Server
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.real, pytest.mark.crash, pytest.mark.timeout(120), pytest.mark.feature("I4", "O12")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MB in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", folder], capture_output=True, check=False)
    if done.returncode:
        missing.lacking("the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def desk_on_it(small_disk: Path) -> Iterator[Server]:
    server = Server(small_disk / "server")
    yield server.start()
    server.kill()


def send(sender: Client, name: str) -> int:
    told = body([member({"alertname": name, "instance": name}, datetime.now(UTC))])
    return sender.call("POST", "/receivers/alertmanager", data=told).status_code


def fill(path: Path, leave: int) -> None:
    """Takes all room but `leave` bytes."""
    usage = os.statvfs(path.parent)
    with open(path, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, usage.f_bavail * usage.f_frsize - leave)


@pytest.mark.parametrize("leave", [0, 400_000], ids=["nothing-left", "nearly-nothing-left"])
def test_a_full_disk(desk_on_it: Server, small_disk: Path, leave: int) -> None:
    server = desk_on_it
    sender, reader = server.sender(), server.person("anna")
    assert send(sender, "Before") == 200
    wait_until(lambda: reader.get("/deliveries", state="stored", limit=1)["items"] == [], what="it to be applied")
    filler = small_disk / "filler"
    fill(filler, leave)

    wait_until(lambda: send(sender, "Meanwhile") == 503, 10, "senders to be told to wait")
    codes = {send(sender, "Meanwhile") for _ in range(20)}
    assert codes == {503}
    assert "Before" in {row["labels"]["alertname"] for row in reader.items("/alerts")}

    filler.unlink()
    wait_until(lambda: send(sender, "After") == 200, 20, "it to go on by itself")
    wait_until(lambda: "After" in {row["labels"]["alertname"] for row in reader.items("/alerts")}, what="the alert")
    assert server.stop() == 0
    server.run("db", "check")
    server.run("audit", "verify")
