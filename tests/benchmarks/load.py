"""The load: senders that post webhook bodies over kept connections and note when each answer came.

A numbered alert always has the same labels and start, so a second post of it is a repeat. Pool alerts are numbers below
`POOL`; new ones count up from there. Of the mixes, "90 % repeats" is what a healthy installation sends.
"""

import http.client
import itertools
import threading
import time
from dataclasses import dataclass, field

POOL = 4000
NAMES, NAMESPACES = 20, 15
# Name of a mix → of ten posts, how many repeat what is known.
MIXES = {"90 % repeats": 9, "all repeats": 10, "all new": 0}
HEAD = (
    b'{"receiver":"desk","status":"firing","groupLabels":{},"commonLabels":{},"commonAnnotations":{},'
    b'"externalURL":"http://alertmanager.example:9093","version":"4","groupKey":"{}:{}","truncatedAlerts":0,"alerts":['
)
ALERT = (
    '{"status":"firing","labels":{"alertname":"Bench%d","cluster":"eu-1","namespace":"ns-%d","pod":"pod-%d",'
    '"container":"app","job":"kube-state-metrics","severity":"warning","instance":"pod-%d:8080"},'
    '"annotations":{"summary":"Pod is not ready","runbook_url":"http://runbooks.example/1",'
    '"description":"Pod pod-%d has been non-ready for longer than fifteen minutes."},'
    '"startsAt":"%s","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus.example:9090/graph?g0.expr=up"}'
)


def alert(number: int, started: str) -> bytes:
    """The entry of alert `number`: the same labels for the same number, whoever asks."""
    return (ALERT % (number % NAMES, number // NAMES % NAMESPACES, number, number, number, started)).encode()


def post_body(alerts: list[bytes]) -> bytes:
    return HEAD + b",".join(alerts) + b"]}"


@dataclass
class Result:
    """What a round of load did. acknowledged: alert number → how often a 200 answered it."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    acknowledged: dict[int, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)

    @property
    def alerts(self) -> int:
        return sum(self.acknowledged.values())

    @property
    def posts(self) -> int:
        return len(self.latencies)


class Load:
    """Posts to one path of one or several servers in turn; keeps what was acknowledged over all rounds."""

    def __init__(self, port: int, path: str, token: str, started: str, *others: int) -> None:
        self.port, self.ports, self.path, self.started = port, (port, *others), path, started
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.answers = {200}
        self.pool = [alert(number, started) for number in range(POOL)]
        self.new = itertools.count(POOL)
        self.total: dict[int, int] = {}
        self._lock = threading.Lock()

    def fill(self, size: int = 64) -> None:
        """Sends the whole pool once."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        for first in range(0, POOL, size):
            numbers = list(range(first, min(first + size, POOL)))
            self._post(connection, post_body([self.pool[n] for n in numbers]))
            for number in numbers:
                self.total[number] = self.total.get(number, 0) + 1

    def round(self, size: int, seconds: float, connections: int = 8, mix: str = "90 % repeats") -> Result:
        """`connections` senders post bodies of `size` alerts for `seconds`."""
        results = [Result() for _ in range(connections)]
        end = time.perf_counter() + seconds
        begun = time.perf_counter()
        threads = [
            threading.Thread(target=self._send, args=(size, end, i, one, MIXES[mix])) for i, one in enumerate(results)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        merged = Result(seconds=time.perf_counter() - begun)
        for one in results:
            merged.latencies += one.latencies
            for number, times in one.acknowledged.items():
                merged.acknowledged[number] = merged.acknowledged.get(number, 0) + times
                self.total[number] = self.total.get(number, 0) + times
            for what, times in one.errors.items():
                merged.errors[what] = merged.errors.get(what, 0) + times
        return merged

    def _send(self, size: int, end: float, lane: int, result: Result, repeats: int) -> None:
        port = self.ports[lane % len(self.ports)]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for turn in itertools.count(lane):
            if time.perf_counter() >= end:
                return
            numbers, fragments = self._next(size, turn, lane, repeats)
            body = post_body(fragments)
            begun = time.perf_counter()
            code = self._post(connection, body)
            result.latencies.append(time.perf_counter() - begun)
            if code in self.answers:
                for number in numbers:
                    result.acknowledged[number] = result.acknowledged.get(number, 0) + 1
            else:
                result.errors[str(code)] = result.errors.get(str(code), 0) + 1

    def _next(self, size: int, turn: int, lane: int, repeats: int) -> tuple[list[int], list[bytes]]:
        if turn % 10 >= repeats:
            with self._lock:
                numbers = [next(self.new) for _ in range(size)]
            return numbers, [alert(number, self.started) for number in numbers]
        first = (turn * size + lane * 500) % POOL
        numbers = [(first + i) % POOL for i in range(size)]
        return numbers, [self.pool[number] for number in numbers]

    def _post(self, connection: http.client.HTTPConnection, body: bytes) -> int:
        try:
            connection.request("POST", self.path, body, self.headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            connection.close()
            return 0


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
