"""How things are called on screen: names and explanations from the policy, translated words for the rest.

`Words` is bound to one policy, language and reader; templates ask it by id and always get a name and a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from servicedesk.domain.guards import GUARDS
from servicedesk.domain.lifecycle import MOVES
from servicedesk.domain.policy import Policy
from servicedesk.web.i18n import gettext as _
from servicedesk.web.i18n import marked


@dataclass(frozen=True, slots=True)
class Shown:
    """A word as shown: its name, the sentence that explains it, a tone and an icon."""

    name: str
    explain: str = ""
    tone: str = "grey"
    icon: str = "circle"


_STATE_LOOK = {
    "new": ("ink", "circle"),
    "in_progress": ("blue", "circle-dot"),
    "pending": ("amber", "pause"),
    "resolved": ("green", "circle-check"),
    "review": ("violet", "clipboard-check"),
    "closed": ("grey", "lock"),
    "cancelled": ("grey", "ban"),
}
_STAGES = {"new": 1, "in_progress": 2, "pending": 2, "resolved": 3, "review": 4, "closed": 6, "cancelled": 0}
_ALERTS = {
    "firing": Shown(marked("Firing"), marked("The source says that it is happening now."), "red", "siren"),
    "suspect": Shown(
        marked("Suspect"),
        marked("A firing came after an end that covers it; it is checked whether it is true."),
        "amber",
        "triangle-alert",
    ),
    "recovered": Shown(marked("Recovered"), marked("The source says that it is over."), "green", "check"),
    "flapping": Shown(
        marked("Flapping"),
        marked("It fires and recovers again and again: you are told once, and once more when it is calm."),
        "amber",
        "rotate-ccw",
    ),
    "calm": Shown(marked("Calm again"), marked("It has not changed for a while: it flaps no more."), "green", "check"),
    "unconfirmed": Shown(
        marked("Unconfirmed"), marked("Nobody reports it any more, but nobody said that it is over."), "amber", "minus"
    ),
}
_REVIEWS = {
    "": Shown(marked("Not started"), marked("The draft is made when the ticket is resolved."), "grey", "circle"),
    "draft": Shown(marked("Draft"), marked("Being written; nobody has been asked to approve it."), "grey", "pencil"),
    "in_review": Shown(marked("To approve"), marked("Handed in; it waits for an approver."), "violet", "hourglass"),
    "changes_requested": Shown(
        marked("Changes requested"), marked("An approver asked for changes."), "amber", "rotate-ccw"
    ),
    "approved": Shown(marked("Approved"), marked("Approved; this version cannot be changed."), "green", "check"),
    "waived": Shown(marked("Waived"), marked("A lead let it close without a review; reports show it."), "amber", "ban"),
    "superseded": Shown(marked("Superseded"), marked("A newer version counts."), "grey", "history"),
}
_DEPTHS = {
    "micro": Shown(marked("micro"), marked("One line, the cause class, and whether the alert needs tuning.")),
    "lite": Shown(marked("lite"), marked("Times, impact, factors, what went well and badly, follow-up.")),
    "full": Shown(marked("full"), marked("All fields, and at least one action that prevents or detects it.")),
}
_PLAIN: dict[str, dict[str, str]] = {
    "verdict": {
        "pass": marked("Passed"),
        "fail": marked("Failed"),
        "inconclusive": marked("Inconclusive"),
    },
    "refused": {
        "broken": marked("broken compression"),
        "unauthorized": marked("token not accepted"),
        "unknown": marked("no such receiver"),
        "method": marked("wrong method"),
        "too_large": marked("too large"),
        "fault": marked("a fault of the desk"),
    },
    "check_mark": {
        "misuse": marked("Misuse"),
        "malfunction": marked("Malfunction"),
        "noise": marked("Noise"),
        "known": marked("Known"),
    },
    "check_state": {
        "waiting": marked("Waits to be asked"),
        "queued": marked("Queued"),
        "running": marked("Being asked"),
        "done": marked("Done"),
        "cancelled": marked("Cancelled"),
    },
    "automation": {
        "started": marked("started"),
        "succeeded": marked("succeeded"),
        "failed": marked("failed"),
        "skipped": marked("skipped"),
    },
    "purpose": {
        "diagnosis": marked("when the ticket opened"),
        "baseline": marked("baseline"),
        "verify": marked("verification"),
        "person": marked("on demand"),
        "preview": marked("preview"),
    },
    "outcome": {"done": marked("Done"), "skipped": marked("Skipped"), "failed": marked("Did not help")},
    "task": {"open": marked("Open"), "done": marked("Done"), "skipped": marked("Skipped")},
    "action_status": {
        "open": marked("Open"),
        "in_progress": marked("In progress"),
        "done": marked("Done"),
        "wont_do": marked("Will not be done"),
        "ineffective": marked("Did not help"),
    },
    "action_type": {
        "prevent": marked("Prevent"),
        "detect": marked("Detect"),
        "mitigate": marked("Mitigate"),
        "process": marked("Process"),
        "document": marked("Document"),
    },
    "factor": {
        "technical": marked("Technical"),
        "process": marked("Process"),
        "organisation": marked("Organisation"),
        "external": marked("External"),
        "knowledge": marked("Knowledge"),
    },
    "time": {
        "impact_start": marked("Impact began"),
        "detected": marked("Detected"),
        "acknowledged": marked("Acknowledged"),
        "mitigated": marked("Mitigated"),
        "restored": marked("Restored"),
        "resolved": marked("Resolved"),
    },
    "tie": {
        "recurrence_of": marked("Again after"),
        "merged_into": marked("Merged into"),
        "parent": marked("Part of"),
        "children": marked("Parts"),
        "recurrences": marked("Came again as"),
    },
    "verifier": {
        "person": marked("by"),
        "quiet_window": marked("by the monitor: the quiet window passed"),
        "playbook": marked("by the playbook"),
    },
    "confirmer": {
        "requester": marked("by the requester"),
        "link": marked("by the requester, through the link in the mail"),
        "phone": marked("by phone, recorded by"),
        "implicit": marked("by silence, after the reminders"),
        "lead": marked("by the team’s lead"),
        "quiet_window": marked("by the monitor: it stayed quiet"),
    },
    "event": {
        "opened": marked("New ticket"),
        "received": marked("Acknowledgement"),
        "assigned": marked("Assigned"),
        "refired": marked("Fires again"),
        "flaps": marked("Flapping"),
        "calms": marked("Calm again"),
        "storm": marked("Digest of several tickets"),
        "page": marked("Page"),
        "digest": marked("Digest of several tickets"),
        "to_check": marked("Records to check"),
        "invitation": marked("Invitation"),
        "password_reset": marked("New password"),
        "unassigned": marked("Nobody owns it"),
        "review_due": marked("Review due"),
        "confirm": marked("Asked to confirm"),
        "reopened": marked("Reopened"),
        "cancelled": marked("Cancelled"),
        "closed": marked("Closed"),
        "message": marked("Message"),
        "reply": marked("Answer of the requester"),
        "review_soon": marked("Review due soon"),
        "review_overdue": marked("Review overdue"),
        "review_submitted": marked("Review to approve"),
        "review_changes": marked("Changes asked of the review"),
        "review_named": marked("Named as reviewer"),
        "second_person": marked("Second person asked"),
        "phone_confirmed": marked("Confirmed by phone"),
        "test": marked("Test"),
        "state": marked("Ticket brought up to date"),
        "reply_resolved": marked("Answer on a resolved ticket"),
        "remind": marked("Reminded to confirm"),
        "question_reminder": marked("Reminded of our question"),
        "silence_confirmed": marked("Confirmed by silence"),
        "silent": marked("No answer from the requester"),
        "no_answer": marked("No answer to our question"),
        "lead_decides": marked("The lead decides"),
        "stale": marked("Nobody works on it"),
        "stale_lead": marked("Nobody works on it"),
        "look": marked("Look again"),
        "resumed": marked("Goes on"),
    },
    "kind": {
        "override_unconfirmed": marked("Override an unconfirmed alert"),
        "cancellation": marked("Cancel a P1 or P2"),
    },
    "role": {
        "requester": marked("Requester"),
        "agent": marked("Agent"),
        "lead": marked("Lead"),
        "reviewer": marked("Reviewer"),
        "admin": marked("Administrator"),
    },
    "mark": {
        "misuse": marked("Misuse"),
        "malfunction": marked("Malfunction"),
        "noise": marked("Noise"),
        "known": marked("Known"),
    },
    "criticality": {"1": marked("High"), "2": marked("Medium"), "3": marked("Low")},
    "level": {"1": marked("1 – high"), "2": marked("2 – medium"), "3": marked("3 – low")},
    "guard_role": {"role": marked("Who may do it"), "state": marked("The ticket’s state")},
}
_WAY = (
    marked("Record"),
    marked("Owner"),
    marked("Fix"),
    marked("Verification and confirmation"),
    marked("Review"),
    marked("Closing"),
)


class Words:
    """Names and explanations for one reader. agent: sees the desk's own words, not only the requester's."""

    def __init__(self, policy: Policy, language: str, agent: bool = True) -> None:
        self.policy, self.language, self.agent = policy, language, agent

    def priority(self, value: int | None) -> Shown:
        word = self.policy.priority.names.get(value or 0)
        if word is None:
            return Shown(_("No priority"), _("It is not triaged yet: impact and urgency give the priority."))
        return Shown(word.name.text(self.language), word.explain.text(self.language))

    def state(self, ticket: Any) -> Shown:
        """By the ticket's status, hold reason and who waits; a requester reads “resolved” during the review."""
        return self.state_named(_state_shown(ticket), ticket.status)

    def state_named(self, name: str, status: str = "") -> Shown:
        word = self.policy.states[name]
        tone, icon = _STATE_LOOK[status or name]
        label = word.name if self.agent or word.requester is None else word.requester
        if not self.agent and (status or name) == "review":
            tone, icon = _STATE_LOOK["resolved"]
        return Shown(label.text(self.language), word.explain.text(self.language), tone, icon)

    def type(self, name: str) -> str:
        return self.type_word(name).name

    def type_word(self, name: str) -> Shown:
        return self._named(self.policy.types, name)

    def category(self, name: str) -> str:
        label = self.policy.categories.get(name)
        return label.text(self.language) if label else name

    def code(self, name: str) -> Shown:
        return self._named(self.policy.resolution_codes, name)

    def cause(self, name: str) -> Shown:
        return self._named(self.policy.cause_classes, name)

    def hold(self, name: str) -> Shown:
        return self._named(self.policy.hold_reasons, name)

    def cancel(self, name: str) -> Shown:
        return self._named(self.policy.cancellation_reasons, name)

    def _named(self, table: Mapping[Any, Any], name: str) -> Shown:
        word = table.get(name)
        if word is None:
            return Shown(name.replace("_", " "))
        return Shown(word.name.text(self.language), word.explain.text(self.language))

    @staticmethod
    def alert(status: str) -> Shown:
        return _translated(_ALERTS, status)

    @staticmethod
    def review(status: str) -> Shown:
        return _translated(_REVIEWS, status)

    @staticmethod
    def depth(name: str) -> Shown:
        return _translated(_DEPTHS, name)

    @staticmethod
    def plain(table: str, name: Any) -> str:
        """A word of a small table: plain("verdict", "pass")."""
        text = _PLAIN[table].get(str(name))
        return _(text) if text else str(name).replace("_", " ")

    def verifier(self, v: Any) -> str:
        text = self.plain("verifier", v.kind)
        return f"{text} {v.actor}" if v.kind == "person" else text

    def confirmer(self, c: Any) -> str:
        text = self.plain("confirmer", c.kind)
        return f"{text} {c.actor}" if c.kind == "phone" else text

    @staticmethod
    def stage(status: str) -> int:
        """How many of the six stations (recorded … closed) a ticket has passed."""
        return _STAGES.get(status, 0)

    def way(self, status: str) -> str:
        if status == "cancelled":
            return _("Not handled as an incident")
        return " → ".join(f"{'✓ ' if i < self.stage(status) else ''}{_(name)}" for i, name in enumerate(_WAY))

    @staticmethod
    def rule(rule: str, guard: str = "") -> str:
        """The sentences behind a rule's and a guard's id."""
        texts = [_(m.text) for m in MOVES if m.id == rule][:1] + [_(g.title) for g in GUARDS if g.id == guard]
        return " · ".join(texts)


def _translated(table: Mapping[str, Shown], name: str) -> Shown:
    word = table.get(name)
    if word is None:
        return Shown(name.replace("_", " "))
    return Shown(_(word.name), _(word.explain), word.tone, word.icon)


def _state_shown(ticket: Any) -> str:
    """`answered` and `postponed` are no states, but what an open or waiting ticket is shown as."""
    if ticket.status == "in_progress" and ticket.waiting_on == "requester":
        return "answered"
    if ticket.status == "pending" and (ticket.hold_reason or "").startswith("postponed"):
        return "postponed"
    return str(ticket.status)
