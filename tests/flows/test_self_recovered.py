"""What recovers before anybody looks (M4a): resolved by the desk where the policy says so, and never closed alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from servicedesk.config import Config
from servicedesk.desk import open_desk
from servicedesk.services import incidents, judgement, reviews
from servicedesk.store.tables import timeline
from tests.support import senders
from tests.support.clock import Clock
from tests.support.crew import crew

SWITCHED_ON = "schema: 1\nalerts:\n  auto_resolve: {enabled: true, priorities: [4, 5], after: 15m}\n"
LABELS = {"alertname": "KubePodCrashLooping", "pod": "cart-1", "namespace": "shop", "severity": "info"}


@pytest.mark.feature("T2")
def test_it_resolves_itself_and_waits_for_its_review(engine_url: str, tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "policy.yaml").write_text(SWITCHED_ON, encoding="utf-8")
    config = Config(data_dir=str(tmp_path / "data"), database_url=engine_url, policies=str(tmp_path / "policy.yaml"))
    desk = open_desk(config, clock.now)
    try:
        people = crew(desk)
        began = clock.now()
        senders.deliver(desk, senders.alert(LABELS, began))
        senders.deliver(desk, senders.alert(LABELS, began, clock.advance(minutes=2)))
        clock.advance(minutes=14)
        judgement.run_due(desk)
        assert incidents.facts(desk, 1).status == "new"
        clock.advance(minutes=2)
        judgement.run_due(desk)
        assert incidents.facts(desk, 1).status == "resolved"
        clock.advance(minutes=61)
        judgement.run_due(desk)
        facts = incidents.facts(desk, 1)
        assert (facts.status, facts.review_depth, facts.open_steps) == ("review", "micro", ())
        micro = {"summary": "Restarted once after a deployment", "alert_tuning": "no"}
        reviews.save(desk, people["owner"], 1, micro)
        reviews.submit(desk, people["owner"], 1)
        reviews.approve(desk, people["owner"], 1)
        assert incidents.facts(desk, 1).status == "closed"
        with desk.read() as tx:
            rules = tx.run(select(timeline.c.rule).where(timeline.c.incident_id == 1, timeline.c.kind == "status"))
            assert rules.scalars().all() == ["M4a", "M5", "M6"]
    finally:
        desk.close()


@pytest.mark.feature("T2")
def test_by_default_it_stays_new(desk, clock: Clock) -> None:  # type: ignore[no-untyped-def]
    began = clock.now()
    senders.deliver(desk, senders.alert(LABELS, began))
    senders.deliver(desk, senders.alert(LABELS, began, clock.advance(minutes=2)))
    clock.advance(hours=5)
    judgement.run_due(desk)
    assert incidents.facts(desk, 1).status == "new"
