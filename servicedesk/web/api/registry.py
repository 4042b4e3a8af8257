"""Which parts the API has: a new one adds its line here."""

from __future__ import annotations

from flask import Blueprint

from . import gates, incidents


def blueprints() -> tuple[Blueprint, ...]:
    """Every blueprint of the API, receivers and probes."""
    return (incidents.bp, gates.bp)
