"""Priority = impact × urgency (ITIL), by the policy's matrix. 1 is the highest of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from servicedesk.domain.policy import PriorityPolicy


@dataclass(frozen=True, slots=True)
class Severity:
    """What a severity label says. known: the word stands in the policy's table; else the default word is used."""

    word: str
    urgency: int
    known: bool


@dataclass(frozen=True, slots=True)
class Assessment:
    """The priority proposed for an alert, with its reason."""

    impact: int
    urgency: int
    priority: int
    severity: Severity
    reason: str


def priority_of(impact: int, urgency: int, policy: PriorityPolicy) -> int:
    """1 to 5. Raises ValueError when impact or urgency is not 1, 2 or 3."""
    for name, value in (("impact", impact), ("urgency", urgency)):
        if value not in (1, 2, 3):
            raise ValueError(f"{name} must be 1, 2 or 3, not {value}")
    return policy.matrix[impact - 1][urgency - 1]


def severity_of(label: str | None, policy: PriorityPolicy) -> Severity:
    """The severity label by the policy's table, whatever its case; an unknown or absent word is the default, marked."""
    word = (label or "").strip().lower()
    if word in policy.severities:
        return Severity(word, policy.severities[word], True)
    return Severity(policy.default_severity, policy.severities[policy.default_severity], False)


def impact_of(criticality: str | None, policy: PriorityPolicy) -> int:
    """The service's criticality as impact; None: the service is unknown, or says nothing that the policy knows."""
    table = policy.impact.criticality
    return table.get((criticality or "").strip().lower(), policy.impact.unknown_service)


def service_of(labels: Mapping[str, str]) -> str | None:
    """The service that an alert names: label `service`, else `job`, else None (unknown)."""
    return labels.get("service") or labels.get("job") or None


def assess(severity: str | None, criticality: str | None, policy: PriorityPolicy) -> Assessment:
    """The priority of an alert-born ticket. criticality: of the service that it concerns, None when that is unknown."""
    found = severity_of(severity, policy)
    impact = impact_of(criticality, policy)
    value = priority_of(impact, found.urgency, policy)
    said = f"severity {found.word}" if found.known else f"no known severity (taken as {found.word})"
    affects = f"a service of {criticality} criticality" if criticality else "an unknown service"
    reason = f"P{value}: impact {impact} for {affects}, urgency {found.urgency} for {said}"
    return Assessment(impact, found.urgency, value, found, reason)
