"""Priority from impact and urgency; urgency from the severity word, impact from the service's criticality."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.domain.priority import assess, impact_of, priority_of, service_of, severity_of
from servicedesk.files import policies

POLICY = policies.load(None).priority


@pytest.mark.feature("T4")
@pytest.mark.parametrize(
    ("impact", "urgency", "priority"),
    [(1, 1, 1), (1, 2, 2), (1, 3, 3), (2, 1, 2), (2, 2, 3), (2, 3, 4), (3, 1, 3), (3, 2, 4), (3, 3, 5)],
)
def test_the_matrix(impact: int, urgency: int, priority: int) -> None:
    assert priority_of(impact, urgency, POLICY) == priority


@pytest.mark.parametrize(
    ("impact", "urgency", "word"), [(0, 1, "impact"), (4, 1, "impact"), (1, 0, "urgency"), (1, 9, "urgency")]
)
def test_outside_the_matrix(impact: int, urgency: int, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        priority_of(impact, urgency, POLICY)


@pytest.mark.parametrize(
    ("label", "word", "urgency", "known"),
    [
        ("critical", "critical", 1, True),
        (" Critical ", "critical", 1, True),
        ("P1", "p1", 1, True),
        ("page", "page", 1, True),
        ("error", "error", 2, True),
        ("warning", "warning", 2, True),
        ("info", "info", 3, True),
        ("none", "none", 3, True),
        ("purple", "warning", 2, False),
        ("", "warning", 2, False),
        (None, "warning", 2, False),
    ],
)
def test_severity_words(label: str | None, word: str, urgency: int, known: bool) -> None:
    found = severity_of(label, POLICY)
    assert (found.word, found.urgency, found.known) == (word, urgency, known)


@pytest.mark.parametrize(
    ("criticality", "impact"), [("critical", 1), ("High", 1), ("medium", 2), ("low", 3), ("", 2), (None, 2), ("odd", 2)]
)
def test_impact_of_a_service(criticality: str | None, impact: int) -> None:
    assert impact_of(criticality, POLICY) == impact


def test_an_assessment_gives_its_reason() -> None:
    found = assess("critical", "high", POLICY)
    assert (found.impact, found.urgency, found.priority) == (1, 1, 1)
    assert found.reason == "P1: impact 1 for a service of high criticality, urgency 1 for severity critical"
    marked = assess(None, None, POLICY)
    assert (marked.impact, marked.urgency, marked.priority, marked.severity.known) == (2, 2, 3, False)
    assert "unknown service" in marked.reason
    assert "taken as warning" in marked.reason


def test_the_service_that_an_alert_names() -> None:
    assert service_of({"service": "shop", "job": "node"}) == "shop"
    assert service_of({"service": "", "job": "node"}) == "node"
    assert service_of({}) is None


@given(st.none() | st.text(), st.none() | st.text())
def test_whatever_the_labels_say_there_is_a_priority(severity: str | None, criticality: str | None) -> None:
    found = assess(severity, criticality, POLICY)
    assert found.priority == POLICY.matrix[found.impact - 1][found.urgency - 1]
    assert found.severity.word in POLICY.severities
