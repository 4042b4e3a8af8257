"""The table of moves and its guards, judged without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.domain import incident as words
from servicedesk.domain.guards import DEPTHS, blank
from servicedesk.domain.incident import (
    SYSTEM,
    Action,
    ActionFact,
    Actor,
    AlertFact,
    ConfirmationFact,
    Facts,
    ReviewFact,
    VerificationFact,
)
from servicedesk.domain.lifecycle import ACTIONS, ACTS, MOVES, Move, allowed, checklist, decide
from servicedesk.errors import Refused

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
OWNER, OTHER, LEAD, REVIEWER, REQUESTER, ADMIN = (
    Actor(i, name, frozenset({role}))
    for i, name, role in (
        (1, "owner", "agent"),
        (2, "other", "agent"),
        (3, "lead", "lead"),
        (4, "reviewer", "reviewer"),
        (5, "requester", "requester"),
        (6, "admin", "admin"),
    )
)
PEOPLE = (OWNER, OTHER, LEAD, REVIEWER, REQUESTER, ADMIN)


def quiet_pass(at: datetime = NOW) -> VerificationFact:
    return VerificationFact("pass", "quiet_window", None, at, True)


def passed_by(actor_id: int) -> VerificationFact:
    return VerificationFact("pass", "person", actor_id, NOW, True)


def ready(**changes: object) -> Facts:
    """A P3 in review whose every gate holds."""
    facts = Facts(
        id=42,
        now=NOW,
        type="incident",
        status="review",
        cycle=1,
        version=7,
        category="network",
        impact=2,
        urgency=2,
        priority=3,
        top_priority=3,
        service="checkout",
        team_id=1,
        owner_id=1,
        owner_active=True,
        owner_in_team=True,
        resolver_id=1,
        resolved_at=NOW - 2 * HOUR,
        resolution_code="fixed",
        cause_class="software",
        resolution_notes="restarted the pod after the fix",
        alerts=(AlertFact(9, "PodDown", "recovered", True),),
        quiet_from=NOW - 2 * HOUR,
        quiet_window=HOUR,
        verifications=(quiet_pass(),),
        confirmations=(ConfirmationFact(True, "quiet_window", None, NOW),),
        review=ReviewFact(1, 1, "approved", "lite", (1,), (2,)),
        review_depth="lite",
    )
    return replace(facts, **changes)  # type: ignore[arg-type]


def guards_missing(facts: Facts, name: str, actor: Actor = SYSTEM, **action: object) -> set[str]:
    try:
        decide(facts, actor, Action(name, **action))  # type: ignore[arg-type]
    except Refused as refused:
        return {r.guard for r in refused.refusals}
    return set()


@pytest.mark.feature("T2")
def test_nobody_but_the_desk_itself_closes() -> None:
    closing = [m for m in MOVES if m.target == words.CLOSED]
    assert [m.id for m in closing] == ["M6"]
    for actor, status in product(PEOPLE, words.STATES):
        for name in ("close", "advance", "auto_resolve"):
            assert guards_missing(ready(status=status), name, actor), (actor.name, status, name)
    assert isinstance(decide(ready(), SYSTEM, Action("close")), Move)


@pytest.mark.feature("T2")
@pytest.mark.parametrize(
    ("changes", "guard"),
    [
        ({"owner_active": False}, "G1"),
        ({"owner_in_team": False}, "G1"),
        ({"category": ""}, "G2"),
        ({"service": ""}, "G2"),
        ({"resolution_notes": " . "}, "G3"),
        ({"cause_class": ""}, "G3"),
        ({"open_steps": ("check-disk",)}, "G4"),
        ({"open_tasks": ("call vendor",)}, "G4"),
        ({"open_children": (43,)}, "G4"),
        ({"alerts": (AlertFact(9, "PodDown", "firing", True),)}, "G5"),
        ({"alerts": (AlertFact(9, "PodDown", "suspect", True),)}, "G5"),
        ({"alerts": (AlertFact(9, "PodDown", "unconfirmed", True),)}, "G5"),
        ({"alerts": (AlertFact(9, "Line", "firing", False),)}, "G5"),
        ({"verifications": ()}, "G6"),
        ({"quiet_from": NOW - HOUR / 2}, "G6"),
        ({"verifications": (quiet_pass(NOW - 3 * HOUR),)}, "G6"),
        ({"priority": 1}, "G6"),
        ({"priority": 2, "verifications": (quiet_pass(), passed_by(1))}, "G6"),
        ({"alerts": (), "verifications": ()}, "G6"),
        ({"confirmations": ()}, "G7"),
        ({"confirmations": (ConfirmationFact(False, "requester", 5, NOW),), "requester_id": 5}, "G7"),
        ({"review": None}, "G8"),
        ({"review": ReviewFact(1, 1, "in_review", "lite", (1,))}, "G8"),
        ({"review": ReviewFact(1, 1, "approved", "micro", (1,))}, "G8"),
        ({"review": ReviewFact(1, 1, "approved", "full", (1,)), "cycle": 2}, "G8"),
        ({"actions": (ActionFact(1, "add alert", False, False, "open"),)}, "G9"),
        ({"actions": (ActionFact(1, "add alert", True, True, "in_progress"),)}, "G9"),
        ({"requester_id": 5}, "G10"),
    ],
)
def test_each_missing_gate_bars_closing_and_is_named(changes: dict[str, object], guard: str) -> None:
    assert guard in guards_missing(ready(**changes), "close")
    assert guard in {g.id for g, missing in checklist(ready(**changes), SYSTEM) if missing}


@pytest.mark.feature("T2")
def test_all_unmet_guards_are_named_at_once() -> None:
    bare = ready(category="", resolution_code="", verifications=(), confirmations=(), review=None)
    assert guards_missing(bare, "close") == {"G2", "G3", "G6", "G7", "G8"}


@pytest.mark.parametrize(
    "changes",
    [
        {"alerts": (AlertFact(9, "PodDown", "unconfirmed", True),), "override_unconfirmed": True},
        {"alerts": (AlertFact(9, "Line", "firing", False, True),)},
        {"priority": 1, "verifications": (quiet_pass(), passed_by(2))},
        {"priority": 1, "verifications": (quiet_pass(), passed_by(1)), "solo_mode": True},
        {"alerts": (), "verifications": (passed_by(1),)},
        {"review": ReviewFact(1, 1, "waived", "lite", (1,))},
        {
            "requester_id": 5,
            "explanation": "The pod is back.",
            "confirmations": (ConfirmationFact(True, "link", 5, NOW),),
        },
        {"actions": (ActionFact(1, "add alert", True, True, "done"), ActionFact(2, "tidy", True, False, "open"))},
        {"owner_id": None},
    ],
)
def test_what_counts_as_passed(changes: dict[str, object]) -> None:
    assert guards_missing(ready(**changes), "close") == set()


@pytest.mark.feature("R3")
@pytest.mark.parametrize(
    ("depth", "actor", "solo", "may"),
    [
        ("micro", OWNER, False, True),
        ("lite", OWNER, False, False),
        ("lite", OTHER, False, True),
        ("lite", REVIEWER, False, True),
        ("lite", REQUESTER, False, False),
        ("lite", OWNER, True, True),
        ("full", OTHER, False, False),
        ("full", LEAD, False, False),
        ("full", REVIEWER, False, True),
        ("full", ADMIN, False, True),
    ],
)
def test_who_approves_a_review(depth: str, actor: Actor, solo: bool, may: bool) -> None:
    facts = ready(review=ReviewFact(1, 1, "in_review", depth, (1,)), review_depth=depth, solo_mode=solo)
    assert (allowed(facts, actor)["approve_review"] is None) is may


@pytest.mark.feature("R3")
def test_whoever_wrote_in_a_review_does_not_approve_it() -> None:
    facts = ready(review=ReviewFact(1, 1, "in_review", "lite", (2, 3)), resolver_id=1)
    assert allowed(facts, OTHER)["approve_review"]
    assert allowed(facts, LEAD)["approve_review"]
    assert allowed(facts, REVIEWER)["approve_review"] is None


@pytest.mark.feature("R3")
def test_waiving_is_for_another_lead_and_never_for_p1() -> None:
    facts = ready(review=ReviewFact(1, 1, "draft", "lite", (1,)))
    assert guards_missing(facts, "waive_review", LEAD, reason="known") == set()
    assert guards_missing(facts, "waive_review", LEAD) == {"G12"}
    assert guards_missing(facts, "waive_review", OTHER, reason="known") == {"role"}
    assert guards_missing(replace(facts, resolver_id=3), "waive_review", LEAD, reason="known") == {"role"}
    assert guards_missing(replace(facts, top_priority=1), "waive_review", LEAD, reason="known") == {"role"}
    by_policy = replace(facts, priority=3, top_priority=2, waivable=(3, 4, 5))
    assert guards_missing(by_policy, "waive_review", LEAD, reason="known") == {"role"}
    assert guards_missing(replace(by_policy, top_priority=3), "waive_review", LEAD, reason="known") == set()


def test_only_the_requester_within_the_window_or_a_lead_reopens_a_closed_ticket() -> None:
    facts = ready(status="closed", requester_id=5, closed_at=NOW - timedelta(days=6))
    assert guards_missing(facts, "reopen", REQUESTER, reason="it is back") == set()
    late = replace(facts, closed_at=NOW - timedelta(days=8))
    assert guards_missing(late, "reopen", REQUESTER, reason="it is back") == {"role"}
    assert guards_missing(late, "reopen", LEAD, reason="it is back") == set()
    assert guards_missing(late, "reopen", OWNER, reason="it is back") == {"role"}


@pytest.mark.parametrize(
    ("changes", "actor", "action", "missing"),
    [
        ({}, OTHER, {"code": "spam"}, {"M9"}),
        ({"alerts": (), "requester_id": 5}, OTHER, {"code": "spam"}, set()),
        ({}, OTHER, {"code": "duplicate"}, {"M9"}),
        ({}, OTHER, {"code": "duplicate", "target": 42}, {"M9"}),
        ({}, OTHER, {"code": "duplicate", "target": 43}, set()),
        ({}, OTHER, {"code": "false_positive"}, {"role"}),
        ({}, LEAD, {"code": "false_positive"}, set()),
        ({"alerts": (AlertFact(1, "a", "firing", True),)}, LEAD, {"code": "false_positive"}, {"M9"}),
        ({"priority": 2}, LEAD, {"code": "false_positive"}, {"M9"}),
        (
            {"priority": 2, "cancellations_approved": (("false_positive", None),)},
            LEAD,
            {"code": "false_positive"},
            set(),
        ),
        ({"priority": 2, "cancellations_approved": (("merged", 7),)}, LEAD, {"code": "false_positive"}, {"M9"}),
        ({"priority": 2, "cancellations_approved": (("merged", 7),)}, LEAD, {"code": "merged", "target": 8}, {"M9"}),
        ({"priority": 2, "cancellations_approved": (("merged", 7),)}, LEAD, {"code": "merged", "target": 7}, set()),
        ({"priority": 3, "cancelled_by_two": (1, 2, 3)}, LEAD, {"code": "false_positive"}, {"M9"}),
        ({"priority": 2, "solo_mode": True}, LEAD, {"code": "false_positive"}, set()),
        ({}, OTHER, {"code": "because"}, {"M9"}),
        ({"status": "resolved"}, LEAD, {"code": "false_positive"}, {"state"}),
        ({"status": "review"}, ADMIN, {"code": "merged", "target": 43}, {"state"}),
    ],
)
def test_cancelling(changes: dict[str, object], actor: Actor, action: dict[str, object], missing: set[str]) -> None:
    facts = ready(**({"status": "in_progress"} | changes))
    assert guards_missing(facts, "cancel", actor, reason="looked at it", **action) == missing


@pytest.mark.parametrize(
    ("action", "missing"),
    [
        ({"code": "vendor"}, set()),
        ({"code": "lunch"}, {"M3"}),
        ({"code": "requester", "public_question": True}, {"M3"}),
        ({"code": "postponed"}, {"M3"}),
        ({"code": "postponed", "until": NOW - HOUR}, {"M3"}),
        ({"code": "postponed", "until": NOW + HOUR}, set()),
    ],
)
def test_holding(action: dict[str, object], missing: set[str]) -> None:
    assert guards_missing(ready(status="in_progress"), "hold", OWNER, **action) == missing


def test_waiting_for_the_requester_needs_a_public_question() -> None:
    facts = ready(status="in_progress", requester_id=5)
    assert guards_missing(facts, "hold", OWNER, code="requester") == {"M3"}
    assert guards_missing(facts, "hold", OWNER, code="requester", public_question=True) == set()


@pytest.mark.parametrize(
    ("changes", "who"),
    [
        ({"requester_id": 5}, {"requester", "other", "lead", "admin"}),
        ({}, set()),
        ({"alerts": ()}, {"lead", "admin"}),
    ],
)
def test_who_confirms(changes: dict[str, object], who: set[str]) -> None:
    facts = ready(**({"status": "resolved"} | changes))
    assert {a.name for a in PEOPLE if allowed(facts, a).get("confirm", ()) is None} == who


def test_a_stale_row_version_is_refused() -> None:
    assert guards_missing(ready(status="in_progress"), "edit", OWNER, version=6) == {"G11"}
    assert guards_missing(ready(status="in_progress"), "edit", OWNER, version=7) == set()


def test_a_token_can_do_no_more_than_its_scopes() -> None:
    reading = replace(LEAD, scopes=frozenset({"read"}))
    assert guards_missing(ready(status="new"), "take", reading) == {"role"}
    working = replace(ADMIN, scopes=frozenset({"work"}))
    assert working.has("lead")
    assert not working.has("reviewer")
    assert not working.has("admin")


@pytest.mark.feature("A7")
@given(
    status=st.sampled_from(words.STATES),
    actor=st.sampled_from(PEOPLE),
    solo=st.booleans(),
    requester=st.sampled_from([None, 5]),
    alert=st.sampled_from(["firing", "suspect", "recovered", "unconfirmed", None]),
)
def test_allowed_and_decide_say_the_same(
    status: str, actor: Actor, solo: bool, requester: int | None, alert: str | None
) -> None:
    """A button that is drawn as barred is refused when pressed; every refusal is a sentence with a place."""
    alerts = (AlertFact(9, "PodDown", alert, True),) if alert else ()
    facts = ready(status=status, solo_mode=solo, requester_id=requester, alerts=alerts)
    offered = allowed(facts, actor)
    for name in ACTIONS:
        if name not in offered:
            assert guards_missing(facts, name, actor), name
        elif (barred := offered[name]) is not None:
            assert guards_missing(facts, name, actor), name
            assert all(r.message.endswith(".") and r.guard and r.where for r in barred)


FACTS = st.builds(
    ready,
    status=st.just("review"),
    cycle=st.integers(1, 2),
    priority=st.integers(1, 5),
    requester_id=st.sampled_from([None, 5]),
    explanation=st.sampled_from(["", "done"]),
    alerts=st.lists(
        st.builds(
            AlertFact,
            st.just(1),
            st.just("x"),
            st.sampled_from(["firing", "suspect", "recovered", "unconfirmed"]),
            st.booleans(),
            st.booleans(),
        ),
        max_size=2,
    ).map(tuple),
    quiet_from=st.sampled_from([None, NOW - 2 * HOUR, NOW]),
    verifications=st.lists(
        st.builds(
            VerificationFact,
            st.sampled_from(["pass", "fail", "inconclusive"]),
            st.sampled_from(["person", "quiet_window"]),
            st.sampled_from([1, 2]),
            st.sampled_from([NOW, NOW - 3 * HOUR]),
            st.booleans(),
        ),
        max_size=3,
    ).map(tuple),
    confirmations=st.lists(
        st.builds(ConfirmationFact, st.booleans(), st.just("requester"), st.just(5), st.just(NOW)), max_size=2
    ).map(tuple),
    review=st.one_of(
        st.none(),
        st.builds(
            ReviewFact,
            st.just(1),
            st.integers(1, 2),
            st.sampled_from(["draft", "in_review", "changes_requested", "approved", "waived"]),
            st.sampled_from(DEPTHS),
        ),
    ),
    review_depth=st.sampled_from(DEPTHS),
    solo_mode=st.booleans(),
)


@pytest.mark.feature("T2")
@given(FACTS)
def test_whatever_the_facts_closing_needs_all_three_records(f: Facts) -> None:
    """An oracle of its own, that knows nothing of the guards' code."""
    if guards_missing(f, "close"):
        return
    assert any(v.verdict == "pass" for v in f.verifications)
    assert f.confirmations[-1].accepted
    assert f.review is not None
    assert f.review.cycle == f.cycle
    assert f.review.status in ("approved", "waived")
    assert not any(a.clears and a.status in ("firing", "suspect") for a in f.alerts)


def test_every_action_has_a_sentence_and_every_state_has_a_way_on() -> None:
    assert all(entry.text.endswith(".") for entry in (*MOVES, *ACTS))
    for status in words.STATES:
        assert any(status in m.sources for m in MOVES), status


@pytest.mark.parametrize(("text", "empty"), [("", True), (" \n", True), ("...", True), ("ok", False), ("N/A", False)])
def test_blank(text: str, empty: bool) -> None:
    assert blank(text) is empty
