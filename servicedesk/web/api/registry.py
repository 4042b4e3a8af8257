"""Which parts the API has: a new one adds its line here."""

from __future__ import annotations

from flask import Blueprint

from . import (
    alerts,
    chat,
    checks,
    deliveries,
    documents,
    escalation,
    followups,
    gates,
    heartbeats,
    incidents,
    intake,
    mappings,
    oncall,
    organisation,
    playbooks,
    probes,
    receivers,
    records,
    reviews,
    silences,
    syslog,
    talk,
    tokens,
    windows,
)


def blueprints() -> tuple[Blueprint, ...]:
    """Every blueprint of the API, receivers and probes."""
    return (
        receivers.bp,
        deliveries.bp,
        intake.bp,
        mappings.bp,
        alerts.bp,
        alerts.links,
        syslog.bp,
        records.bp,
        incidents.bp,
        gates.bp,
        reviews.bp,
        followups.bp,
        talk.bp,
        chat.bp,
        playbooks.bp,
        checks.bp,
        silences.bp,
        organisation.bp,
        oncall.bp,
        oncall.feeds,
        escalation.bp,
        tokens.bp,
        windows.bp,
        heartbeats.bp,
        documents.bp,
        probes.bp,
    )
