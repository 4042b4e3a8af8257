"""SQL on a real PostgreSQL, as roles with and without rights; local commands in their cage."""

import itertools
import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from servicedesk.config import Checks, Config
from servicedesk.domain.checks import FAIL, INCONCLUSIVE, PASS
from tests.checks.conftest import Desk
from tests.support.waiting import wait_until

pytestmark = pytest.mark.feature("P3", "P5")

# --- SQL --------------------------------------------------------------------------------------------------------------

_numbers = itertools.count(1)
SETUP = """
CREATE TABLE orders (id int, state text, note text);
INSERT INTO orders SELECT i, CASE WHEN i < 8 THEN 'open' ELSE 'done' END, 'o''clock %s' FROM generate_series(1, 10) i;
CREATE TABLE secrets (word text);
CREATE FUNCTION sneaky() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS
  $$ BEGIN INSERT INTO secrets VALUES ('changed'); RETURN 1; END $$;
"""


@pytest.fixture
def roles(empty_postgres: str) -> Iterator[dict[str, str]]:
    """name → connection: a reader, a writer, and the superuser; the roles are dropped afterwards."""
    url = make_url(empty_postgres)
    admin = url.set(drivername="postgresql").render_as_string(hide_password=False)
    tag = f"{os.getpid()}_{next(_numbers)}"
    names = {kind: f"desk_{kind}_{tag}" for kind in ("reader", "writer", "signaller")}
    with closing(psycopg.connect(admin, autocommit=True)) as connection:
        connection.execute(SETUP)
        for name in names.values():
            connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'pass_word'")
            connection.execute(f"GRANT SELECT ON orders TO {name}")
        connection.execute(f"GRANT UPDATE (state) ON orders TO {names['writer']}")
        connection.execute(f"GRANT pg_signal_backend TO {names['signaller']}")
        own = {k: url.set(drivername="postgresql", username=n, password="pass_word") for k, n in names.items()}
        yield {k: u.render_as_string(hide_password=False) for k, u in own.items()} | {"admin": admin}
        for name in names.values():
            connection.execute(f"DROP OWNED BY {name}")
            connection.execute(f"DROP ROLE {name}")


@pytest.fixture
def asks(roles: dict[str, str]) -> Desk:
    return Desk(Config(checks=Checks(sql=tuple(f"{name}: {dsn}" for name, dsn in roles.items()))))


def sql(query: str, connection: str = "reader", **keys: Any) -> dict[str, Any]:
    return {"type": "sql", "connection": connection, "query": query} | keys


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("query", "keys", "verdict", "words"),
    [
        ("SELECT count(*) AS open FROM orders WHERE state = 'open'", {"expect": "< 5"}, FAIL, "open = 7, expected < 5"),
        ("SELECT count(*) FROM orders", {"expect": "== 10"}, PASS, "count = 10, expected == 10"),
        ("SELECT id, state FROM orders ORDER BY id", {}, PASS, "10 rows"),
        ("SELECT 1 WHERE false", {"expect": "empty"}, PASS, "0 rows"),
        ("SELECT 1", {"expect": "empty"}, FAIL, "1 row, expected empty"),
        ("SELECT state FROM orders", {"expect": "> 1"}, INCONCLUSIVE, "the first value is no number"),
        ("SELECT interval '90 seconds'", {"expect": "> 60", "unit": "seconds"}, PASS, "90 s"),
        ("SELECT pg_sleep(9)", {"timeout": 0.4}, INCONCLUSIVE, "statement timeout"),
        ("SELECT word FROM secrets", {}, INCONCLUSIVE, "permission denied for table secrets"),
        ("SELECT 1; SELECT 2", {}, INCONCLUSIVE, "multiple commands"),
        ("SELECT 1; DROP TABLE orders", {}, INCONCLUSIVE, "multiple commands"),
        ("WITH x AS (INSERT INTO orders VALUES (1) RETURNING id) SELECT id FROM x", {}, INCONCLUSIVE, ""),
        ("SELECT sneaky()", {}, INCONCLUSIVE, "read-only transaction"),
        ("SELECT set_config('transaction_read_only', 'off', false), sneaky()", {}, INCONCLUSIVE, ""),
        ("SELECT '%s', '100%', note LIKE '%s%' FROM orders LIMIT 1", {}, PASS, "1 row"),
    ],
)
def test_one_question_that_only_reads(
    asks: Desk, roles: dict[str, str], query: str, keys: dict[str, Any], verdict: str, words: str
) -> None:
    found = asks.run(sql(query, **keys))
    assert (found.verdict, words in found.summary) == (verdict, True), found
    with closing(psycopg.connect(roles["admin"])) as connection:
        assert connection.execute(
            "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM secrets)"
        ).fetchone() == (10, 0)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("role", "words"),
    [
        ("admin", "more than an ordinary one"),
        ("writer", "may change public.orders"),
        ("signaller", "pg_signal_backend"),
    ],
)
def test_a_role_that_may_do_more_is_refused(asks: Desk, role: str, words: str) -> None:
    found = asks.run(sql("SELECT 1", role))
    assert (found.verdict, words in found.summary, found.again) == (INCONCLUSIVE, True, False), found


