"""Guards G1–G12: each a function (facts, action) -> sentence of what is missing, or None. Pure; see docs/rules.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .incident import Action, Actor, Facts

DEPTHS = ("micro", "lite", "full")


@dataclass(frozen=True, slots=True)
class Guard:
    """id, title and where to fix it; `judge` answers the missing thing as a sentence. asks: a dialog can fill it."""

    id: str
    title: str
    where: str
    judge: Callable[[Facts, Action, Actor], str | None]
    asks: bool = False


def _g1(f: Facts, _a: Action, _w: Actor) -> str | None:
    if f.owner_id is None:
        return "Nobody owns it: take it or assign it."
    if not f.owner_active:
        return "Its owner's account is disabled: assign somebody else."
    if not f.owner_in_team:
        return "Its owner is not a member of its team: change the owner or the team."
    return None


def _g1_if_owned(f: Facts, a: Action, w: Actor) -> str | None:
    return _g1(f, a, w) if f.owner_id is not None else None


def _g2(f: Facts, _a: Action, _w: Actor) -> str | None:
    missing = [
        name
        for name, value in (
            ("category", f.category),
            ("impact", f.impact),
            ("urgency", f.urgency),
            ("service (or “unknown”)", f.service),
        )
        if not value
    ]
    return f"Triage is not finished: set {', '.join(missing)}." if missing else None


def _g3(f: Facts, _a: Action, _w: Actor) -> str | None:
    missing = []
    if not f.resolution_code:
        missing.append("a resolution code")
    if not f.cause_class:
        missing.append("a cause class")
    if blank(f.resolution_notes, f.template_notes):
        missing.append("notes that say what was done")
    return f"The resolution lacks {', '.join(missing)}." if missing else None


def _g4(f: Facts, _a: Action, _w: Actor) -> str | None:
    parts = []
    if f.open_steps:
        parts.append(f"{_listed('mandatory playbook step', f.open_steps)} without an outcome")
    if f.open_tasks:
        parts.append(f"{_listed('mandatory sub-task', f.open_tasks)} not done")
    if f.open_children:
        parts.append(f"{_listed('child', [f'INC-{n}' for n in f.open_children])} still open")
    return f"{'; '.join(parts)}. Do them, or skip them with a reason." if parts else None


def _g5(f: Facts, _a: Action, _w: Actor) -> str | None:
    active = [a.name for a in f.alerts if a.clears and a.status == "firing"]
    suspect = [a.name for a in f.alerts if a.clears and a.status == "suspect"]
    unconfirmed = [a.name for a in f.alerts if a.clears and a.status == "unconfirmed"]
    undeclared = [a.name for a in f.alerts if not a.clears and not a.declared_ended]
    parts = []
    if active:
        parts.append(f"{_listed('alert', active)} still firing")
    if suspect:
        parts.append(f"{_listed('alert', suspect)} seen firing again after its end, not yet confirmed either way")
    if unconfirmed and not f.override_unconfirmed:
        parts.append(f"{_listed('alert', unconfirmed)} never reported as cleared: a lead and a second person decide")
    if undeclared:
        parts.append(f"{_listed('alert', undeclared)} cannot clear itself: the resolver declares it ended")
    return f"{'; '.join(parts)}." if parts else None


def _g6(f: Facts, _a: Action, _w: Actor) -> str | None:
    if f.alert_born and not (f.quiet and _quiet_record(f)):
        minutes = int(f.quiet_window.total_seconds() // 60)
        return f"The alerts have not been quiet for the whole window of {minutes} minutes yet."
    if f.verify_open and not _tested(f, other=f.severe, by_playbook=False):
        return f"The playbook's own verification has not passed: {f.verify_open[0]}"
    if f.alert_born:
        if f.severe and not _tested(f, other=True):
            return "P1 and P2 need a person other than the resolver who states what was tested."
        return None
    return None if _tested(f, other=False) else "Nobody has verified the fix: state what was tested, with evidence."


def _g7(f: Facts, _a: Action, _w: Actor) -> str | None:
    last = f.confirmations[-1] if f.confirmations else None
    if last is not None and last.accepted:
        return None
    if f.requester_id is not None:
        return "The requester has not confirmed the fix."
    if f.alert_born:
        return "Confirmed by the monitor once the quiet window has passed."
    return "The team's lead has not confirmed the fix."


def _g8(f: Facts, _a: Action, _w: Actor) -> str | None:
    r = f.review
    if r is None or r.cycle != f.cycle:
        return f"There is no review of this cycle yet: a {f.review_depth} review is due."
    if r.status == "waived":
        return None
    if r.status != "approved":
        return f"The {f.review_depth} review is {r.status.replace('_', ' ')}, not approved."
    if DEPTHS.index(r.depth) < DEPTHS.index(f.review_depth):
        return f"The review was approved as {r.depth}, but a {f.review_depth} review is due."
    return None


def _g9(f: Facts, _a: Action, _w: Actor) -> str | None:
    bare = [a.title for a in f.actions if not a.complete]
    blocking = [a.title for a in f.actions if a.blocking and a.status != "done"]
    parts = []
    if bare:
        parts.append(f"{_listed('action item', bare)} without owner, due date or type")
    if blocking:
        parts.append(f"{_listed('blocking action item', blocking)} not done")
    return f"{'; '.join(parts)}." if parts else None


def _g10(f: Facts, _a: Action, _w: Actor) -> str | None:
    if f.requester_id is None or not blank(f.explanation, f.template_notes):
        return None
    return "The closing explanation for the requester is not written."


def _g11(f: Facts, a: Action, _w: Actor) -> str | None:
    if a.version is None or a.version == f.version:
        return None
    return "It was changed meanwhile: reload it, look at the change, then try again."


def _g12(f: Facts, a: Action, _w: Actor) -> str | None:
    return None if not blank(a.reason, f.template_notes) else "A reason is needed."


def blank(text: str, templates: Iterable[str] = ()) -> bool:
    """Nothing but white space or punctuation, or only the text that the form started with."""
    bare = "".join(c for c in text if c.isalnum())
    return not bare or text.strip() in {t.strip() for t in templates}


def _listed(noun: str, names: Iterable[str]) -> str:
    names = list(names)
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{len(names)} {noun}{'' if len(names) == 1 or noun == 'child' else 's'} ({shown})"


def _quiet_record(f: Facts) -> bool:
    """Did the system record that the window, as it stands now, passed?"""
    return any(
        v.kind == "quiet_window" and v.verdict == "pass" and f.quiet_from is not None and v.at >= f.quiet_from
        for v in f.verifications
    )


def _tested(f: Facts, other: bool, by_playbook: bool = True) -> bool:
    """Did somebody state what was tested? A playbook that could not find out says neither yes nor no."""
    spoken = [v for v in f.verifications if v.kind != "quiet_window"]
    spoken = [v for v in spoken if v.kind != "playbook" or (by_playbook and v.verdict != "inconclusive")]
    if not spoken or spoken[-1].verdict != "pass":
        return False
    return any(
        v.verdict == "pass"
        and v.no_new_problem
        and (not other or f.solo_mode or v.kind == "playbook" or v.actor_id != f.resolver_id)
        for v in spoken
    )


G1 = Guard("G1", "An active owner from the team", "assignment", _g1)
G1_IF_OWNED = Guard("G1", "An active owner from the team", "assignment", _g1_if_owned)
G2 = Guard("G2", "Triaged: category, impact, urgency, service", "triage", _g2)
G3 = Guard("G3", "Resolution code, cause class and notes", "resolution", _g3, asks=True)
G4 = Guard("G4", "Mandatory steps, sub-tasks and children done", "tasks", _g4)
G5 = Guard("G5", "Every alert has recovered", "alerts", _g5)
G6 = Guard("G6", "The fix is verified", "verifications", _g6)
G7 = Guard("G7", "The fix is confirmed", "confirmation", _g7)
G8 = Guard("G8", "The review is approved", "review", _g8)
G9 = Guard("G9", "Action items have owner, date, type; blocking ones are done", "action-items", _g9)
G10 = Guard("G10", "The closing explanation is written", "explanation", _g10)
G11 = Guard("G11", "Nobody changed it meanwhile", "version", _g11)
G12 = Guard("G12", "A reason is given", "reason", _g12, asks=True)
GUARDS = (G1, G2, G3, G4, G5, G6, G7, G8, G9, G10, G11, G12)
