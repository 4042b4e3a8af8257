"""Which playbooks belong to a ticket: OR of ANDs, and the index that answers it fast says the same."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.domain.matchers import matcher, parse_matchers
from servicedesk.domain.playbook import Catalogue, Condition, Playbook, Step, alert_names

STEPS = (Step("one", "One", "Do it.", True), Step("two", "Two", "Do it."))


def book(id_: str, *conditions: Condition) -> Playbook:
    return Playbook(id_, id_.upper(), STEPS, "text", "hash", conditions)


def on(text: str) -> Condition:
    return Condition(parse_matchers(text))


def test_entries_are_joined_by_or_and_their_parts_by_and() -> None:
    p = book("p", on('alertname="A", severity="critical"'), on('alertname="B"'))
    assert p.matches({"alertname": "A", "severity": "critical"}, "incident", "", "")
    assert p.matches({"alertname": "B", "severity": "info"}, "incident", "", "")
    assert not p.matches({"alertname": "A", "severity": "info"}, "incident", "", "")


@pytest.mark.parametrize(
    ("labels", "type_", "category", "service", "holds"),
    [
        ({"alertname": "A"}, "request", "access", "shop", True),
        ({"alertname": "B"}, "request", "access", "shop", False),
        ({"alertname": "A"}, "incident", "access", "shop", False),
        ({"alertname": "A"}, "request", "network", "shop", False),
        ({"alertname": "A"}, "request", "access", "other", False),
        ({}, "request", "access", "shop", False),
    ],
)
def test_type_category_service_and_labels_must_all_hold(
    labels: Mapping[str, str], type_: str, category: str, service: str, holds: bool
) -> None:
    condition = Condition(
        parse_matchers('alertname="A"'), frozenset({"request"}), frozenset({"access", "mail"}), frozenset({"shop"})
    )
    assert condition.holds(labels, type_, category, service) is holds


def test_a_denial_does_not_hold_where_there_is_no_alert() -> None:
    assert on('severity!="info"').holds({"alertname": "A"}, "incident", "", "")
    assert not on('severity!="info"').holds({}, "incident", "", "")


def test_without_conditions_it_is_attached_by_hand_only() -> None:
    assert not book("p").matches({"alertname": "A"}, "incident", "c", "s")


def test_steps_are_found_by_id() -> None:
    assert book("p").step("two") == STEPS[1]
    assert book("p").step("three") is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('alertname="A"', {"A"}),
        ('severity="x", alertname="A"', {"A"}),
        ('alertname=~"A|B_2|C-d"', {"A", "B_2", "C-d"}),
        ('alertname=~"A.*"', None),
        ('alertname=~"A|"', None),
        ('alertname=~"(A|B)"', None),
        ('alertname!="A"', None),
        ('alertname=""', None),
        ('severity="x"', None),
    ],
)
def test_the_alert_names_that_a_condition_can_hold_for(text: str, names: set[str] | None) -> None:
    assert alert_names(on(text)) == names


names = st.sampled_from(["A", "B", "A|B", "A.*", "", ".*", "[AB]", "C"])
matchers = st.builds(matcher, st.sampled_from(["alertname", "ns"]), st.sampled_from(["=", "!=", "=~", "!~"]), names)
some = st.frozensets(st.sampled_from(["A", "B"]), max_size=1)
conditions = st.builds(Condition, st.lists(matchers, max_size=3).map(tuple), some, some, some)
label_sets = st.dictionaries(st.sampled_from(["alertname", "ns"]), st.sampled_from(["A", "B", "C", ""]))
word = st.sampled_from(["A", "B", "C"])


@given(st.lists(st.lists(conditions, max_size=3), max_size=5), label_sets, word, word, word)
def test_the_index_answers_as_asking_each_would(
    books: list[list[Condition]], labels: dict[str, str], type_: str, category: str, service: str
) -> None:
    all_ = [book(f"p{i}", *found) for i, found in enumerate(books)]
    catalogue = Catalogue(reversed(all_))
    assert catalogue.match(labels, type_, category, service) == tuple(
        p for p in all_ if p.matches(labels, type_, category, service)
    )
    assert catalogue.all == tuple(all_)
    assert all(catalogue.get(p.id) is p for p in all_)
    assert catalogue.get("absent") is None
