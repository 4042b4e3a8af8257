"""One syslog message as senders really write it: RFC 5424, RFC 3164 in its many dialects, or neither.

`parse` never raises and drops nothing: what has no header that is known keeps its whole text and is marked (format
"raw"). Every expression is linear in the length of the message: no nested repetition, or a possessive one.
"""

from __future__ import annotations

import re

import msgspec

NOTICE, USER = 5, 1
NO_PRI = USER * 8 + NOTICE  # RFC 3164, 4.3.3: what comes without priority is user.notice
SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "console", "cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
TAG_LIMIT = 32  # RFC 3164: relays cut the tag there, so that a longer name tells no more


class Message(msgspec.Struct, gc=False):
    """What one message says; texts are safe to show (see `visible`), "" where it says nothing.

    form: "5424", "3164" or "raw" (no header was found: the whole line is the text). stamp: the time as written.
    zone: what was written behind it ("CET"), if anything. unset: the sender marks its clock as not set (Cisco's `*`).
    has_pri: it began with a priority. data: structured data as written.
    """

    facility: int
    severity: int
    host: str
    app: str
    pid: str
    text: str
    form: str
    stamp: str = ""
    zone: str = ""
    msgid: str = ""
    data: str = ""
    unset: bool = False
    has_pri: bool = True


_PRI = re.compile(r"<(\d{1,3})>")
# Structured data is skipped here and read by `elements` where somebody asks.
_5424 = re.compile(
    r"[1-9]\d{0,2} ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+) "
    r'(-|(?:\[[^\]"]*+(?:"(?:[^"\\]|\\.)*+"[^\]"]*+)*+\])++)(?: (.*))?',
    re.DOTALL,
)
_5424_BROKEN = re.compile(
    r"[1-9]\d{0,2} (-|\d{4}-\d\d-\d\dT[^ ]+) ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+)(?: (.*))?", re.DOTALL
)

_MONTH = "(?:[Jj][Aa][Nn]|[Ff][Ee][Bb]|[Mm][Aa][Rr]|[Aa][Pp][Rr]|[Mm][Aa][Yy]|[Jj][Uu][Nn]|[Jj][Uu][Ll]|[Aa][Uu][Gg]"
_MONTH += "|[Ss][Ee][Pp]|[Oo][Cc][Tt]|[Nn][Oo][Vv]|[Dd][Ee][Cc])"
_CLOCK = r"\d{1,2}:\d\d:\d\d(?:[.,]\d{1,9})?"
_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
# What nearly every Linux relay sends, at one go: time, host, tag.
_PLAIN_3164 = re.compile(
    rf"({_MONTH} [ \d]\d \d\d:\d\d:\d\d|\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{{1,9}})?(?:Z|[+-]\d\d:\d\d)) "
    r"([^ \[]*[^ :\[]) ([^ :\[]{1,48})(?:\[([^\]\s]{0,32})\])?: ?(.*)",
    re.DOTALL,
)
_NUMBER = re.compile(r"\d{1,10}: |: ?")  # Cisco's message counter and sequence number; FWSM's lone colon
_ORIGIN = re.compile(rf"([\w.\-]{{1,255}}): (?=(?:\d{{1,10}}: )?[*.]?(?:{_MONTH} |\d{{4}} ))")
_XR_NODE = re.compile(r"(?:([\w.\-]{1,255}) )?(?:RP|LC|SP|DRP)/\d[\w/]{0,30}:")
_DATES = (
    rf"{_MONTH} {{1,2}}\d{{1,2}}(?: \d{{4}})? {_CLOCK}(?: \d{{4}}(?=[ :]))?",
    rf"\d{{4}} {_MONTH} {{1,2}}\d{{1,2}} {_CLOCK}",
    _ISO,
)
_ZONE = (
    r"(?:UTC|GMT|WES?T|CES?T|EES?T|E[SD]T|C[SD]T|M[SD]T|P[SD]T|BST|MSK|IST|JST|A[CEW][SD]T)(?:[+-]\d{1,2})?(?![\w.\-])"
)
_ZONE += r"|[A-Z]{2,5}(?=\s?:\s)"  # another short word in capitals is a host
_TIME = re.compile(
    rf"([*.]?)({'|'.join(_DATES)})(?: ({_ZONE})( (?:19|20)\d\d(?=[ :]))?)?"
    r"(?=(\s?:)(?:\s|$)|[ ]|$)"
)
_UPTIME = re.compile(r"(?:\d{1,3}[ywdh]\d{1,2}[wdhm]|\d{2}:\d\d:\d\d): (?=%)")
_HOST = re.compile(r"([^ \[]*[^ :\[])(?: :)? ")
_TAG = re.compile(r"([^\s:\[\]\"]{1,64})(?:\[([^\]\s]{0,32})\]:?|:)(?: |$)|([A-Za-z][\w .\-/]{1,46})\[(\d{1,10})\]: ?")
_MNEMONIC = re.compile(r"%+([A-Za-z0-9_\-]{1,64}(?:/\d{1,2}/[A-Za-z0-9_]{1,64})?)(?:\([^)]{0,16}\))?(?:\[\d+\])? ?: ?")
_FORWARDED = re.compile(r"(?:Message forwarded|Forwarded) from ([^ :]{1,255}): ")
_PROCURVE = re.compile(r"\d{5} (?=[\w.\-]{1,32}: )")  # HP switches number their events before the tag
_SOLARIS_ID = re.compile(r"\[ID \d{1,10} [\w.]{1,32}\] ")
_REPEATED = re.compile(r"(?:message repeated \d+ times|last message repeated \d+ times?)", re.IGNORECASE)


