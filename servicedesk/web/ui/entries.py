"""Timeline lines in words: one small function a kind; an unknown kind is shown with its content, never hidden."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from servicedesk.web.i18n import gettext as _
from servicedesk.web.i18n import marked

from .sentences import say
from .words import Words

Content = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """text: the sentence; body: Markdown beneath it; details: (name, value) pairs that can be opened."""

    text: str
    tone: str = "grey"
    icon: str = "circle"
    body: str = ""
    public: bool = False
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Book:
    """What is needed to say a line: the words, and the names of people and teams by id.

    A requester (words.agent False) reads what became of the ticket, not the desk's notes about it.
    """

    words: Words
    names: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    def entry(self, e: Any) -> Line:
        """The line for a timeline entry."""
        if e.content is None:
            return Line(_("The content was erased; the chain still holds."), icon="minus")
        say = _KINDS.get(e.kind)
        line = say(self, e.content) if say else _unknown(self, {"kind": e.kind} | dict(e.content))
        if self.words.agent or line.public or e.kind == "confirmation":
            return line
        return Line(line.text, line.tone, line.icon)

    def person(self, user_id: Any) -> str:
        if user_id is None:
            return _("nobody")
        return self.names.get("people", {}).get(user_id, f"#{user_id}")

    def team(self, team_id: Any) -> str:
        return _("no team") if team_id is None else self.names.get("teams", {}).get(team_id, f"#{team_id}")


def _created(b: Book, c: Content) -> Line:
    reason = (c.get("creation") or {}).get("reason", "")
    return Line(_("Ticket opened"), "blue", "plus", details=_pairs({"title": c.get("title", ""), "why": reason}))


def _moved(_b: Book, c: Content) -> Line:
    told = {"count": c.get("alerts", ""), "from": c.get("from", ""), "to": c.get("to", "")}
    return Line(_("%(count)s alerts moved from %(from)s to %(to)s") % told, "grey", "arrow-right")


def _released(_b: Book, c: Content) -> Line:
    told = {"count": c.get("alerts", ""), "rule": c.get("rule", "")}
    return Line(_("%(count)s alerts wait again by the rule %(rule)s") % told, "grey", "arrow-right")


def _from_record(_b: Book, c: Content) -> Line:
    said = _pairs({"alert": c.get("alert", ""), "rule": c.get("rule", "")})
    return Line(_("Made of a recorded alert"), "blue", "plus", details=said)


def _status(b: Book, c: Content) -> Line:
    target = str(c.get("to", ""))
    word = b.words.state_named(target) if target in b.words.policy.states else None
    text = _("State: %(name)s") % {"name": word.name if word else target}
    if c.get("owner") is not None:
        text += " · " + _("owner %(name)s") % {"name": b.person(c["owner"])}
    if c.get("code"):
        name = b.words.hold(c["code"]) if target == "pending" else b.words.cancel(c["code"])
        text += f" · {name.name}"
    if c.get("resolution") and b.words.agent:
        text += f" · {b.words.code(c['resolution']).name}, {b.words.cause(str(c.get('cause', ''))).name}"
    body = str(c.get("reason") or c.get("notes") or "")
    tone, icon = (word.tone, word.icon) if word else ("grey", "circle")
    return Line(text, tone, icon, body, public=target == "cancelled")  # why not is told to who asked


def _assignment(b: Book, c: Content) -> Line:
    parts = []
    owner, team = c.get("owner") or [None, None], c.get("team") or [None, None]
    if owner[0] != owner[1]:
        parts.append(_("Owner: %(a)s → %(b)s") % {"a": b.person(owner[0]), "b": b.person(owner[1])})
    if team[0] != team[1]:
        parts.append(_("Team: %(a)s → %(b)s") % {"a": b.team(team[0]), "b": b.team(team[1])})
    return Line(" · ".join(parts) or _("Assignment confirmed"), "blue", "user-check")


def _note(b: Book, c: Content) -> Line:
    return Line(_("Note"), "grey", "eye-off", str(c.get("text", "")))


def _message(b: Book, c: Content) -> Line:
    return Line(_("Message"), "blue", "mail", str(c.get("text", "")), public=True)


def _edit(b: Book, c: Content) -> Line:
    changes = c.get("changes") or {}
    shown = [(name.removesuffix("_id"), f"{_value(v[0])} → {_value(v[1])}") for name, v in changes.items()]
    return Line(
        _("Changed: %(names)s") % {"names": ", ".join(n for n, _v in shown)}, "grey", "pencil", details=tuple(shown)
    )


def _review(b: Book, c: Content) -> Line:
    status, version = str(c.get("status", "")), c.get("version", 1)
    if c.get("approval"):
        text = _("Review approved by %(n)s of %(all)s") % {"n": c["approval"], "all": c.get("needed", 2)}
    elif status == "saved":
        text = _("Review saved")
    else:
        text = _("Review: %(status)s") % {"status": b.words.review(status).name}
    body = str(c.get("text") or c.get("reason") or c.get("comment") or "")
    return Line(f"{text} (v{version})", b.words.review(status).tone, "clipboard-check", body)


def _verification(b: Book, c: Content) -> Line:
    verdict = str(c.get("verdict", ""))
    tone = {"pass": "green", "fail": "red"}.get(verdict, "amber")
    text = _("Verification: %(verdict)s") % {"verdict": b.words.plain("verdict", verdict)}
    body = "\n\n".join(str(c[k]) for k in ("tested", "evidence") if c.get(k))
    return Line(text, tone, "shield-check", body)


def _confirmation(b: Book, c: Content) -> Line:
    accepted = bool(c.get("accepted"))
    how = b.words.plain("confirmer", c.get("kind", ""))
    text = f"{_('Confirmed') if accepted else _('Not solved')} {how}"
    return Line(
        text, "green" if accepted else "red", "user-check" if accepted else "circle-x", str(c.get("comment") or "")
    )


def _explanation(b: Book, c: Content) -> Line:
    return Line(_("Explanation for the requester"), "blue", "mail", str(c.get("text", "")), public=True)


def _alert(b: Book, c: Content) -> Line:
    status = str(c.get("status") or c.get("event") or "")
    word = b.words.alert(status)
    name = str(c.get("name") or c.get("alert") or "")
    known = ("status", "event", "name", "alert")
    extra = {k: v for k, v in c.items() if k not in known}
    return Line(f"{word.name}: {name}" if name else word.name, word.tone, word.icon, details=_pairs(extra))


def _playbook(b: Book, c: Content) -> Line:
    event = c.get("event")
    if event in ("helped", "did_not_help"):
        told = _("The playbook helped") if event == "helped" else _("The playbook did not help")
        return Line(told, "grey", "book-open", details=_pairs({"playbook": c.get("playbook"), "step": c.get("step")}))
    text = _("Playbook attached: %(title)s") % {"title": c.get("title") or c.get("playbook", "")}
    return Line(text, "grey", "book-open", details=_pairs({"version": c.get("version", "")}))


def _step(b: Book, c: Content) -> Line:
    outcome = str(c.get("event") or c.get("outcome") or "")
    if outcome == "branch":
        return Line(f"{c.get('title') or c.get('step', '')}: {c.get('answer', '')}", "blue", "arrow-right")
    sign = {"done": ("green", "check"), "skipped": ("grey", "skip-forward")}.get(outcome, ("amber", "x"))
    text = f"{b.words.plain('outcome', outcome)}: {c.get('title') or c.get('step', '')}"
    return Line(text, sign[0], sign[1], str(c.get("note") or ""))


def _check(b: Book, c: Content) -> Line:
    """What a check found, a look at a fix, or that one was taken back."""
    title, verdict = str(c.get("title") or c.get("step", "")), str(c.get("verdict", ""))
    if c.get("event") == "cancelled":
        return Line(_("Check taken back: %(title)s") % {"title": title}, "grey", "ban")
    tone = {"pass": "green", "fail": "red"}.get(verdict, "amber")
    text = f"{title}: {b.words.plain('verdict', verdict)}"
    if c.get("event") == "observed":
        text = _("Looked at the fix: %(result)s") % {"result": text}
    details = {"kind": c.get("check"), "asked by": b.person(c["asked_by"]) if c.get("asked_by") else ""}
    return Line(text, tone, "activity", str(c.get("summary") or ""), details=_pairs(details))


_SILENCES = {
    "set": marked("Silenced in the Alertmanager"),
    "extended": marked("Silence extended"),
    "expired": marked("Silence ended"),
    "over": marked("The silence is over"),
    "ended_with_ticket": marked("Silence ended with the ticket"),
}


def _silence(b: Book, c: Content) -> Line:
    event = str(c.get("event", ""))
    details = {"until": c.get("until"), "labels": c.get("labels"), "id": c.get("silence")}
    text = _(_SILENCES[event]) if event in _SILENCES else event
    return Line(text, "grey", "bell", str(c.get("text") or ""), details=_pairs(details))


def _automation(b: Book, c: Content) -> Line:
    """What a sender's own handling did (P10); its words are shown as text."""
    outcome = str(c.get("outcome", ""))
    tone = {"succeeded": "green", "failed": "red"}.get(outcome, "blue")
    told = {"name": c.get("name", ""), "outcome": b.words.plain("automation", outcome)}
    text = _("Automation: %(name)s · %(outcome)s") % told
    details = {"posted by": c.get("posted_by"), "log": c.get("url"), "details": c.get("details")}
    return Line(text, tone, "settings", str(c.get("summary") or ""), details=_pairs(details))


