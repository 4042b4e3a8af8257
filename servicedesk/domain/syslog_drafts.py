"""A rule begun from a template: an expression that is found in its lines. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

import re2

from servicedesk.domain.syslog_rules import MAX_PATTERN, compile_pattern

MARK = "*"  # what changes, in a template
SHORTEST = 4  # letters and digits: a shorter piece is in too many lines
_ID = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Draft:
    """A rule as a person writes it in a form; "" for what they leave open. line: an example that it must fit.

    count, within: a threshold ("5m"); recovery: an expression; silence: a time.
    """

    id: str
    title: str
    action: str = "alert"
    app: str = ""
    host: str = ""
    message: str = ""
    severity: str = ""
    service: str = ""
    category: str = ""
    count: int | None = None
    within: str = ""
    recovery: str = ""
    silence: str = ""
    explain: str = ""
    line: str = ""


def pattern_of(template: str, text: str) -> str:
    """An RE2 expression that is found in `text` and in what differs from it where the template has its marks.

    "" where the template's words do not stand in the text as they are (JSON, say) and no piece of it does either.
    """
    pieces = [piece for piece in template.split(MARK) if piece.strip()]
    whole = ".*".join(_quoted(piece.strip()) for piece in pieces)
    candidates = [whole, *(_quoted(p.strip()) for p in sorted(pieces, key=len, reverse=True))]
    for candidate in candidates:
        if _is_good(candidate) and compile_pattern(_dotted(candidate, text)).search(text.encode()) is not None:
            return _dotted(candidate, text)
    return ""


def _quoted(piece: str) -> str:
    r"""Every character as it is; any run of spaces is \s+, because templates have single ones."""
    escaped = "".join(c if c.isalnum() or c == "_" or ord(c) > 127 else f"\\{c}" for c in piece if c.isprintable())
    return re.sub(r"(?:\\ )+", r"\\s+", escaped)


def _dotted(pattern: str, text: str) -> str:
    return f"(?s){pattern}" if "\n" in text else pattern


def _is_good(pattern: str) -> bool:
    if len(pattern) > MAX_PATTERN - 4 or sum(map(str.isalnum, pattern)) < SHORTEST:
        return False
    try:
        compile_pattern(pattern)
    except (ValueError, re2.error):
        return False
    return True


def id_of(app: str, template: str) -> str:
    """A name for the rule: the program and the first words that stay."""
    words = _ID.sub("-", f"{app} {template.replace(MARK, ' ')}".lower()).strip("-").split("-")
    return "-".join(words[:6])[:60].strip("-") or "rule"