def parse(raw: bytes) -> Message:
    """Read one message (without its frame). Never raises."""
    try:
        line = raw.decode()
    except UnicodeDecodeError:
        line = raw.decode("utf-8", "backslashreplace")
    pri = _PRI.match(line)
    if pri is None or (value := int(pri[1])) > 191:
        return _headless(line)
    facility, severity, at = value >> 3, value & 7, pri.end()
    found = _5424.fullmatch(line, at)
    if found is not None:
        stamp, host, app, pid, msgid, data, text = found.groups()
        return Message(
            facility,
            severity,
            _value(host),
            _value(app).removeprefix("%"),
            _value(pid),
            clean(text or ""),
            "5424",
            _value(stamp),
            "",
            _value(msgid),
            "" if data == "-" else data,
        )
    found = _PLAIN_3164.fullmatch(line, at)
    if found is not None and "%" not in found[3]:
        stamp, host, app, pid_or_none, text = found.groups()
        if text.startswith("[ID "):
            text = _SOLARIS_ID.sub("", text, count=1)
        return Message(
            facility, severity, visible(host), visible(app), visible(pid_or_none or ""), clean(text), "3164", stamp
        )
    return _legacy(line, at, facility, severity)


def is_repeat(message: Message) -> bool:
    """Is it syslogd's own "last message repeated 3 times", which says nothing by itself?"""
    return "repeated" in message.text[:30] and _REPEATED.match(message.text) is not None


def _value(text: str) -> str:
    return "" if text == "-" else visible(text)[:255]


def _headless(line: str) -> Message:
    """No priority: Cisco's console format and plain log lines are understood, all else is kept as it is."""
    facility, severity = NO_PRI >> 3, NO_PRI & 7
    message = _legacy(line.lstrip(" \t\r\n\0"), 0, facility, severity)
    message.has_pri = False
    if not message.stamp and not _MNEMONIC.match(line.lstrip("0123456789: ")):
        return Message(facility, severity, "", "", "", clean(line), "raw", has_pri=False)
    return message


def _legacy(line: str, at: int, facility: int, severity: int) -> Message:
    """RFC 3164 as it is spoken: by relays without host or tag, network gear, BSD and embedded devices."""
    broken = _5424_BROKEN.fullmatch(line, at)
    if broken is not None:  # its structured data cannot be read: it stays in the text
        stamp, host, app, pid, msgid, text = broken.groups()
        said = clean(text or "")
        return Message(
            facility, severity, _value(host), _value(app), _value(pid), said, "5424", _value(stamp), "", _value(msgid)
        )
    message = Message(facility, severity, "", "", "", "", "3164")
    at = _header(line, at, message)
    if line.startswith("[ID ", at) and (solaris := _SOLARIS_ID.match(line, at)):
        at = solaris.end()
    message.text = clean(line[at:])
    return message


