"""The template of a message: its words without what changes from one copy to the next. Pure and without memory.

Times, numbers, addresses, identifiers, paths with digits, quoted and bracketed parts, values after `=` and the names
of accounts become `*`. Two messages with the same template are taken for the same thing, on any node, in any order;
so a template never depends on other messages.

The expression is tried where a word begins, or has a bound: linear in the length of the text, which is cut at LONGEST.
"""

from __future__ import annotations

import re
from functools import lru_cache

LONGEST = 1_000  # characters that a template looks at; relays cut long messages at different lengths
MARK = "*"

_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}"
_DATE = (  # as in mail headers, C's ctime and most daemons
    rf"(?:{_DAY},? )?(?:{_MONTH} {{1,2}}\d{{1,2}}|\d{{1,2}} {_MONTH}),?(?: \d{{4}})?,? "
    r"\d{1,2}:\d\d:\d\d[\d.]*(?: [A-Z]{2,5}(?![a-z]))?(?: \d{4})?"
)
_ISO = r"\d{4}[-/.]\d\d[-/.]\d\d[T _,]\d\d:\d\d:\d\d[\d.,]*(?:Z| ?[+-]\d\d:?\d\d| [A-Z]{2,4}(?!\w))?"
_WORD = r"[^\s\"'()\[\]<>{}=,;|]"  # what a word is made of
_AT_WORD = r"(?<![^\s\"'()\[\]<>{}=,;|])"
_HOST = r"(?:[a-z][a-z\-]{0,62}\.){1,8}[a-z]{2,24}(?![\w(/:])"
# What follows "user" in a sentence without being a name.
_NO_NAME = (
    "account|agent|already|and|are|as|at|authenticated|authentication|but|by|can|cannot|command|could|data|database|"
    "defined|did|does|error|exists|failed|file|for|from|group|had|has|have|id|if|in|input|interface|is|limit|list|"
    "logged|login|manager|mode|name|not|of|on|or|password|process|processes|profile|request|requested|requests|"
    "runtime|service|session|sessions|slice|space|table|that|the|this|to|tried|unknown|was|when|which|with|without"
)
_VALUE = rf"(?:\"(?:[^\"\\]|\\.){{0,400}}+\"|{_WORD}{{0,400}}+)"
# What is said under these names is the message itself (logfmt, JSON): its words stay.
_SAID = re.compile(r'(msg|message|err|error|event|reason|cause|descr|description)("?[=:] ?)"((?:[^"\\]|\\.){1,1000}+)"')
# The first group of each is kept.
_AFTER_WORDS = (
    r"(COMMAND=|[Ss]tatement: |STATEMENT: |[Qq]uery: )[^\n]{1,2000}",
    rf"((?:[Uu]ser|uname) )(?!(?:NOT|{_NO_NAME})\b)[A-Za-z_][\w.\-$]{{0,63}}(?=[\s,;:.(]|$)",
    r"(for )(?!(?:invalid|illegal|user) )[A-Za-z_][\w.\-$]{0,63}(?= (?:from|by) )",
    r"(by )[a-z_][\w.\-$]{0,63}(?= (?:on|from) [^\s]{0,64}\d)",
    r"(comm )[\w.\-/:]{1,64}(?=[: ])",
    rf"((?:from|host|with|peer|server|client|upstream):? ){_HOST}",
    rf"([A-Za-z_][\w.\-/]{{0,63}}=){_VALUE}",
)
_WHOLE_WORDS = (
    _DATE,
    _ISO,
    r"[\w.\-]{1,64}(?= : (?:TTY=|user NOT ))",  # sudo begins with who calls it
    rf"{_HOST}(?= [\[(]\d)",
    r"[a-z][a-z0-9+\-]{1,15}://[^\s\"'<>]{1,400}",
    r"[\w.+\-]{1,64}@[\w.\-]{1,255}",
    rf"/(?:home|tmp|proc|dev|run/user|var/lib/docker)/{_WORD}{{1,400}}",  # names of the moment
    rf"(?={_WORD}{{0,200}}\d){_WORD}{{1,400}}(?<![.:!?])",  # any other word that holds a digit
)
_ENCLOSED = (
    r'"[^"\n]{0,400}"',
    r"(?<![\w'])'[^'\n]{0,200}'(?!\w)",  # an apostrophe within a word opens nothing
    r"`[^`'\n]{1,200}['`]",
    r"\([^()\n]{0,200}\)",
    r"\[[^\[\]\n]{0,200}\]",
    r"<[^<>\s]{1,200}>",
    r"\{[^{}\n]{0,400}\}",
)
_WORDS = rf"{_AT_WORD}(?:{'|'.join((*_AFTER_WORDS, *_WHOLE_WORDS))})"
_CHANGING = re.compile(f"{_WORDS}|{'|'.join(_ENCLOSED)}")
_CHANGING_WORDS = re.compile(_WORDS)
_KERNEL_CLOCK = re.compile(r"\[ {0,11}\d{1,11}\.\d{1,9}\] ?")  # seconds since the start: some relays take them off
_RUN = re.compile(r"\*(?:[ ,:/;x+\-]{1,2}\*)+")
_UNIT = re.compile(r"\* (?:[KMGT]i?B|kB|bytes)\b")
_SPACE = re.compile(r"\s+")


_DIGITS = re.compile(r"\d+")
_FEW = 3  # letters: what has fewer says nothing about what it is


def template(text: str) -> str:
    """The words of a message that stay: at most LONGEST characters in, `*` for what changes."""
    return _template(text[:LONGEST])


@lru_cache(maxsize=2_048)  # what goes wrong says the same again and again
def _template(text: str) -> str:
    if text.startswith("[") and (clock := _KERNEL_CLOCK.match(text)):
        text = text[clock.end() :]
    words = _masked(text)
    if _says_nothing(words):  # an access log, say, is all quotes and brackets
        words = _tidy(_CHANGING_WORDS.sub(_mark, text))
    return _tidy(_DIGITS.sub(MARK, text)) if _says_nothing(words) else words


def _says_nothing(words: str) -> bool:
    return sum(map(str.isalpha, words[:200])) < _FEW


def _masked(text: str) -> str:
    said = _SAID.findall(text) if '"' in text else []
    if said and text.startswith("{"):
        return " ".join(f"{name}={_masked(value)}" for name, _, value in said)
    words = _tidy(_CHANGING.sub(_mark, text))
    return " ".join([words, *(_masked(value) for _, _, value in said)])


def _tidy(words: str) -> str:
    return _SPACE.sub(" ", _UNIT.sub(MARK, _RUN.sub(MARK, words))).strip(" .:;,!")


def _mark(found: re.Match[str]) -> str:
    return f"{found[found.lastindex]}{MARK}" if found.lastindex else MARK
