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
_PART = r"[^\s\"'()\[\]<>{}=,;|/]"  # what a name in a path is made of
_AT_WORD = r"(?<![^\s\"'()\[\]<>{}=,;|])"
_HOST = r"(?:[a-z][a-z\-]{0,62}\.){1,8}[a-z]{2,24}(?![\w(/:])"
# What follows "user" in a sentence without being a name.
_NO_NAME = (
    "account|agent|already|and|are|as|at|authenticated|authentication|but|by|can|cannot|command|could|data|database|"
    "defined|did|does|error|exists|failed|file|for|from|group|had|has|have|id|if|in|input|interface|is|limit|list|"
    "logged|login|manager|mode|name|not|of|on|or|password|process|processes|profile|request|requested|requests|"
    "runtime|service|session|sessions|slice|space|table|that|the|this|to|tried|unknown|was|when|which|with|without"
)
_UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_BOOLEAN = "true|false|null|none|yes|no|True|False|None|Yes|No|NULL"
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
    r"((?:authentication )?failures for )(?!(?:invalid|illegal) )[A-Za-z_][\w.\-$]{0,63}(?= \[preauth)",
    r"(by client )[\w.\-]{1,64}",
    r"(by )[\w.\-]{0,32}\(uid=\d{1,10}\)",
    r"(class )(?:[a-zA-Z_][\w$]{0,60}\.){2,12}+[\w$]{1,80}",
    r"([A-Za-z][A-Za-z\-/]{0,63}+)\.{2,200}\d{1,20}(?!\w)",  # a form filled up with dots: "depth.........0"
    rf"([A-Za-z][A-Za-z_\-]{{1,40}}:){_UUID}",
    rf"([A-Za-z_][\w.\-/]{{0,63}}=) (?:{_BOOLEAN})(?!\w)",
    rf"([A-Za-z_][\w.\-/]{{0,63}}=){_VALUE}(?:\{{[^{{}}\n]{{0,200}}\}})?",
)
_WHOLE_WORDS = (
    _DATE,
    _ISO,
    r"[\w.\-]{1,64}(?= : (?:TTY=|user NOT ))",  # sudo begins with who calls it
    rf"{_HOST}(?= [\[(]\d)",
    r"[a-z][a-z0-9+\-]{1,15}://[^\s\"'<>]{1,400}",
    r"[\w.+\-]{1,64}@[\w.\-]{1,255}+(?![/:])",
    r"(?:[0-9a-fA-F]{2}[:\-]){5}[0-9a-fA-F]{2}(?!\w)",
    rf"/(?:home|tmp|proc|dev)/{_WORD}{{1,400}}(?<![.:!?])",  # names of the moment
    rf"/{_PART}{{1,200}}+/{_WORD}{{1,400}}(?<![.:!?])",  # any path of two names or more
    r"[A-Za-z]:\\{1,2}[^\s,;\"<>|]{1,400}",
    r"[\w.\-]{1,64}\.(?:exe|EXE)(?![\w.])",
    r"(?:com|org|net|cn|io)(?:\.[a-z][a-z0-9_]{0,40}){2,8}+(?:/[\w.$]{1,200})?(?![\w.(])",  # a package, no class of it
    r"(?:true|false|null)(?![\w.:\-])",
    rf"(?={_WORD}{{0,200}}\d){_WORD}{{1,400}}(?<![.:!?])",  # any other word that holds a digit
)
_ENCLOSED = (
    r'("(?:GET|POST|PUT|DELETE|HEAD|PATCH|OPTIONS|CONNECT)) [^"\n]{0,400}"',
    rf"'[\w.\- ]{{1,64}}': ?{_WORD}{{1,200}}",
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
_RUN = re.compile(r"<?\*(?:[ ,:/;x+\-]{0,3}\*)+|<\*")
_UNIT = re.compile(r"\* (?:[KMGT]i?B|[kKMG]?[bB]|bytes?|[mun]?s|m?secs?|seconds?|mins?|minutes?|hours?)(?![\w/])")
_SPACE = re.compile(r"\s+")


_DIGITS = re.compile(r"0[xX][0-9a-fA-F]+|(?<![A-Za-z0-9])(?=[a-fA-F]{0,64}[0-9])[0-9a-fA-F]{2,64}(?![A-Za-z0-9])|\d+")
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
    return _SPACE.sub(" ", _RUN.sub(MARK, _UNIT.sub(MARK, words))).strip(" .:;,!")


def _mark(found: re.Match[str]) -> str:
    return f"{found[found.lastindex]}{MARK}" if found.lastindex else MARK
