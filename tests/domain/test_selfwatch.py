"""What counts as a trouble of the desk's own, and when it is over."""

from dataclasses import replace
from datetime import timedelta

import pytest

from servicedesk.domain.selfwatch import (
    BACKUP_FAILED,
    BACKUP_OVERDUE,
    LAG,
    LETTERS,
    OUTBOX,
    REFUSED,
    SOURCE,
    Backup,
    Figures,
    Letters,
    Refused,
    judge,
    judge_disks,
)
from servicedesk.files import policies
from tests.support.clock import START

POLICY = policies.load(None).watch
HOUR = timedelta(hours=1)


def names(figures: Figures, later: timedelta = timedelta(0)) -> list[str]:
    return [t.name for t in judge(figures, POLICY, START + later)]


def test_nothing_is_wrong() -> None:
    fine = Backup(True, "made", START + HOUR)
    assert names(Figures(delivery_since=START, outbox_since=START, backup=fine)) == []
    assert names(Figures(backup=replace(fine, ok=None))) == []


@pytest.mark.parametrize(("source", "count", "severity"), [("am", 1, "critical"), ("", 100, "warning"), ("", 99, None)])
def test_refusals_of_a_known_sender_count_at_once_those_of_strangers_in_numbers(
    source: str, count: int, severity: str | None
) -> None:
    figures = Figures(refused=(Refused(source, "too_large", count, START, START),))
    found = judge(figures, POLICY, START)
    assert [t.labels["severity"] for t in found] == ([severity] if severity else [])
    assert all(t.labels["sender"] == (source or "unknown senders") for t in found)
    assert names(figures, POLICY.quiet) == []


def test_dead_letters_of_others_until_none_comes_any_more() -> None:
    assert names(Figures(letters=(Letters("am", 3, START), Letters(SOURCE, 3, START)))) == [LETTERS]
    assert names(Figures(letters=(Letters("am", 3, START),)), POLICY.dead_letters) == []


@pytest.mark.parametrize(
    ("figures", "limit", "name"),
    [
        (Figures(delivery_since=START), POLICY.lag, LAG),
        (Figures(outbox_since=START), POLICY.outbox, OUTBOX),
        (Figures(backup=Backup(True, "", START)), POLICY.backup_overdue, BACKUP_OVERDUE),
    ],
)
def test_what_waits_too_long(figures: Figures, limit: timedelta, name: str) -> None:
    assert names(figures, limit) == [name]
    assert names(figures, limit - timedelta(seconds=1)) == []


def test_a_backup_that_failed_says_why() -> None:
    (found,) = judge(Figures(backup=Backup(False, "no room", START + HOUR)), POLICY, START)
    assert (found.name, found.description) == (BACKUP_FAILED, "no room")


def test_a_disk_is_well_again_only_with_some_room_to_spare() -> None:
    def full(share: float, standing: set[str]) -> list[str]:
        return [t.subject for t in judge_disks("n1", {"/data": share}, POLICY, standing)]

    assert full(0.099, set()) == ["n1//data"]
    assert full(0.101, set()) == []
    assert full(0.101, {"n1//data"}) == ["n1//data"]
    assert full(0.121, {"n1//data"}) == []


def test_every_trouble_names_its_subject() -> None:
    refused = Refused("am", "broken", 1, START, START)
    found = judge(Figures(refused=(refused, replace(refused, reason="method"))), POLICY, START)
    assert [(t.name, t.subject) for t in found] == [(REFUSED, "am/broken"), (REFUSED, "am/method")]
