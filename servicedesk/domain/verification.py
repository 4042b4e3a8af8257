"""When a fix counts as proven by its playbook: looks through a soak window, compared with how it was before. Pure.

At the end of the window every check must pass. One look that fails is looked at again soon; two in a row are a failed
verification (M7). Whatever is inconclusive at the end is asked again later, and is no pass meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .checks import FAIL, INCONCLUSIVE, PASS, number
from .playbook import Baseline

SECOND_LOOK = timedelta(seconds=15)
SHORTEST, LONGEST = timedelta(minutes=1), timedelta(minutes=10)  # between two looks
LOOKS = 6  # that a soak window is divided into
GIVEN_UP = timedelta(hours=24)  # after the window, when it stays inconclusive
FAILS_IN_A_ROW = 2

WATCHING, PASSED, FAILED, UNCLEAR, VOID = "watching", "passed", "failed", "inconclusive", "void"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. value: its number, where it has one."""

    title: str
    verdict: str
    summary: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """A check of a look beside its baseline. verdict: of both together; evidence: one line."""

    verdict: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Window:
    """begun: when it was resolved, or went quiet after; looks: how many were taken; failing: failed in a row before."""

    begun: datetime
    soak: timedelta
    looks: int
    failing: int

    @property
    def ends(self) -> datetime:
        return self.begun + self.soak


@dataclass(frozen=True, slots=True)
class Decision:
    """state: watching, passed, failed or inconclusive (for good); next: of a further look; failing: in a row now.

    unclear: the window is over and only what is inconclusive bars it. reason: one sentence.
    """

    state: str
    reason: str
    next: datetime | None = None
    failing: int = 0
    unclear: bool = False


def compare(finding: Finding, before: Finding | None, baseline: Baseline | None) -> Compared:
    """One check of a look, with the baseline's demand where the playbook makes one."""
    told = f"{finding.title}: {finding.verdict} – {finding.summary}"
    if before is not None:
        told += f" (when the ticket opened: {before.verdict} – {before.summary})"
    if baseline is None or finding.verdict != PASS:
        return Compared(finding.verdict, told)
    if finding.value is None or before is None or before.value is None:
        return Compared(INCONCLUSIVE, f"{told}; there is no baseline to compare with")
    share = baseline.by / 100
    if baseline.better == "lower":
        wanted = before.value - abs(before.value) * share
        good = finding.value < wanted or (share > 0 and finding.value <= wanted)
    else:
        wanted = before.value + abs(before.value) * share
        good = finding.value > wanted or (share > 0 and finding.value >= wanted)
    if good:
        return Compared(PASS, f"{told}; {baseline.better} than the baseline {number(before.value)}, as it must be")
    by = f" by {baseline.by:g} %" if baseline.by else ""
    return Compared(FAIL, f"{told}; it must be {baseline.better} than the baseline {number(before.value)}{by}")


def every(soak: timedelta) -> timedelta:
    """The time between two looks."""
    return min(max(soak / LOOKS, SHORTEST), LONGEST)


def judge(window: Window, compared: Sequence[Compared], now: datetime) -> Decision:
    """What follows from a look that is complete."""
    verdicts = [c.verdict for c in compared]
    if FAIL in verdicts:
        failing = window.failing + 1
        first = next(c.evidence for c in compared if c.verdict == FAIL)
        if failing >= FAILS_IN_A_ROW:
            return Decision(FAILED, first, failing=failing)
        return Decision(WATCHING, f"Failed once, looked at again: {first}", now + SECOND_LOOK, failing)
    unclear = next((c.evidence for c in compared if c.verdict != PASS), None)
    if now < window.ends:
        reason = f"Inconclusive so far: {unclear}" if unclear else "So far as it should be."
        return Decision(WATCHING, reason, min(now + every(window.soak), window.ends))
    if unclear is None:
        return Decision(PASSED, "Every check passed.")
    if now >= window.ends + GIVEN_UP:
        return Decision(UNCLEAR, f"Given up as inconclusive: {unclear}", unclear=True)
    return Decision(WATCHING, f"Inconclusive: {unclear}", now + every(window.soak), unclear=True)


def tested(title: str, soak: timedelta, looks: int) -> str:
    """What the record of the verification says was tested."""
    minutes = int(soak.total_seconds() // 60)
    span = f"{minutes} minutes" if minutes else f"{int(soak.total_seconds())} seconds"
    return f"The checks of the playbook “{title}”, {looks} times through {span}"
