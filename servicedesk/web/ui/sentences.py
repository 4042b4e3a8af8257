"""Sentences of the rules in the reader's language: the domain writes English with names and numbers in it.

A sentence without variable parts is looked up as it is. One with parts is recognised by the patterns below, which are
what translators see; its parts are translated in turn, lists item by item.
"""

from __future__ import annotations

import re
from functools import lru_cache

from servicedesk.web import i18n
from servicedesk.web.i18n import marked

from . import duty_words

MAX_CHARS = 2000
PATTERNS = (
    marked("Triage is not finished: set %(list)s."),
    marked("The resolution lacks %(list)s."),
    marked("%(parts)s. Do them, or skip them with a reason."),
    marked("%(n)s mandatory playbook step (%(names)s) without an outcome"),
    marked("%(n)s mandatory playbook steps (%(names)s) without an outcome"),
    marked("%(n)s mandatory sub-task (%(names)s) not done"),
    marked("%(n)s mandatory sub-tasks (%(names)s) not done"),
    marked("%(n)s child (%(names)s) still open"),
    marked("%(n)s alert (%(names)s) still firing"),
    marked("%(n)s alerts (%(names)s) still firing"),
    marked("%(n)s alert (%(names)s) seen firing again after its end, not yet confirmed either way"),
    marked("%(n)s alerts (%(names)s) seen firing again after its end, not yet confirmed either way"),
    marked("%(n)s alert (%(names)s) never reported as cleared: a lead and a second person decide"),
    marked("%(n)s alerts (%(names)s) never reported as cleared: a lead and a second person decide"),
    marked("%(n)s alert (%(names)s) cannot clear itself: the resolver declares it ended"),
    marked("%(n)s alerts (%(names)s) cannot clear itself: the resolver declares it ended"),
    marked("The alerts have not been quiet for the whole window of %(n)s minutes yet."),
    marked("There is no review of this cycle yet: a %(depth)s review is due."),
    marked("The %(depth)s review is %(status)s, not approved."),
    marked("The review was approved as %(depth)s, but a %(due)s review is due."),
    marked("%(n)s action item (%(names)s) without owner, due date or type"),
    marked("%(n)s action items (%(names)s) without owner, due date or type"),
    marked("%(n)s blocking action item (%(names)s) not done"),
    marked("%(n)s blocking action items (%(names)s) not done"),
    marked("The requester may reopen within %(n)s days after closing: open a new ticket instead."),
    marked("A %(depth)s review is approved by %(who)s."),
    marked("Say why it is cancelled: one of %(list)s."),
    marked("“%(code)s” is only for tickets with a requester and without alerts."),
    marked("Say what it waits for: one of %(list)s."),
    marked("It is %(state)s; this is possible only in: %(list)s."),
    marked("%(field)s: choose one of %(list)s."),
    marked("%(field)s: write it (%(hint)s)."),
    marked("%(field)s: write it."),
    marked("Times: give %(list)s (estimated is fine: say by whom)."),
    marked("Times: say who estimated %(list)s."),
    marked("At most %(n)s characters."),
    marked("One of %(list)s."),
    marked("%(ticket)s is not open: it cannot take the alerts."),
    marked("There is no active user %(name)s."),
    marked("There is no team %(name)s."),
    marked("There is no service %(name)s: add it, or write “unknown”."),
    marked("There is no ticket %(name)s."),
    marked("must have %(least)s to %(most)s characters"),
    marked("%(text)s is no mail address"),
    marked("there is a team %(name)s already"),
    marked("there is a service %(name)s already"),
    marked("there is a user %(name)s already"),
    *duty_words.PATTERNS,
)
WORDS = (
    marked("category"), marked("impact"), marked("urgency"), marked("service (or “unknown”)"),
    marked("a resolution code"), marked("a cause class"), marked("notes that say what was done"), marked("draft"),
    marked("in review"), marked("changes requested"), marked("a reviewer"), marked("another agent"), marked("new"),
    marked("in progress"), marked("pending"), marked("resolved"), marked("review"), marked("closed"),
    marked("cancelled"), marked("impact start"), marked("detected"), marked("acknowledged"), marked("mitigated"),
    marked("restored"), marked("is not your password"),
)  # fmt: skip
_BETWEEN = re.compile(r"; (?![^()]*\))")  # names in brackets may hold anything
_PART = re.compile(r"%\\?\((\w+)\\?\)s")


def say(sentence: str) -> str:
    """The sentence in the language of the request; unchanged where nobody translated it."""
    return _said(sentence, i18n.language())


@lru_cache(maxsize=2048)
def _said(sentence: str, language: str) -> str:
    if not sentence or language == "en" or len(sentence) > MAX_CHARS:
        return sentence
    exact = i18n.catalogue(language).gettext(sentence)
    if exact != sentence:
        return exact
    for pattern, expression in _expressions():
        found = expression.fullmatch(sentence)
        if found is not None:
            parts = {name: _part(name, text, language) for name, text in found.groupdict().items()}
            return i18n.catalogue(language).gettext(pattern) % parts
    return _pieces(sentence, language)


def _pieces(sentence: str, language: str) -> str:
    """Several findings in one sentence: "2 alerts … still firing; 1 alert …"."""
    bare = sentence.removesuffix(".")
    pieces = _BETWEEN.split(bare)
    if len(pieces) == 1:
        return sentence if bare == sentence else _said(bare, language) + "."
    end = "." if bare != sentence else ""
    return "; ".join(_said(piece, language) for piece in pieces) + end


def _part(name: str, text: str, language: str) -> str:
    """Names stay as they are: they are people's words, not ours."""
    if name in ("n", "names", "name", "ticket", "code", "text", "least", "most"):
        return text
    if name == "list":
        return ", ".join(_said(word, language) for word in text.split(", "))
    return _said(text, language)


@lru_cache(maxsize=1)
def _expressions() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((p, re.compile(_PART.sub(_group, re.escape(p)))) for p in PATTERNS)


def _group(part: re.Match[str]) -> str:
    return f"(?P<{part[1]}>{'[0-9,]+' if part[1] in ('n', 'least', 'most') else '.+?'})"
