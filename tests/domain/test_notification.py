"""Whom a notice reaches, and when it comes again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.domain.notification import (
    EVENTS,
    LINK_LIFE,
    MAX_TRIES,
    Decision,
    Link,
    Notice,
    Person,
    Reach,
    Target,
    Ticket,
    decide,
    dedup,
    link_hash,
    message_id,
    pause,
    review_reminder,
    unassigned_due,
)
from servicedesk.errors import BadInput
from servicedesk.files import policies

POLICY = policies.load(None)
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
ANNA = Person(1, "Anna", "anna@example.org", "fr")
LEA = Person(2, "Lea", "lea@example.org")
LOU = Person(3, "Lou", "lou@example.org")
RENE = Person(4, "René", "rene@example.org")
BOTH = Reach(("email",), ("webhook",))
MAIL, HOOK = Reach(("email",)), Reach((), ("webhook",))
TICKET = Ticket(
    id=42,
    type="incident",
    title="Checkout is down",
    status="new",
    cycle=1,
    priority=1,
    where="checkout",
    since=NOW,
    created_at=NOW,
    team="Ops",
    team_email="ops@example.org",
    owner=ANNA,
    requester=RENE,
    leads=(LEA, LOU),
)
STAFF = sorted(name for name, event in EVENTS.items() if event.staff)
PRIVATE = {"invitation", "password_reset"}  # written straight to the one whom they are about
ASKERS = sorted(name for name, event in EVENTS.items() if not event.staff and name not in PRIVATE)


def told(event: str, ticket: Ticket = TICKET, reach: Reach = BOTH, **extra: Any) -> Decision:
    known = {p.id: p for p in (ANNA, LEA, LOU, RENE)}
    return decide(Notice(event, ticket.id, "", extra), ticket, POLICY, reach, known)


def addresses(decision: Decision) -> list[str]:
    return [t.address for t in decision.targets]


@pytest.mark.feature("N1")
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ["anna@example.org"]),
        ({"owner": None}, ["ops@example.org"]),
        ({"owner": replace(ANNA, active=False)}, ["ops@example.org"]),
        ({"owner": replace(ANNA, email="")}, ["ops@example.org"]),
        ({"owner": None, "team_email": ""}, ["lea@example.org", "lou@example.org"]),
        ({"owner": None, "team_email": "", "leads": (replace(LEA, active=False), LOU)}, ["lou@example.org"]),
    ],
)
def test_the_owner_else_the_team_else_the_leads(change: dict[str, Any], expected: list[str]) -> None:
    assert addresses(told("opened", replace(TICKET, **change), MAIL)) == expected


def test_every_notice_to_staff_is_posted_once_too_and_none_to_a_requester_is() -> None:
    for name in STAFF:
        assert [t for t in told(name).targets if t.channel == "webhook"] == [Target("webhook", "webhook")], name
    for name in ASKERS:
        assert addresses(told(name)) == ["rene@example.org"], name
        assert told(name, reach=HOOK).targets == ()


def test_a_target_knows_name_and_language() -> None:
    assert told("assigned", reach=MAIL).targets == (Target("email", "anna@example.org", "Anna", "fr", 1),)


@pytest.mark.parametrize("priority", [1, 2, 3, 4, 5, None])
def test_new_tickets_are_announced_by_priority(priority: int | None) -> None:
    decision = told("opened", replace(TICKET, priority=priority))
    announced = priority in (1, 2, 3)
    assert (bool(decision.targets), decision.silent) == (announced, not announced)


def test_unassigned_goes_to_the_leads_else_to_the_team() -> None:
    alone = replace(TICKET, owner=None)
    assert addresses(told("unassigned", alone, MAIL)) == ["lea@example.org", "lou@example.org"]
    assert addresses(told("unassigned", replace(alone, leads=()), MAIL)) == ["ops@example.org"]


def test_reviews_go_to_whom_they_are_named_for_and_overdue_ones_to_the_leads_too() -> None:
    assert addresses(told("review_due", reach=MAIL, to=[3])) == ["lou@example.org"]
    assert addresses(told("review_due", reach=MAIL, to=[None, 99])) == ["anna@example.org"]
    assert addresses(told("review_overdue", reach=MAIL, to=[1])) == [
        "anna@example.org",
        "lea@example.org",
        "lou@example.org",
    ]
    assert addresses(told("review_submitted", reach=MAIL)) == ["lea@example.org", "lou@example.org"]
    assert addresses(told("review_submitted", reach=MAIL, to=[3])) == ["lou@example.org"]


def test_nobody_is_told_of_the_own_act() -> None:
    assert told("assigned", reach=BOTH, **{"from": 1}) == Decision(
        "assigned", reason="It is the own act of the only person to tell.", silent=True
    )
    assert addresses(told("second_person", reach=MAIL, **{"from": 2})) == ["lou@example.org"]
    assert addresses(told("assigned", reach=MAIL, **{"from": 2})) == ["anna@example.org"]


def test_the_requesters_own_words_go_to_who_works_on_it() -> None:
    answer = told("message", reach=MAIL, **{"from": RENE.id})
    assert (answer.event, addresses(answer)) == ("reply", ["anna@example.org"])
    assert addresses(told("message", reach=MAIL, **{"from": ANNA.id})) == ["rene@example.org"]


def test_without_a_requester_there_is_nobody_to_write_to_and_nothing_to_show() -> None:
    for name in ASKERS:
        decision = told(name, replace(TICKET, requester=None))
        assert (decision.targets, decision.silent) == ((), True), name


def test_spam_is_not_answered() -> None:
    assert told("cancelled", replace(TICKET, cancel_reason="spam")).silent
    assert addresses(told("cancelled", replace(TICKET, cancel_reason="declined"))) == ["rene@example.org"]


def test_one_address_gets_one_copy() -> None:
    same = replace(TICKET, owner=replace(ANNA, email="Lea@Example.org"))
    assert addresses(told("review_overdue", same, MAIL)) == ["Lea@Example.org", "lou@example.org"]


@pytest.mark.parametrize(
    ("event", "ticket", "reach", "sentence"),
    [
        ("opened", TICKET, Reach(), "no channel is configured"),
        ("received", TICKET, Reach(), "no channel is configured"),
        ("received", TICKET, HOOK, "no mail server is configured"),
        ("received", replace(TICKET, requester=replace(RENE, email="")), MAIL, "the requester has no mail address"),
        ("opened", replace(TICKET, owner=None, team_email="", leads=()), MAIL, "no address of team 'Ops'"),
    ],
)
def test_where_nobody_is_told_it_says_why(event: str, ticket: Ticket, reach: Reach, sentence: str) -> None:
    decision = told(event, ticket, reach)
    assert (decision.targets, decision.silent) == ((), False)
    assert sentence in decision.reason


def test_an_unknown_notice_is_named() -> None:
    with pytest.raises(BadInput, match="There is no notice 'paged'"):
        told("paged")


texts = st.text(max_size=400)


@given(st.lists(st.tuples(st.integers(1, 3), texts, texts, texts, texts), min_size=2, max_size=2, unique=True))
def test_two_notices_share_a_key_only_when_they_are_the_same(rows: list[tuple[int, str, str, str, str]]) -> None:
    (a, b) = rows
    keys = {
        dedup(Notice(event, number, subject), Target(channel, address))
        for number, event, subject, channel, address in rows
    }
    same = a[:4] == b[:4] and a[4].casefold() == b[4].casefold()
    assert len(keys) == (1 if same else 2)
    assert all(len(key) <= 300 for key in keys)


def test_a_message_id_is_the_rows_own() -> None:
    ids = {message_id(key, at) for key in ("a", "b") for at in (NOW, NOW + timedelta(microseconds=1))}
    assert len(ids) == 4
    assert message_id("a", NOW) == message_id("a", NOW)
    assert all(i.isalnum() and len(i) == 32 for i in ids)


def test_a_links_secret_is_the_desks_alone() -> None:
    link = Link("confirm", "confirm", 42, 1, 4, NOW + LINK_LIFE)
    others = [
        replace(link, purpose="signin"),
        replace(link, event="phone_confirmed"),
        replace(link, incident_id=43),
        replace(link, cycle=2),
        replace(link, user_id=5),
        replace(link, expires_at=NOW),
    ]
    secrets = {link.secret(b"key"), link.secret(b"another key"), *(other.secret(b"key") for other in others)}
    assert len(secrets) == 8
    assert all(len(secret) == 43 for secret in secrets)
    assert len(link_hash(link.secret(b"key"))) == 32
    assert link_hash("\ud800") != link_hash("?")  # whatever stands in an address is hashed, not refused


@pytest.mark.parametrize(("priority", "minutes"), [(1, 10), (2, 10), (3, 60), (5, 60), (None, 60)])
def test_how_long_a_ticket_may_wait_for_an_owner(priority: int | None, minutes: int) -> None:
    assert unassigned_due(POLICY, priority, NOW) == NOW + timedelta(minutes=minutes)


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("due_in", "reminded", "expected"),
    [
        (2 * DAY, None, None),
        (DAY, None, "review_soon"),
        (DAY / 2, -DAY / 4, None),  # a day before, once
        (timedelta(0), None, "review_overdue"),
        (timedelta(0), -DAY, "review_overdue"),  # reminded before it was due
        (-DAY / 2, -DAY / 4, None),
        (-2 * DAY, -DAY, "review_overdue"),  # daily
        (-2 * DAY, -DAY + timedelta(seconds=1), None),
    ],
)
def test_when_a_review_is_asked_for(due_in: timedelta, reminded: timedelta | None, expected: str | None) -> None:
    last = None if reminded is None else NOW + reminded
    assert review_reminder(NOW + due_in, last, NOW) == expected


@given(st.integers(1, MAX_TRIES), st.floats(0, 1))
def test_pauses_grow_and_stay_bounded(tries: int, chance: float) -> None:
    seconds = pause(tries, chance).total_seconds()
    assert 12 <= seconds <= 2160
    assert pause(tries + 1, chance).total_seconds() >= seconds


def test_tries_last_about_a_day() -> None:
    whole = sum((pause(n, 0.5) for n in range(1, MAX_TRIES)), timedelta(0))
    assert timedelta(hours=18) < whole < timedelta(hours=30)


def test_a_receiver_may_ask_for_more_time_but_not_for_ever() -> None:
    assert pause(1, 0.5, 120.0) == timedelta(seconds=120)
    assert pause(1, 0.5, 1.0) == timedelta(seconds=15)
    assert pause(1, 0.5, 10.0**9) == timedelta(hours=1)