@pytest.mark.postgres
def test_values_are_parameters(asks: Desk) -> None:
    desk = asks.taking(state="text")
    check = sql("SELECT count(*) FROM orders WHERE state = ${state} AND note LIKE '%s' ", expect="== 0")
    for value in ("open' OR '1'='1", "'; DROP TABLE orders; --", "%s", "$1", "${state}"):
        found = desk.run(check, {"state": value})
        assert found.verdict == PASS, (value, found)
    counted = sql("SELECT count(*) FROM orders WHERE state = ${state}")
    assert desk.run(counted, {"state": "open"}).value == 7


@pytest.mark.postgres
def test_neither_password_nor_address_is_said(asks: Desk, roles: dict[str, str]) -> None:
    wrong = make_url(roles["reader"]).set(password="hunter2").render_as_string(hide_password=False)
    desk = Desk(Config(checks=Checks(sql=(f"x: {wrong}", "y: postgresql://u:hunter2@127.0.0.1:1/z"))))
    for name in ("x", "y", "none"):
        found = desk.run(sql("SELECT 1", name, timeout=2))
        assert "hunter2" not in str(found)
    assert "There is no connection 'none'" in asks.run(sql("SELECT 1", "none")).summary


# --- commands ---------------------------------------------------------------------------------------------------------


def cage(*commands: str, **limits: Any) -> Desk:
    return Desk(Config(checks=Checks(commands=commands, **limits)))


def command(name: str, **keys: Any) -> dict[str, Any]:
    return {"type": "command", "name": name} | keys


def test_exit_code_and_output() -> None:
    desk = cage("say: /bin/echo disk ok", "no: /bin/false", "code: /bin/sh -c 'exit 3'")
    assert desk.run(command("say", output="ok$")).summary == "disk ok"
    assert desk.run(command("say", without="ok")).verdict == FAIL
    assert "exit code 1, expected 0" in desk.run(command("no")).summary
    assert desk.run(command("code", exit_code=3)).verdict == PASS
    found = desk.run(command("rm"))
    assert (found.verdict, "no command 'rm'" in found.summary) == (INCONCLUSIVE, True)


def test_a_value_is_one_argument() -> None:
    desk = cage("count: /usr/bin/python3 -c 'import sys; print(sys.argv[1:])' -- ${path}").taking(path="text")
    check = command("count", values={"path": "${path}"})
    for value in ("a b; rm -rf $HOME `id` $(id) | & > x", "*", "-rf", "--", "'\"", "$IFS"):
        found = desk.run(check, {"path": value})
        assert found.verdict == PASS, found
        assert found.summary == repr([value]) or found.summary == repr(["--", value])


def test_what_looks_like_an_option_needs_the_dashes_before() -> None:
    desk = cage("show: /bin/echo ${word}", "safe: /bin/echo -- ${word}").taking(word="text")
    given = {"values": {"word": "${word}"}}
    refused = desk.run(command("show", **given), {"word": "-n"})
    assert (refused.verdict, "could take for an option" in refused.summary) == (INCONCLUSIVE, True)
    assert desk.run(command("safe", **given), {"word": "-n"}).verdict == PASS
    assert "does not give" in desk.run(command("show")).summary
    part = cage("show: /bin/echo --word=${word}").taking(word="text")
    assert "not a whole argument" in part.run(command("show", **given), {"word": "x"}).summary


def test_no_environment_no_shell_no_new_privileges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    desk = cage(
        "env: /usr/bin/env", "state: /bin/cat /proc/self/status /proc/self/limits", "fds: /bin/ls /proc/self/fd"
    )
    assert desk.run(command("env")).details == "$ /usr/bin/env\n"
    told = desk.run(command("state")).details
    assert "NoNewPrivs:\t1" in told
    assert "Max file size             0 " in told
    assert desk.run(command("fds")).details.split()[3:] == ["0", "1", "2", "3"]  # 3: the folder that ls reads
    assert "absolute path" in cage("x: echo hi").run(command("x")).summary
    assert "no program" in cage("x: /no/such").run(command("x")).summary


@pytest.mark.parametrize(
    ("line", "over"),
    [
        ("/bin/sleep 30", "time"),
        ("/usr/bin/yes", "output"),
        ("/bin/sh -c 'while :; do sleep 30 & done'", "processes"),
        ("/bin/sh -c 'trap \"\" TERM INT HUP; sleep 30'", "time"),
    ],
)
def test_too_much_is_stopped_and_nothing_is_left(line: str, over: str) -> None:
    before = set(children())
    desk = cage(f"x: {line}", output=1000, processes=8)
    begun = time.monotonic()
    found = desk.run(command("x", timeout=0.6))
    assert (found.verdict, found.summary) == (INCONCLUSIVE, f"It was stopped: too much {over}.")
    assert time.monotonic() - begun < 10
    wait_until(lambda: set(children()) <= before, 5, "all of it to be gone")


def test_what_detaches_itself_is_killed_too(tmp_path: Path) -> None:
    mark = f"3{os.getpid()}.5"
    desk = cage(f"x: /bin/sh -c '(setsid sleep {mark} &) ; (setsid setsid sleep {mark} &) ; echo started'")
    assert desk.run(command("x")).summary == "started"
    assert [p for p in sleepers() if mark in p] == []


def test_memory_is_limited() -> None:
    desk = cage("eat: /usr/bin/python3 -c 'x = bytearray(900 << 20)'", memory=200)
    found = desk.run(command("eat"))
    assert (found.verdict, "MemoryError" in found.details) == (FAIL, True)


def children() -> list[str]:
    """Processes below this one."""
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return file.read().split()


def sleepers() -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [line for line in found if line.startswith("sleep")]