def _header(line: str, at: int, message: Message) -> int:
    """Fill in what stands before the text; answers where the text begins."""
    start = at
    for _ in range(2):
        if number := _NUMBER.match(line, at):
            at = number.end()
        if origin := _ORIGIN.match(line, at):
            message.host, at = visible(origin[1]), origin.end()
    if node := _XR_NODE.match(line, at):
        message.host, at = visible(node[1] or message.host), node.end()
    time = _TIME.match(line, at)
    if time is not None:
        message.unset, message.stamp, message.zone = time[1] == "*", time[2] + (time[4] or ""), time[3] or ""
        at = time.end()
        if time[5]:  # a colon ends the time: network gear, the text follows
            return _tag(line, _skip(line, at + len(time[5])), message)
        at = _skip(line, at)
        at = _host(line, at, message)
    elif uptime := _UPTIME.match(line, at):
        at = uptime.end()
    elif at != start and line[at : at + 1] != "%":
        at = start  # a number and a colon that mean something else
    return _tag(line, at, message)


def _skip(line: str, at: int) -> int:
    while line.startswith(" ", at):
        at += 1
    return at


def _host(line: str, at: int, message: Message) -> int:
    """The host, unless the next word is the tag already (BSD leaves the host out)."""
    if forwarded := _FORWARDED.match(line, at):
        message.host = visible(forwarded[1])
        return forwarded.end()
    if _REPEATED.match(line, at):
        return at
    host = _HOST.match(line, at)
    if host is None or host[1].startswith("%"):
        return at
    message.host = visible(host[1])[:255]
    at = host.end()
    if event := _PROCURVE.match(line, at):
        return event.end()
    return at + 2 if line.startswith(": ", at) else at


def _tag(line: str, at: int, message: Message) -> int:
    if line.startswith("%", at) and (mnemonic := _MNEMONIC.match(line, at)):
        message.app = mnemonic[1]
        return mnemonic.end()
    tag = _TAG.match(line, at)
    if tag is not None and not tag[0].startswith("CEF:"):
        message.app, message.pid = visible(tag[1] or tag[3]), visible(tag[2] or tag[4] or "")
        if message.app.startswith("%"):
            message.app = message.app.lstrip("%")
        return tag.end()
    if message.stamp and line[at + TAG_LIMIT : at + TAG_LIMIT + 1] == " " and " " not in line[at : at + TAG_LIMIT]:
        # rsyslog cuts the tag at 32 characters, and its colon goes too
        message.app = visible(line[at : at + TAG_LIMIT].split("[")[0])
        return at + TAG_LIMIT + 1
    return at


# --- texts that are safe to show -----------------------------------------------------------------------------------

_RSYSLOG = re.compile(r"#01([12])")  # rsyslog writes control characters as # and three octal digits
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def clean(text: str) -> str:
    """A message's text: without the marks of its transport, line ends as they were meant, control characters visible.

    The same words give the same text whether a relay escaped their control characters or not.
    """
    if text.startswith("\ufeff"):
        text = text[1:]
    text = text.strip(" \t\r\n\0")
    if "#01" in text:
        text = _RSYSLOG.sub(lambda found: "\t" if found[1] == "1" else "\n", text).strip(" \t\n")
    return text if text.isprintable() else _HIDDEN.sub(_shown, text.replace("\r\n", "\n"))


def visible(text: str) -> str:
    """A name on one line: as `clean`, and tabs and line ends visible, too."""
    if text.isprintable():
        return text
    return _HIDDEN.sub(_shown, text).replace("\n", "#012").replace("\t", "#011")


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"#{code:03o}" if code < 0x80 else f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


# --- structured data -----------------------------------------------------------------------------------------------

_ELEMENT = re.compile(r'\[([^\s\]="]{1,255})((?:\s+[^\s\]="]{1,255}="(?:[^"\\]|\\.)*+")*+)\s*\]')
_PARAMETER = re.compile(r'([^\s\]="]{1,255})="((?:[^"\\]|\\.)*+)"')
_ESCAPE = re.compile(r'\\(["\\\]])')


def elements(data: str) -> dict[str, dict[str, str]]:
    """Structured data as element → name → value, escapes taken off (RFC 5424, 6.3). What is malformed is left out."""
    found: dict[str, dict[str, str]] = {}
    for element in _ELEMENT.finditer(data):
        values = found.setdefault(visible(element[1]), {})
        for name, value in _PARAMETER.findall(element[2]):
            values[visible(name)] = clean(_ESCAPE.sub(r"\1", value))
    return found
