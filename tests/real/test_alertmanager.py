"""The real Alertmanager against the real program: fires, repeats, resolves; alone and as a pair; bearer and basic."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.alertmanager import Alertmanager
from tests.support.server import Client, Server, free_port
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

LABELS = {
    "alertname": "KubePodCrashLooping",
    "severity": "critical",
    "namespace": "shop",
    "pod": "cart-5f7",
    "cluster": "eu-1",
    "service": "cart",
}


@pytest.fixture
def alertmanagers(server: Server, tmp_path: Path) -> Iterator["Pool"]:
    pool = Pool(server, tmp_path)
    yield pool
    for one in pool.running:
        one.stop()


class Pool:
    """Alertmanagers that report to one server under one source, as an HA pair does."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder, self.running = server, folder, list[Alertmanager]()
        self.token = server.ingest_token("prod-am")

    def new(self, basic: bool = False, **route: str) -> Alertmanager:
        folder = self.folder / f"alertmanager-{len(self.running)}"
        one = Alertmanager(folder, f"{self.server.base_url}/api/v1/receivers/alertmanager", self.token)
        one.configure(f"{self.server.base_url}/api/v1/receivers/alertmanager", self.token, basic=basic, **route)
        self.running.append(one)
        return one


def tickets(person: Client) -> list[Any]:
    return person.items("/incidents")


def only_ticket(person: Client) -> Any:
    """The one ticket with its details; fails when there are more."""
    found = wait_until(lambda: tickets(person), what="a ticket")
    assert len(found) == 1, found
    return person.get(f"/incidents/{found[0]['number']}")


def only_alert(person: Client) -> Any:
    (alert,) = person.items("/alerts")
    return alert


def deliveries(person: Client) -> list[Any]:
    return person.items("/deliveries")


@pytest.mark.feature("I1", "I4", "T1")
def test_firing_repeat_resolved(server: Server, alertmanagers: Pool) -> None:
    anna = server.person("anna")
    alertmanager = alertmanagers.new(repeat_interval="1s").start()

    sent = alertmanager.fire(LABELS, summary="Pod cart-5f7 is crash looping")
    ticket = only_ticket(anna)
    assert ticket["status"] == "new"
    assert "KubePodCrashLooping" in ticket["title"] or "crash looping" in ticket["title"]
    (alert,) = ticket["alerts"]
    assert (alert["status"], alert["labels"]) == ("firing", LABELS)
    assert ticket["occurrences"] == 1

    wait_until(lambda: len(deliveries(anna)) >= 3, what="two repeats")
    wait_until(lambda: only_alert(anna)["count"] >= 3, what="the repeats to be counted")
    again = only_ticket(anna)
    assert again["number"] == ticket["number"]
    assert again["occurrences"] == 1, "a repeat is no new firing"

    alertmanager.resolve(sent)
    wait_until(lambda: only_alert(anna)["status"] == "recovered", what="the recovery")
    quiet = only_ticket(anna)
    assert quiet["number"] == ticket["number"]
    assert quiet["status"] == "new", "recovered is neither resolved nor closed"
    assert (quiet["resolved_at"], quiet["closed_at"]) == (None, None)


@pytest.mark.feature("I9")
def test_fires_again_after_recovery_on_the_same_ticket(server: Server, alertmanagers: Pool) -> None:
    anna = server.person("anna")
    alertmanager = alertmanagers.new().start()
    first = alertmanager.fire(LABELS)
    ticket = only_ticket(anna)
    alertmanager.resolve(first)
    wait_until(lambda: only_alert(anna)["status"] == "recovered", what="the recovery")
    alertmanager.fire(LABELS, started=None)
    wait_until(lambda: only_alert(anna)["status"] in {"firing", "suspect"}, what="the second firing")
    assert only_ticket(anna)["number"] == ticket["number"]


@pytest.mark.feature("I6", "I9", "I21")
def test_a_pair_makes_one_ticket(server: Server, alertmanagers: Pool) -> None:
    anna = server.person("anna")
    first = alertmanagers.new().start(clustered=True)
    second = alertmanagers.new().start(peer=first)
    sent = first.fire(LABELS)
    second.post(sent | {"endsAt": "2099-01-01T00:00:00Z"})
    number = only_ticket(anna)["number"]
    for peer in (first, second):
        peer.resolve(sent)
    wait_until(lambda: only_alert(anna)["status"] == "recovered", 30, "the pair's recovery")
    assert only_ticket(anna)["number"] == number
    assert only_alert(anna)["source"] == "prod-am"


@pytest.mark.feature("I6", "I9")
@pytest.mark.parametrize("how", ["cannot-reach-the-desk", "is-killed"])
def test_a_pair_with_a_failing_peer_makes_one_ticket(server: Server, alertmanagers: Pool, how: str) -> None:
    """Whatever the two send: the one that fails leaves it to the other, which may say it twice."""
    anna = server.person("anna")
    first, second = alertmanagers.new(repeat_interval="2s"), alertmanagers.new(repeat_interval="2s")
    if how == "cannot-reach-the-desk":
        first.configure(f"http://127.0.0.1:{free_port()}/nobody", alertmanagers.token)
    first.start(clustered=True)
    second.start(peer=first)
    sent = first.fire(LABELS)
    second.post(sent | {"endsAt": "2099-01-01T00:00:00Z"})
    number = only_ticket(anna)["number"]
    if how == "is-killed":
        first.kill()
    before = only_alert(anna)["count"]
    wait_until(lambda: only_alert(anna)["count"] > before, 30, "the other peer to repeat it")
    assert only_ticket(anna)["number"] == number
    second.resolve(sent)
    wait_until(lambda: only_alert(anna)["status"] == "recovered", 30, "the recovery")
    assert only_ticket(anna)["number"] == number
    assert only_alert(anna)["source"] == "prod-am"


@pytest.mark.feature("I1")
def test_basic_authentication_and_hostile_labels(server: Server, alertmanagers: Pool) -> None:
    anna = server.person("anna")
    alertmanager = alertmanagers.new(basic=True).start()
    hostile = LABELS | {"pod": "<script>alert(1)</script>\r\n'; DROP TABLE incident; --\u202e", "namespace": "x" * 5000}
    alertmanager.fire(hostile, summary="{{ 7 * 7 }} <b>bold</b>")
    (alert,) = only_ticket(anna)["alerts"]
    assert alert["labels"]["pod"] == hostile["pod"]
    assert alert["labels"]["namespace"] == hostile["namespace"]


@pytest.mark.feature("I1", "I4")
def test_an_alert_that_fires_while_the_desk_is_down_arrives_later(server: Server, alertmanagers: Pool) -> None:
    anna = server.person("anna")
    alertmanager = alertmanagers.new().start()
    server.stop()
    alertmanager.fire(LABELS)
    wait_until(lambda: "notify retry" in alertmanager.log.lower() or "attempt" in alertmanager.log.lower(), 20)
    server.start()
    assert only_ticket(anna)["status"] == "new"
