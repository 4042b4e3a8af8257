"""The page "Syslog" and its API: rates, templates, gaps; a template that becomes a rule while lines come in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import insert

from servicedesk.app import create_app
from servicedesk.desk import Desk
from servicedesk.domain.incident import ADMIN, Actor
from servicedesk.services import tokens
from servicedesk.services.shared.lines import own_folder
from servicedesk.store.tables import syslog_minute, syslog_template
from servicedesk.store.views import syslog as views
from servicedesk.workers.syslog import Listening
from tests.api.conftest import Caller
from tests.support.clock import Clock
from tests.support.lines import send
from tests.support.pages import Visitor, person

FAILED = "<29>Nov  2 10:00:00 %s backup[%d]: volume %d could not be mounted"


@pytest.fixture
def people(desk: Desk, app: Flask) -> Flask:
    person(desk, "ada", "admin")
    person(desk, "ben", "agent")
    return app


def template(visitor: Visitor) -> str:
    """The address of the template about volumes."""
    visitor.get("/syslog?q=backup")
    (found,) = {link for link in visitor.page.links if link.startswith("/syslog/templates/")}
    return found


@pytest.mark.feature("I18", "I2")
def test_senders_reasons_and_templates_are_shown(desk: Desk, people: Flask) -> None:
    lines = [FAILED % ("db1", i, i) for i in range(30)]
    send(desk, *lines, "<27>Nov  2 10:00:00 web1 app: broke", "rubbish", listening=True)
    ben = Visitor(people, "ben")
    page = ben.get("/syslog")
    for words in ("db1", "backup", "no rule asks for it", "volume * could not be mounted", "32 lines", "stored 2"):
        assert words in page.text, words
    assert "3 datagrams dropped by the system" in page.text
    assert [a for tag, a in page.tags if tag == "rect" and a["class"] == "bar-ignored"]
    assert "web1" not in ben.get("/syslog?q=db1").text.partition("Not stored")[0]
    assert "volume *" not in ben.get("/syslog?only=stored").text


@pytest.mark.feature("I18")
def test_a_template_becomes_a_rule_that_is_in_force(desk: Desk, people: Flask) -> None:
    assert send(desk, *[FAILED % ("db1", i, i) for i in range(5)], listening=True).kept == ()
    ada = Visitor(people, "ada")
    path = template(ada)
    ada.get(path)
    found = ada.send(path, "Try it", title="Volume not mounted", message=r"volume (?P<volume>\d+) could not be mounted")
    assert "It fits 0 of the 0 newest stored lines" in found.text
    assert "which stand for lines that are not stored too, it fits 1" in found.text
    assert "volume=4" in found.text or "volume=" in found.text
    assert not own_folder(desk.config).exists(), "a preview writes nothing"
    ada.send(path, "Write the rule", id="volume-not-mounted")
    (file,) = own_folder(desk.config).iterdir()
    assert (file.name, "by ada" in file.read_text()) == ("volume-not-mounted.yaml", True)
    sifted = send(desk, FAILED % ("db1", 1, 7), FAILED % ("db1", 2, 8), FAILED % ("db1", 3, 7))
    assert [v.rule.id for v in sifted.verdicts if v.rule] == ["volume-not-mounted"] * 3
    assert ada.get("/alerts").text.count("Volume not mounted") >= 2
    assert "It fits 3 of the 3 newest" in again(ada, path, "volume-two", r"volume (?P<volume>\d+) could")


def again(visitor: Visitor, path: str, name: str, message: str) -> str:
    visitor.get(path)
    return visitor.send(path, "Try it", id=name, message=message).text


@pytest.mark.feature("I18")
def test_what_does_not_work_is_said_at_its_field(desk: Desk, people: Flask) -> None:
    send(desk, FAILED % ("db1", 1, 1), listening=True)
    ada = Visitor(people, "ada")
    path = template(ada)
    for name, value, says in (
        ("message", "(", "does not work"),
        ("message", "x*", "empty line"),
        ("id", "Not A Name", "id"),
        ("silence", "soon", "silence"),
        ("within", "5m", "count"),
    ):
        ada.get(path)
        assert says in ada.send(path, "Try it", status=422, **{name: value}).text
        assert "aria-invalid" in ada.html, name
    ada.get(path)
    assert "There is a rule" in ada.send(path, "Write", status=409, id="errors-and-worse", line="", message="x").text
    ada.get(path)
    assert "own example" in ada.send(path, "Write", status=422, id="other", message="something else").text
    assert not own_folder(desk.config).exists()


@pytest.mark.feature("A1")
def test_only_an_admin_writes_a_rule(desk: Desk, people: Flask) -> None:
    send(desk, FAILED % ("db1", 1, 1), listening=True)
    ben = Visitor(people, "ben")
    path = template(ben)
    ben.get(path)
    assert "An admin writes it." in ben.text
    form = ben.form(path)
    assert ben.client.post(path, data=dict(form.fields)).status_code == 403
    assert not own_folder(desk.config).exists()


@pytest.mark.feature("O3", "I18")
def test_the_api_gives_the_same(desk: Desk, people: Flask) -> None:
    send(desk, *[FAILED % ("db1", i, i) for i in range(5)], "<27>Nov  2 10:00:00 web1 app: broke", listening=True)
    token = tokens.create(desk, Actor(None, "op", frozenset({ADMIN})), user="ada", scopes=("read", "admin"))
    caller = Caller(create_app(desk), token)
    flow = caller.get("/syslog/flow?minutes=15")
    assert (flow["lines"], flow["stored"], len(flow["minutes"])) == (6, 1, 15)
    assert [(s["host"], s["app"], s["lines"]) for s in caller.get("/syslog/senders")["items"]] == [
        ("db1", "backup", 5),
        ("web1", "app", 1),
    ]
    (found,) = caller.get("/syslog/templates?only=ignored")["items"]
    draft = caller.get(f"/syslog/templates/{found['id']}/rule")
    assert draft["message"] == r"volume.*could\s+not\s+be\s+mounted"
    seen = caller.post("/syslog/rules/preview", draft)
    assert (seen["samples"], seen["samples_fit"]) == (2, 1)
    assert caller.post("/syslog/rules", draft, status=201)["file"] == f"{draft['id']}.yaml"
    assert caller.post("/syslog/rules", draft, status=409)["detail"]
    assert caller.get("/syslog/rules")["items"][0]["id"] == draft["id"]
    listening = caller.get("/syslog/listeners")
    assert listening["listeners"][0]["kernel_drops"] == 3
    caller.get("/syslog/templates/" + "0" * 64, status=404)
    caller.get("/syslog/templates/nothing", status=404)


@pytest.mark.feature("I2")
def test_an_outage_is_shown_as_a_gap(desk: Desk, people: Flask, clock: Clock) -> None:
    ben = Visitor(people, "ben")
    assert "Nothing listens for syslog now" in ben.get("/syslog").text
    off = replace(
        desk.config.syslog, udp=replace(desk.config.syslog.udp, bind=""), relp=replace(desk.config.syslog.relp, bind="")
    )
    desk.config = replace(desk.config, syslog=replace(off, tcp=replace(off.tcp, bind="127.0.0.1:0")))
    first = Listening(desk, alone=True)
    first.start()
    first.stop()
    clock.advance(timedelta(minutes=3))
    second = Listening(desk, alone=True)
    second.start()
    second.stop()
    with desk.read() as tx:
        gaps = views.gaps(views.listeners(tx), tx.now)
    assert [g.until - g.since for g in gaps if g.until] == [timedelta(minutes=3)]
    page = ben.get("/syslog").text
    assert "Nothing listened there in between" in page


def run(number: int, begin: int, end: int, clock: Clock, ended: bool = True, there: bool = False) -> views.Listener:
    at = clock.now()
    start, seen = at + timedelta(seconds=begin), at + timedelta(seconds=end)
    return views.Listener(number, "n", number, (), start, seen, ended, there, {}, 0, 0, {}, "")


def test_a_gap_is_where_no_process_of_a_node_listened(clock: Clock) -> None:
    lives = [run(1, 0, 100, clock), run(2, 50, 300, clock, ended=False), run(3, 400, 500, clock, there=True)]
    (gap,) = views.gaps(lives, clock.now())
    assert (gap.until - gap.since if gap.until else None, gap.crashed) == (timedelta(seconds=100), True)
    assert views.gaps([run(1, 0, 9, clock), run(2, 9, 20, clock, there=True)], clock.now()) == []
    assert views.gaps([run(1, 0, 9, clock)], clock.now())[0].until is None
    assert views.gaps([], clock.now()) == []


@pytest.mark.feature("I18")
def test_a_hundred_thousand_rows_are_paged_and_bounded(desk: Desk, people: Flask) -> None:
    now = desk.now().replace(second=0, microsecond=0)
    minutes = [
        {
            "minute": now - timedelta(minutes=i),
            "host": f"h{n}",
            "app": "a",
            "reason": "" if n % 2 else "why",
            "lines": n,
        }
        for i in range(60)
        for n in range(300)
    ]
    looks = [
        {
            "digest": i.to_bytes(32, "big"), "app": "a", "template": f"t{i}", "severity": 3, "reason": "", "rule": "",
            "host": "h", "example": "x", "lines": i // 3, "first_at": now, "last_at": now,
        }
        for i in range(20_000)
    ]  # fmt: skip

    def fill(tx: object) -> None:
        tx.run(insert(syslog_minute), minutes)  # type: ignore[attr-defined]
        tx.run(insert(syslog_template), looks)  # type: ignore[attr-defined]

    desk.write(fill)  # type: ignore[arg-type]
    with desk.read() as tx:
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None and len(seen) < 3_000:
            page = views.templates(tx, cursor=cursor, limit=500)
            seen += [t.id for t in page.items]
            cursor = page.next
        assert len(seen) == len(set(seen)) == 3_000
        assert views.template(tx, seen[0]) == page_first(views.templates(tx, limit=1))
        found = views.senders(tx, 60)
        assert [(s.host, s.lines, s.stored) for s in found[:2]] == [("h299", 299 * 60, 299 * 60), ("h298", 298 * 60, 0)]
        assert len(found) == views.SENDERS
        flow = views.flow(tx, 60)
        assert flow.lines == sum(range(300)) * 60


def page_first(page: object) -> object:
    return page.items[0]  # type: ignore[attr-defined]


@pytest.mark.feature("I8", "I18")
def test_one_click_makes_a_ticket_of_a_line(desk: Desk, people: Flask) -> None:
    send(desk, *[FAILED % ("db1", i, i) for i in range(3)], listening=True)
    ben = Visitor(people, "ben")
    path = template(ben)
    ben.get(path)
    ben.send("/ticket", "Make a ticket")
    assert "Ticket opened." in ben.text
    assert "backup on db1: volume * could not be mounted" in ben.text