def _follow_up(what: str) -> Callable[[Book, Content], Line]:
    def say(b: Book, c: Content) -> Line:
        status = f" · {b.words.plain('action_status', c['status'])}" if c.get("status") else ""
        text = (_("Follow-up") if what == "action" else _("Sub-task")) + f": {c.get('title', '')}{status}"
        extra = {k: v for k, v in c.items() if k not in ("id", "title", "status")}
        return Line(text, "grey", "list-checks", details=_pairs(extra))

    return say


def _second(b: Book, c: Content) -> Line:
    status = str(c.get("status", ""))
    texts = {
        "asked": _("Second person asked"),
        "approved": _("Second person approved"),
        "refused": _("Second person refused"),
        "expired": _("Second-person request expired"),
    }
    tone = {"approved": "green", "refused": "red"}.get(status, "amber")
    kind = f": {b.words.plain('kind', c['kind'])}" if c.get("kind") else ""
    body = str(c.get("reason") or c.get("comment") or "")
    return Line(texts.get(status, status) + kind, tone, "users", body)


def _reminder(b: Book, c: Content) -> Line:
    return Line(b.words.plain("event", c.get("event", "")), "blue", "bell", str(c.get("text", "")))


def _alarm(b: Book, c: Content) -> Line:
    return Line(b.words.plain("event", c.get("event", "")), "amber", "triangle-alert", str(c.get("text", "")))


