"""The alerts that everybody gets find their playbook, and no other one."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from servicedesk.files import playbooks, rules

SHIPPED = playbooks.load([])
NAMES = Path(__file__).with_name("alert_names.txt").read_text(encoding="utf-8")
LABELS = {
    "severity": "warning", "instance": "10.0.0.5:9100", "job": "some-job", "namespace": "shop", "service": "checkout",
}  # fmt: skip


def known() -> Iterator[tuple[str, dict[str, str], str]]:
    """(source, labels, the playbook's id or "" for none) of every name in the list."""
    source = ""
    for line in NAMES.splitlines():
        if line.startswith("== "):
            source = line[3:]
        elif line and not line.startswith("#"):
            playbook, _, names = line.partition(": ")
            for name in names.split():
                bare, _, inner = name.rstrip("}").partition("{")
                own = dict(pair.split("=") for pair in inner.split(",") if pair)
                yield source, LABELS | {"alertname": bare} | own, playbook.removeprefix("-")


def matched(labels: dict[str, str]) -> list[str]:
    return [p.id for p in SHIPPED.match(labels, "incident", "infrastructure", "node")]


@pytest.mark.feature("P1", "P7")
@pytest.mark.parametrize("source", sorted({source for source, _, _ in known()}))
def test_every_known_alert_gets_exactly_its_playbook(source: str) -> None:
    wrong = [
        f"{labels['alertname']}: {matched(labels)}, not {wanted}"
        for of, labels, wanted in known()
        if of == source and matched(labels) != ([wanted] if wanted else [])
    ]
    assert wrong == []


@pytest.mark.feature("P1")
def test_a_request_for_access_gets_one_by_type_and_category() -> None:
    assert [p.id for p in SHIPPED.match({}, "request", "access")] == ["desk-access-request"]
    assert SHIPPED.match({}, "question", "access") == ()
    assert SHIPPED.match({}, "incident", "infrastructure", "unknown") == ()


def test_every_playbook_is_reached_by_a_known_alert_or_ticket() -> None:
    reached = {playbook for _, _, playbook in known()} | {"desk-access-request"} | set(by_rule().values())
    assert {p.id for p in SHIPPED.all} <= reached


# --- syslog ----------------------------------------------------------------------------------------------------------


def by_rule() -> dict[str, str]:
    """rule → the playbook that its alerts get."""
    found = {}
    for rule in rules.lint([rules.SHIPPED])[0]:
        if rule.action == "alert":
            ids = matched({"rule": rule.id, "host": "db1.example.org", "app": "x", "severity": "warning"})
            found[rule.id] = " ".join(ids)
    return found


@pytest.mark.feature("P7")
def test_every_rule_for_syslog_that_opens_a_ticket_has_one_playbook() -> None:
    assert {rule: ids for rule, ids in by_rule().items() if not re.fullmatch(r"\S+", ids)} == {}
