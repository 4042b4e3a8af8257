"""A corpus of hostile labels through every kind of check, in every type of parameter and every place of a value.

Nothing may run, no port may be knocked at, no file appear, nothing be evaluated; and the answer is always a verdict.
"""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from servicedesk.checks.registry import CHECKS
from servicedesk.clients import sandbox
from servicedesk.config import Api, Checks, Config
from servicedesk.domain.checks import INCONCLUSIVE, VERDICTS, Ask
from servicedesk.domain.parameters import TYPES, CannotAsk, Parameter, resolve
from servicedesk.domain.queries import pieces
from servicedesk.services.checks import execute
from tests.checks import hostile
from tests.checks.conftest import Listener

pytestmark = pytest.mark.feature("P5")

# what a playbook could write with one value, by kind of check: every place that a value may take
PLACES: dict[str, list[dict[str, Any]]] = {
    "http": [{"url": "${v}"}, {"url": "http://${v}/"}, {"url": "http://192.0.2.1/${v}?q=${v}"}],
    "tcp": [{"host": "${v}", "port": 9}, {"host": "192.0.2.1", "port": "${v}"}],
    "dns": [{"name": "${v}", "server": "192.0.2.1"}, {"name": "example.org", "server": "${v}"}],
    "tls": [{"host": "${v}", "port": 9}, {"host": "192.0.2.1", "port": 9, "name": "${v}"}],
    "ping": [{"host": "${v}", "count": 1}],
    "promql": [{"query": 'up{a="${v}", b=~"x|${v}"}'}, {"query": "rate(up[${v}]) > ${v}"}],
    "loki": [{"query": '{a="${v}"} |= "${v}" |~ "${v}"'}],
    "alertmanager": [{"matchers": ['a="${v}"', 'b=~"${v}"']}],
    "sql": [{"connection": "x", "query": "SELECT ${v}"}],
    "command": [{"name": "plain", "values": {"v": "${v}"}}, {"name": "dashed", "values": {"v": "${v}"}}],
}


@pytest.fixture
def trap(listen: Callable[..., Listener]) -> Listener:
    return listen()


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "evaluated"


@pytest.fixture
def world(trap: Listener) -> Config:
    """Nothing is allowed; the monitoring's programs are the trap, too: nothing may be sent to them that breaks out."""
    api = Api(url=f"http://127.0.0.1:{trap.port}")
    commands = ("plain: /bin/true ${v}", "dashed: /bin/true -- ${v}")
    return Config(prometheus=api, alertmanager=api, loki=api, checks=Checks(commands=commands, sql=("x: dbname=none",)))


def asks(kind: str, place: dict[str, Any], type_: str, value: str) -> Iterator[Ask]:
    """The question, where one can be put at all."""
    parameters = {"v": Parameter("v", type_, ("label",)), "other": Parameter("other", "text", ("secret",))}
    check = CHECKS[kind]
    options = msgspec.convert({"type": kind} | place, check.options)
    if list(check.problems(options, parameters)):
        return
    try:
        yield check.ask(options, resolve(parameters.values(), {"label": value, "secret": "TOP-SECRET"}), parameters)
    except CannotAsk as why:
        if not why.args[0].endswith(".") or "\n" in why.args[0]:
            pytest.fail(f"no sentence on one line: {why}")


@pytest.mark.parametrize("kind", sorted(set(PLACES) - {"command", "dns"}))
def test_no_hostile_value_is_asked_of_anybody(
    kind: str, world: Config, trap: Listener, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reaches the network is judged first: with nothing allowed, nothing goes out, whatever the value is."""
    monkeypatch.setattr(subprocess, "Popen", lambda *_a, **_k: pytest.fail("a process was begun"))
    network = kind in ("http", "tcp", "tls", "ping")
    count = 0
    for value in hostile.values(trap.port, str(mark)):
        for type_ in TYPES:
            for place in PLACES[kind]:
                for ask in asks(kind, place, type_, value):
                    count += 1
                    assert "TOP-SECRET" not in str(ask.data)
                    if network and "192.0.2.1" not in str(ask.data):
                        assert_refused(world, ask)
    assert trap.count == 0
    assert not mark.exists()
    assert count > 20, "some values are well-formed, so that this test asks something"


def assert_refused(world: Config, ask: Ask) -> None:
    if "metadata.google.internal" in ask.target or not is_address(ask.target):
        return  # a name: who it belongs to is for the resolver to say, and the address is judged then
    found = execute(world, ask.check, dict(ask.data) | {"timeout": 0.5})
    assert found.verdict == INCONCLUSIVE, (ask, found)
    assert "is not asked" in found.summary


def is_address(target: str) -> bool:
    return target.replace(".", "").replace(":", "").isalnum() and (target[0].isdigit() or ":" in target)


@pytest.mark.parametrize("kind", ["promql", "loki", "alertmanager"])
def test_a_query_keeps_its_shape(kind: str) -> None:
    """Outside of its strings the query is the playbook's, whatever stands inside them."""
    for value in hostile.values(1, "/x"):
        for place in PLACES[kind][:1]:
            for ask in asks(kind, place, "text", value):
                texts = ask.data.get("matchers") or [ask.data["query"]]
                wanted = place.get("matchers") or [place["query"]]
                assert [shape(t) for t in texts] == [shape(t) for t in wanted], value


def shape(query: str) -> list[str]:
    return ["" if p.kind in ("double", "single") else p.text for p in pieces(query)]


def test_a_command_gets_it_as_one_argument_or_not_at_all(mark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is replaced by one that shows its arguments; no shell, no second program."""
    shown: list[list[str]] = []

    def remember(argv: list[str], _limits: object) -> sandbox.Ended:
        shown.append(list(argv))
        return sandbox.Ended(0, "", b"", False)

    monkeypatch.setattr(sandbox, "run", remember)
    config = Config(checks=Checks(commands=("plain: /bin/true ${v}", "dashed: /bin/true -- ${v}")))
    for value in hostile.values(1, str(mark)):
        for place in PLACES["command"]:
            for ask in asks("command", place, "text", value):
                assert execute(config, "command", ask.data).verdict in VERDICTS
    assert len(shown) > 100
    assert all(argv[:2] == ["/bin/true", "--"] or (len(argv) == 2 and not argv[1].startswith("-")) for argv in shown)
    assert not mark.exists()


def test_some_of_it_really_run(mark: Path) -> None:
    config = Config(checks=Checks(commands=("show: /bin/echo -- ${v}",)))
    for value in hostile.values(1, str(mark))[:28:4]:
        for ask in asks("command", {"name": "show", "values": {"v": "${v}"}}, "text", value):
            found = execute(config, "command", ask.data)
            assert value.strip() in found.details
    assert not mark.exists()


def test_a_value_is_bound_in_sql() -> None:
    for value in hostile.values(1, "/x"):
        for ask in asks("sql", PLACES["sql"][0], "text", value):
            assert (ask.data["query"], ask.data["given"]) == ("SELECT %s", [value])


def test_an_instruction_takes_nothing_that_a_shell_reads() -> None:
    from servicedesk.files.playbook_parts import FIT_FOR_COMMANDS

    for value in hostile.values(1, "/x"):
        for type_ in FIT_FOR_COMMANDS:
            for taken in resolve([Parameter("v", type_, ("label",))], {"label": value}).values.values():
                assert not set(taken) & set(" ;|&`$()<>\"'\\\n\r\t\0*?{}!#~^%"), (type_, taken)
                assert not taken.startswith("-") or type_ == "number"
