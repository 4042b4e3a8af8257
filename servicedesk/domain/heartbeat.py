"""Heartbeats: who must be heard from, how often, and from when on silence is an alarm. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

SOURCE = "heartbeats"
"""The source of the alerts about silence; no sender's token may carry it."""

ALERT = "HeartbeatMissing"
WATCHDOG = "Watchdog"  # kube-prometheus; it always fires, so that its silence tells that nothing gets through
PING, KIND_WATCHDOG = "ping", "watchdog"
KEPT = 10  # gaps between the last beats
ENOUGH = 3  # gaps that tell how often a Watchdog is sent
UNTAUGHT = timedelta(hours=4)  # Alertmanager's default repeat_interval, until that many gaps are known
LEAST_GRACE = timedelta(minutes=5)


def learn(gaps: Sequence[float], gap: float) -> list[float]:
    """The newest gaps, in seconds. A pair of Alertmanagers sends one Watchdog twice: moments do not count."""
    return [*gaps, round(gap, 1)][-KEPT:] if gap >= 1 else list(gaps)


def expected(gaps: Sequence[float]) -> tuple[int, int]:
    """(every, grace) of a Watchdog, in seconds, by its last gaps: the longest, and as long again."""
    every = max(gaps) if len(gaps) >= ENOUGH else max([*gaps, UNTAUGHT.total_seconds()])
    return int(every), int(max(every, LEAST_GRACE.total_seconds()))