def _acknowledged(b: Book, c: Content) -> Line:
    return Line(_("Somebody is on it"), "blue", "hand")


def _automatic(b: Book, c: Content) -> Line:
    details = _pairs({"why": c.get("why", "")})
    return Line(_("Automatic mail: it changes nothing"), "grey", "mail", str(c.get("text", "")), details=details)


def _notice(b: Book, c: Content) -> Line:
    text = _("Could not be told: %(name)s") % {"name": c.get("target", "")}
    return Line(text, "red", "triangle-alert", details=_pairs({k: v for k, v in c.items() if k != "text"}))


def _page(b: Book, c: Content) -> Line:
    if c.get("change"):
        return Line(say(str(c.get("text", ""))), "blue", "bell")
    told = ", ".join(str(t) for t in c.get("told") or ())
    text = f"{_('Called')}: {told or _('nobody')}"
    step = f"{c.get('round', 1)}.{c['step']}" if c.get("step") else _("nobody answered")
    left = {str(n): text for n, text in enumerate(c.get("skipped") or (), 1)}
    return Line(text, "amber" if told else "red", "bell", details=_pairs({"step": step, **left}))


def _handover(b: Book, c: Content) -> Line:
    parts = ((_("Known"), c.get("known")), (_("Tried"), c.get("tried")), (_("Next"), c.get("next")))
    body = "\n\n".join(f"**{name}:** {text}" for name, text in parts if text)
    text = _("Hand-over: %(name)s") % {"name": b.person(c["to"])} if c.get("to") else _("Where we are")
    return Line(text, "blue", "arrow-right", body)


def _unknown(b: Book, c: Content) -> Line:
    kind = str(c.get("kind", ""))
    text = str(c.get("text") or c.get("title") or c.get("name") or "")
    rest = {k: v for k, v in c.items() if k != "kind"}
    return Line(f"{kind.replace('_', ' ').capitalize()} {text}".strip(), details=_pairs(rest))


def _pairs(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((k.replace("_", " "), _value(v)) for k, v in values.items() if v not in ("", None, [], {}))


def _value(v: Any) -> str:
    if v is None or v == "":
        return "–"
    if isinstance(v, Mapping):
        return ", ".join(f"{k}={x}" for k, x in v.items())
    return ", ".join(map(str, v)) if isinstance(v, list) else str(v)


_KINDS: dict[str, Callable[[Book, Content], Line]] = {
    "created": _created,
    "from_record": _from_record,
    "alerts_moved": _moved,
    "alerts_released": _released,
    "status": _status,
    "assignment": _assignment,
    "note": _note,
    "message": _message,
    "edit": _edit,
    "review": _review,
    "verification": _verification,
    "confirmation": _confirmation,
    "explanation": _explanation,
    "alert": _alert,
    "playbook": _playbook,
    "playbook_step": _step,
    "check": _check,
    "silence": _silence,
    "automation": _automation,
    "action": _follow_up("action"),
    "task": _follow_up("task"),
    "second_person": _second,
    "page": _page,
    "handover": _handover,
    "reminder": _reminder,
    "alarm": _alarm,
    "automatic": _automatic,
    "acknowledged": _acknowledged,
    "notice": _notice,
}
