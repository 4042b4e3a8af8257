"""A storm of alerts from senders that behave as Alertmanager does, and the check that nothing acknowledged was lost.

A sender posts a body until it is answered 200: on 5xx, a refused or a cut connection it sends the same body again.
What was answered 200 must be there exactly once, whatever was killed meanwhile.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests

from tests.support.alertmanager import body, member

NAMES = 7  # alert names that the storm spreads its instances over


@dataclass
class Ledger:
    """What the senders know: how often each alert was sent, and how often an answer said 200."""

    sent: dict[str, int] = field(default_factory=dict)
    acknowledged: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def lost_or_doubled(self, counts: Mapping[str, int], entries: Iterable[str]) -> list[str]:
        """Compares with the desk: `counts` is alert → observations, `entries` every alert as often as it is listed.

        An acknowledged alert must be listed exactly once, and be observed at least as often as it was acknowledged
        and at most as often as it was sent (a delivery may be stored although its answer got lost).
        """
        listed: dict[str, int] = {}
        for name in entries:
            listed[name] = listed.get(name, 0) + 1
        wrong = []
        for name, answers in sorted(self.acknowledged.items()):
            if listed.get(name, 0) != 1:
                wrong.append(f"{name}: acknowledged {answers} times, listed {listed.get(name, 0)} times")
            elif not answers <= counts[name] <= self.sent[name]:
                wrong.append(f"{name}: sent {self.sent[name]}, acknowledged {answers}, observed {counts[name]} times")
        return wrong + [f"{name}: nobody sent it" for name in listed if name not in self.sent] + self.refused


class Storm:
    """`senders` threads that post `size` new alerts a post until told to stop; `url()` is asked before each try."""

    def __init__(self, url: Callable[[], str], token: str, senders: int = 4, size: int = 5) -> None:
        self.url, self.token, self.size = url, token, size
        self.ledger = Ledger()
        self._lock, self._stop, self._next = threading.Lock(), threading.Event(), 0
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(senders)]

    def __enter__(self) -> "Storm":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """No new bodies; what is under way is sent until it is answered, for a while."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads), "a sender got no 200 within a minute"

    @property
    def acknowledged(self) -> int:
        """How many alerts were answered 200 so far."""
        with self._lock:
            return len(self.ledger.acknowledged)

    def _send(self) -> None:
        session = requests.Session()
        session.headers.update({"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})
        while not self._stop.is_set():
            names = self._take()
            self._until_acknowledged(session, names)
            self._stop.wait(0.002)

    def _take(self) -> list[str]:
        with self._lock:
            first, self._next = self._next, self._next + self.size
        return [f"i-{number}" for number in range(first, first + self.size)]

    def _until_acknowledged(self, session: requests.Session, names: list[str]) -> None:
        data = storm_body(names)
        for pause in range(600):
            with self._lock:
                for name in names:
                    self.ledger.sent[name] = self.ledger.sent.get(name, 0) + 1
            code = self._post(session, data)
            with self._lock:
                if code == 200:
                    for name in names:
                        self.ledger.acknowledged[name] = self.ledger.acknowledged.get(name, 0) + 1
                    return
                if code is not None and code != 503:
                    self.ledger.refused.append(f"answered {code} to {names[0]}")
                    return
            threading.Event().wait(min(0.02 * (pause + 1), 0.1))  # the sender's own back-off

    def _post(self, session: requests.Session, data: bytes) -> int | None:
        try:
            return session.post(self.url(), data=data, timeout=10).status_code
        except requests.RequestException:  # refused, cut before or within the answer: not acknowledged
            return None


def storm_body(names: list[str]) -> bytes:
    """One webhook body with a firing alert for each instance name."""
    started = datetime.now(UTC)
    return body([member({"alertname": f"Storm{int(n[2:]) % NAMES}", "instance": n}, started) for n in names])


def without_ticket(items: Iterable[Mapping[str, Any]]) -> list[str]:
    """Storm alerts of GET /api/v1/alerts that belong to no ticket."""
    storm = (item for item in items if item["labels"].get("alertname", "").startswith("Storm"))
    return [item["labels"]["instance"] for item in storm if not item["incident_id"]]


def found(items: Iterable[Mapping[str, Any]]) -> tuple[dict[str, int], list[str]]:
    """(alert → observations, every alert as listed) out of the items of GET /api/v1/alerts."""
    storm = [item for item in items if item["labels"].get("alertname", "").startswith("Storm")]
    return {i["labels"]["instance"]: i["count"] for i in storm}, [i["labels"]["instance"] for i in storm]
