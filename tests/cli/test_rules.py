"""Correlation rules on the command line: lint, list, tests of recorded deliveries, a dry run with its differences."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from servicedesk.config import Config
from servicedesk.desk import open_desk
from servicedesk.files.correlation_rules import RuleFile
from servicedesk.services import apply, intake, setup
from tests.cli.conftest import Cli
from tests.intake import ruled
from tests.intake.wire import alert, body
from tests.support.clock import START
from tests.support.source import ROOT

RACKS = """
- id: racks
  match: alertname=~"DiskFull|PowerLost"
  group_by: [rack]
  join: 1h
  tests:
    - labels: {alertname: PowerLost, rack: "7"}
    - labels: {alertname: Other, rack: "7"}
      fits: false
"""
QUIET = "- {id: quiet, match: alertname=PowerLost, answer: record}"


def rules_file(folder: Path, text: str, name: str) -> str:
    lines = "\n".join("  " + line for line in text.strip("\n").splitlines())
    return str(ruled.write(folder / "tried", f"schema: 1\ncorrelation:\n{lines}\n", name))


@pytest.fixture
def recorded(folder: Path) -> Path:
    """A desk that got three deliveries: two alerts of one rack, one of another."""
    desk = open_desk(Config(data_dir=str(folder / "data")))
    setup.first_run(desk)
    for i, (name, rack) in enumerate((("DiskFull", "7"), ("PowerLost", "7"), ("DiskFull", "8"))):
        at = START + timedelta(minutes=i)
        intake.store(desk, body(alert(at, alertname=name, rack=rack)), "alertmanager", "am", "application/json", at)
    apply.run_all(desk)
    desk.close()
    return folder


@pytest.mark.feature("I7", "O4")
def test_lint_tells_what_is_wrong_with_correlation_rules(cli: Cli, folder: Path) -> None:
    assert cli("rules", "lint").code == 0
    assert cli("rules", "lint", rules_file(folder, RACKS, "good.yaml")).code == 0
    bad = cli("rules", "lint", rules_file(folder, RACKS.replace("fits: false", "fits: true"), "bad.yaml"), "--json")
    assert (bad.code, bad.json["errors"][0]["key"]) == (1, "racks.tests[1]")
    assert "default" in bad.json["errors"][0]["message"]
    worse = cli("rules", "lint", rules_file(folder, "- {id: x, answer: attach}", "worse.yaml"))
    assert worse.code == 1
    assert "group_by" in worse.out
    unread = cli("rules", "lint", rules_file(folder, "- {id: x, answre: attach}", "unread.yaml"), "--json")
    assert (unread.code, unread.json["errors"][0]["line"]) == (1, 3)


@pytest.mark.feature("O4")
def test_list_shows_both_kinds_in_the_order_of_asking(cli: Cli) -> None:
    found = cli("rules", "list", "--json").json
    assert [r["id"] for r in found["correlation"]] == ["kubernetes-hints", "default"]
    assert found["items"]


@pytest.mark.feature("I5", "I7")
def test_a_dry_run_tells_what_other_rules_would_make(cli: Cli, recorded: Path) -> None:
    before = cli("incident", "list", "--json").out
    now = cli("delivery", "replay", "--dry-run", "--json").json
    assert [len(t["alerts"]) for t in now["tickets"]] == [2, 1]
    found = cli("delivery", "replay", "--dry-run", "--rules", rules_file(recorded, RACKS, "racks.yaml"), "--json").json
    assert (found["deliveries"], found["before"], found["after"], found["kept"]) == (3, 2, 2, 0)
    assert {(c["name"], c["labels"]["rack"]) for c in found["changes"]} == {
        ("DiskFull", "7"),
        ("PowerLost", "7"),
        ("DiskFull", "8"),
    }
    assert all("rule racks" in c["after"] and "rule default" in c["before"] for c in found["changes"])
    told = cli("delivery", "replay", "--dry-run", "--rules", rules_file(recorded, QUIET, "quiet.yaml")).out
    assert "3 deliveries: 2 tickets by the rules of now, 1 by" in told
    assert "+ record (rule quiet)" in told
    alone = cli("delivery", "replay", "1", "--dry-run", "--json").json
    assert [len(t["alerts"]) for t in alone["tickets"]] == [1]
    assert cli("delivery", "replay", "99", "--dry-run").code == 1
    assert cli("incident", "list", "--json").out == before


@pytest.mark.feature("I5", "I7")
def test_a_recorded_test_holds_until_the_rules_change(cli: Cli, recorded: Path) -> None:
    test = recorded / "case.yaml"
    test.write_text(cli("rules", "record", "1", "2", "3").out, encoding="utf-8")
    assert cli("rules", "test", str(test)).out == "2 tickets, all as expected\n"
    racks = rules_file(recorded, RACKS, "racks.yaml")
    wrong = cli("rules", "test", str(test), "--rules", racks, "--json")
    assert wrong.code == 1
    assert [line.split(":")[0] for line in wrong.json["wrong"]] == ["missing", "missing", "unexpected", "unexpected"]
    assert wrong.json["tickets"][0]["rule"] == "racks"


@pytest.mark.feature("I7")
def test_a_test_by_hand(cli: Cli, folder: Path) -> None:
    (folder / "one.json").write_bytes(body(alert(START, rack="7"), alert(START, alertname="PowerLost", rack="7")))
    test = folder / "case.yaml"
    test.write_text(
        """
schema: 1
deliveries:
  - {at: "2026-11-02T10:00:00Z", source: prod-am, file: one.json}
expect:
  tickets:
    - rule: racks
      alerts: [{rack: "7"}]
  records: 0
"""
    )
    racks = rules_file(folder, RACKS, "racks.yaml")
    assert cli("rules", "test", str(test), "--rules", racks).code == 0
    without = cli("rules", "test", str(test))
    assert without.code == 1
    assert without.out.startswith("missing: a ticket of {rack=7} by the rule racks")
    quiet = cli("rules", "test", str(test), "--rules", rules_file(folder, RACKS + QUIET, "both.yaml"))
    assert quiet.code == 0, "the first rule that fits decides"
    test.write_text(test.read_text().replace("10:00:00Z", "10:00:00"))
    assert "deliveries[0].at" in cli("rules", "test", str(test)).err


@pytest.mark.feature("I7")
def test_the_rules_of_the_manual_are_right(cli: Cli, folder: Path) -> None:
    manual = (ROOT / "docs/rules.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", manual, re.DOTALL)
    whole = [block for block in blocks if "correlation:" in block]
    parts = [block for block in blocks if block.startswith("  - ")]
    assert (len(whole), len(parts)) == (1, 2)
    (folder / "manual.yaml").write_text(whole[0] + "".join(parts), encoding="utf-8")
    told = cli("rules", "lint", str(folder / "manual.yaml"))
    assert (told.code, told.out) == (0, "5 rules, nothing wrong\n")
    for key in RuleFile.__struct_fields__:
        assert f"| `{key}` |" in manual, key
