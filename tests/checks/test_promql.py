"""PromQL against a real Prometheus: tables, plots, expectations, what it cannot say, what label values cannot do."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from servicedesk.checks.registry import CHECKS
from servicedesk.config import Api, Checks, Config
from servicedesk.domain.checks import FAIL, INCONCLUSIVE, PASS
from servicedesk.domain.parameters import Parameter, Values, resolve
from servicedesk.domain.queries import fill
from servicedesk.services.checks import execute
from tests.checks.conftest import Desk
from tests.support.programs import Prometheus, hours_of
from tests.support.server import free_port

pytestmark = [pytest.mark.feature("P3"), pytest.mark.real]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that scrapes itself and one target that is away, and remembers three hours of a made-up metric."""
    program = Prometheus(tmp_path_factory.mktemp("prometheus"), {"away": [f"127.0.0.1:{free_port()}"]})
    program.add_samples(hours_of("shop_load", '{shop="a"}', lambda age: 1 if age > 3600 else 5))
    program.start()
    program.until_series("up", 2)
    yield program
    program.stop()


@pytest.fixture
def asks(prometheus: Prometheus) -> Desk:
    return Desk(Config(prometheus=Api(url=prometheus.base_url), checks=Checks()))


def promql(query: str, **keys: Any) -> dict[str, Any]:
    return {"type": "promql", "query": query} | keys


@pytest.mark.parametrize(
    ("query", "keys", "verdict", "words"),
    [
        ('up{job="prometheus"}', {"expect": "== 1"}, PASS, "= 1, as expected == 1"),
        ('up{job="away"}', {"expect": "== 1"}, FAIL, "= 0, expected == 1"),
        ("up", {"expect": "== 1"}, FAIL, '1 of 2 series: up{instance="'),
        ("up", {"expect": "== 1", "of": "any"}, PASS, "1 of 2 series"),
        ('up{job="none"}', {"expect": "== 1"}, INCONCLUSIVE, "no series"),
        ('up{job="none"}', {"expect": "== 1", "empty": "pass"}, PASS, "no series"),
        ('up{job="none"}', {"expect": "empty"}, PASS, "0 series"),
        ("up", {"expect": "empty"}, FAIL, "2 series, expected none"),
        ("up", {"expect": "some"}, PASS, "2 series"),
        ("up", {}, PASS, "2 series"),
        ('up{job="none"}', {}, INCONCLUSIVE, "no series"),
        ("vector(0) / 0", {"expect": "> 1"}, INCONCLUSIVE, "no value: NaN"),
        ("vector(0) / 0", {"expect": "> 1", "empty": "pass"}, PASS, "no value: NaN"),
        ("vector(0) / 0 or up", {"expect": "<= 1"}, PASS, "2 of 2 series"),
        ("scalar(vector(0.5))", {"expect": "< 0.9", "unit": "ratio"}, PASS, "50 %, as expected < 90 %"),
        ("vector(3 * 1024 * 1024)", {"unit": "bytes"}, PASS, "3 MiB"),
        ("up{", {}, INCONCLUSIVE, "it answered 400: "),
    ],
)
def test_verdicts(asks: Desk, query: str, keys: dict[str, Any], verdict: str, words: str) -> None:
    found = asks.run(promql(query, **keys))
    assert (found.verdict, words in found.summary) == (verdict, True), found


def test_a_table_of_what_was_found(asks: Desk, prometheus: Prometheus) -> None:
    found = asks.run(promql('up{job="prometheus"}'))
    assert found.columns == ("series", "value")
    assert found.rows == ((f'up{{instance="{prometheus.address}", job="prometheus"}}', "1"),)


def test_a_range_is_a_plot_and_its_last_values_are_judged(asks: Desk) -> None:
    found = asks.run(promql("shop_load", range="2h", expect="< 2"))
    assert (found.verdict, len(found.series)) == (FAIL, 1)
    values = [v for _, v in found.series[0].points]
    assert len(values) > 60
    assert (values[0], values[-1], found.value) == (1, 5, 5)


@pytest.mark.feature("P5")
@pytest.mark.parametrize(
    "value",
    [
        'a"} or vector(1) or up{shop="a', "a'} or vector(1)", "a\\", 'a\\"', "a\n} or vector(1)", ".*", "a|b", "[a-z]",
        "${shop}", "{{ 7*7 }}", "a`", "a#", "é", "a\u202eb",
    ],
)  # fmt: skip
def test_a_label_s_value_stays_a_value(asks: Desk, value: str) -> None:
    """Every query with it is one that Prometheus can read, and finds what has that very value: nothing."""
    types = {"shop": "text"}
    for query in (
        'count(shop_load{shop="${shop}"})',
        "count(shop_load{shop=~'${shop}'})",
        'count(up{job!~"x|${shop}"})',
    ):
        asked = fill(query, Values({"shop": value}), types)
        data = dict(asks.ask(promql("placeholder")).data) | {"query": asked}
        found = execute(asks.config, "promql", data)
        assert "it answered" not in found.summary, asked
        if "shop_load" in query:
            assert (found.verdict, found.rows) == (INCONCLUSIVE, ()), asked
    taken = resolve([Parameter("shop", "text", ("shop",))], {"shop": value})
    assert taken.values or taken.problems


def test_literal_values_after_a_regular_expression(asks: Desk) -> None:
    desk = asks.taking(shop="text")
    query = promql('shop_load{shop=~"x|${shop}"}')
    assert [desk.run(query, {"shop": s}).verdict for s in ("a", ".", "a|b")] == [PASS, INCONCLUSIVE, INCONCLUSIVE]
    assert desk.ask(query, {"shop": "a.b"}).data["query"] == 'shop_load{shop=~"x|a\\\\.b"}'


def test_who_does_not_answer_cannot_say(asks: Desk) -> None:
    away = asks.with_(prometheus=Api(url=f"http://user:secret@127.0.0.1:{free_port()}/"))
    found = away.run(promql("up"))
    assert (found.verdict, found.summary) == (INCONCLUSIVE, "Prometheus cannot say: it cannot be reached")
    unset = asks.with_(prometheus=Api())
    assert "prometheus.url is not configured" in unset.run(promql("up")).summary


@pytest.mark.feature("P5")
def test_no_credential_is_said(asks: Desk, prometheus: Prometheus) -> None:
    port = prometheus.port
    api = Api(url=f"http://u:pass1@127.0.0.1:{port}", token="pass2", password="pass3", username="x")
    desk = replace(asks, config=replace(asks.config, prometheus=api))
    check = promql("up{")
    told = [
        str(desk.run(check)),
        str(CHECKS["promql"].explain({"range": ""}, desk.config)),
        str(desk.ask(promql("up"))),
    ]
    assert not [t for t in told if "pass1" in t or "pass2" in t or "pass3" in t]
    assert f"at http://127.0.0.1:{port}/api/v1/query" in told[1]
