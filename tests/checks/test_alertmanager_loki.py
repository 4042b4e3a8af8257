"""Alertmanager against the real program; Loki against recorded answers of its documented API (no Loki is at hand)."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from servicedesk.clients import alertmanager as client
from servicedesk.config import Api, Config
from servicedesk.domain.checks import FAIL, INCONCLUSIVE, PASS
from servicedesk.domain.parameters import Values
from servicedesk.domain.queries import fill, matcher_string
from servicedesk.services.checks import execute
from tests.checks.conftest import Desk, Web, plain
from tests.support.alertmanager import Alertmanager

pytestmark = pytest.mark.feature("P3")

# --- Alertmanager -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    program = Alertmanager(tmp_path_factory.mktemp("alertmanager"), "http://127.0.0.1:9/", "unused").start()
    for name, instance in (("DiskFull", "a"), ("DiskFull", "b"), ("HostDown", "c")):
        program.fire({"alertname": name, "instance": instance, "cluster": "x"})
    program.fire({"alertname": "Odd", "name": 'a"b\\c\n{}'})
    yield program
    program.stop()


@pytest.fixture
def asks(alertmanager: Alertmanager) -> Desk:
    return Desk(Config(alertmanager=Api(url=alertmanager.base_url)))


def alerts(*matchers: str, **keys: Any) -> dict[str, Any]:
    return {"type": "alertmanager", "matchers": matchers} | keys


@pytest.mark.real
def test_what_else_fires(asks: Desk) -> None:
    found = asks.run(alerts('cluster="x"'))
    assert (found.verdict, found.summary, found.value) == (PASS, "3 active, 0 silenced, 0 inhibited", 3)
    assert {row[0].split()[0] for row in found.rows} == {"DiskFull", "HostDown"}
    assert asks.run(alerts('cluster="x"', expect="none")).verdict == FAIL
    assert asks.run(alerts('cluster="y"', expect="none")).verdict == PASS
    assert asks.run(alerts('cluster="y"', expect="some")).verdict == FAIL


@pytest.mark.real
def test_whether_it_is_silenced(asks: Desk, alertmanager: Alertmanager) -> None:
    now = datetime.now(UTC)
    api = asks.config.alertmanager
    labels = {"alertname": "HostDown"}
    silence = client.set_silence(api, labels, now, now + timedelta(hours=1), "test", "a test", 5)
    desk = asks.taking(instance="name")
    found = desk.run(alerts('instance="${instance}"', expect="not_silenced"), {"instance": "c"})
    assert (found.verdict, found.rows[0][2]) == (FAIL, f"silenced by {silence}")
    assert desk.run(alerts('instance="${instance}"', expect="none"), {"instance": "c"}).verdict == PASS
    gone = alerts(
        'alertname="HostDown"', expect="gone", exact=[{"alertname": "HostDown", "instance": "c", "cluster": "x"}]
    )
    assert asks.run(gone).verdict == FAIL, "a silenced alert still fires"
    longer = client.set_silence(api, labels, now, now + timedelta(hours=2), "test", "a test", 5, silence)
    known = {s.id: s for s in client.silences(api, 5)}
    assert known[longer].ends_at - now > timedelta(minutes=119)
    client.expire(api, longer, 5)
    client.expire(api, longer, 5)
    client.expire(api, "00000000-0000-0000-0000-000000000000", 5)
    assert desk.run(alerts('instance="${instance}"', expect="not_silenced"), {"instance": "c"}).verdict == PASS


@pytest.mark.real
@pytest.mark.feature("P5")
def test_a_hostile_value_is_a_value(asks: Desk) -> None:
    asked = fill('name="${name}"', Values({"name": 'a"b\\c\n{}'}), {"name": "text"}, matcher_string)
    data = {"matchers": [asked], "expect": "", "exact": [], "timeout": 5}
    assert execute(asks.config, "alertmanager", data).summary == "1 active, 0 silenced, 0 inhibited"


def test_who_does_not_answer_or_is_another_cannot_say(asks: Desk, web: Web) -> None:
    for answer, words in (
        (plain(200, "<html>", Content_Type="text/html"), "no JSON"),
        (plain(200, '{"status": "ok"}'), "not that of an Alertmanager"),
        (plain(500, '{"error": "out of memory"}'), "answered 500: out of memory"),
        (plain(302, "", Location="/elsewhere"), "answered 302"),
    ):
        web.answers["/api/v2/alerts"] = answer
        found = asks.with_(alertmanager=Api(url=web.url)).run(alerts('a="b"'))
        assert (found.verdict, words in found.summary) == (INCONCLUSIVE, True), found


# --- Loki -------------------------------------------------------------------------------------------------------------

# as https://grafana.com/docs/loki/latest/reference/loki-http-api/ shows the answers of /loki/api/v1/query_range
STREAMS = {
    "status": "success",
    "data": {
        "resultType": "streams",
        "result": [
            {
                "stream": {"app": "shop", "level": "error"},
                "values": [
                    ["1760000002000000000", "payment failed: timeout"],
                    ["1760000001000000000", "payment failed: refused"],
                ],
            },
            {"stream": {"app": "shop", "level": "warn"}, "values": [["1760000003000000000", "slow"]]},
        ],
        "stats": {},
    },
}
MATRIX = {
    "status": "success",
    "data": {
        "resultType": "matrix",
        "result": [{"metric": {"app": "shop"}, "values": [[1760000000, "1"], [1760000060, "4"]]}],
    },
}


@pytest.fixture
def loki(web: Web) -> Desk:
    def answer(request: BaseHTTPRequestHandler) -> None:
        query = parse_qs(urlsplit(request.path).query)["query"][0]
        empty = {"status": "success", "data": {"resultType": "streams", "result": []}}
        told = MATRIX if query.startswith("count_over_time") else empty if "none" in query else STREAMS
        plain(200, json.dumps(told))(request)

    web.answers["/loki/api/v1/query_range"] = answer
    return Desk(Config(loki=Api(url=web.url, tenant="shop", token="t")))


def test_lines_are_counted_and_shown_newest_first(loki: Desk, web: Web) -> None:
    found = loki.run({"type": "loki", "query": '{app="shop"} |= "failed"', "since": "1h", "expect": "< 3"})
    assert (found.verdict, found.summary) == (FAIL, "3 lines in 1h, expected < 3")
    assert [row[1] for row in found.rows] == ["slow", "payment failed: timeout", "payment failed: refused"]
    assert "2025-10-09 08:53:22 payment failed: timeout" in found.details
    headers = web.asked[0][2]
    assert (headers["X-Scope-OrgID"], headers["Authorization"]) == ("shop", "Bearer t")
    none = {"type": "loki", "query": '{app="none"}', "expect": "== 0"}
    assert loki.run(none).verdict == PASS


def test_a_metric_query_is_a_plot(loki: Desk) -> None:
    found = loki.run({"type": "loki", "query": 'count_over_time({app="shop"}[1m])', "expect": "> 10"})
    assert (found.verdict, found.value) == (FAIL, 4)
    assert found.series[0].points == ((1760000000.0, 1.0), (1760000060.0, 4.0))


def test_values_in_line_filters(loki: Desk) -> None:
    desk = loki.taking(pod="text")
    check = {"type": "loki", "query": '{pod="${pod}"} |= "${pod}" |~ "^${pod}"'}
    asked = desk.ask(check, {"pod": 'a.b"'}).data["query"]
    assert asked == '{pod="a.b\\x22"} |= "a.b\\x22" |~ "^a\\\\.b\\\\\\x22"'
