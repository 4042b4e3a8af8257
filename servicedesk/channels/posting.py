"""What the channels that post JSON over HTTP share: one careful post, and what its answer means."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from servicedesk import __version__
from servicedesk.channels.channel import Permanent, Temporary
from servicedesk.domain.messages import line

if TYPE_CHECKING:
    import requests

TIMEOUT = 10.0  # seconds, to connect and between two bytes of the answer
MOST = 65_536  # bytes of an answer that are read
_LATER = {408, 425, 429}
_MARKS = re.compile(r"([\\`*_{}\[\]()#+!|<>~])")
_MENTION = re.compile(r"@(?=\w)")


def encode(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def no_mention(text: str) -> str:
    """No @channel of somebody's text wakes a whole room where mentions are read out of plain text."""
    return _MENTION.sub("@\u200b", text)


def escape_markdown(text: str) -> str:
    """Nothing of somebody's text is Markdown, a link, or a mention."""
    return _MARKS.sub(r"\\\1", no_mention(text))


def cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def post(
    what: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    key: str = "",
    timeout: float = TIMEOUT,
    method: str = "POST",
) -> Reply:
    """Post once; answers what a receiver that took it said. Raises Temporary or Permanent.

    what: how messages call the receiver; key: the setting that holds the address.
    """
    import requests  # here, because the desk starts without it

    sent = {"Content-Type": "application/json", "User-Agent": f"servicedesk/{__version__}"} | dict(headers)
    try:
        return _post(what, method, url, body, sent, timeout)
    except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema) as e:
        raise Temporary(f"{key or what} cannot be used: {line(_hidden(str(e), url))}", down=True) from e
    except requests.RequestException as error:
        raise Temporary(f"{what} does not answer: {line(_hidden(_reason(error), url))}", down=True) from error


class Reply:
    """Of a receiver that took the post: status, headers (lower case), and the beginning of the body."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, {k.lower(): v for k, v in headers.items()}, body

    def json(self) -> dict[str, Any]:
        """The body as an object; {} for anything else."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def _post(what: str, method: str, url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> Reply:
    import requests

    with requests.Session() as session:
        session.trust_env = False  # no proxy, no .netrc from the environment
        with session.request(
            method, url, data=body, headers=dict(headers), timeout=timeout, allow_redirects=False, stream=True
        ) as response:
            _judge(what, response)
            return Reply(response.status_code, response.headers, next(response.iter_content(MOST), b""))


def _judge(what: str, response: requests.Response) -> None:
    code = response.status_code
    if 200 <= code < 300:
        return
    if 300 <= code < 400:
        raise Permanent(f"{what} answered {code}: redirects are not followed, configure the address it leads to")
    said = f"{what} answered {code}: {_beginning(response)}"
    if code in _LATER or code >= 500:
        raise Temporary(said, retry_after(response.headers.get("retry-after", ""), datetime.now(UTC)), code == 429)
    raise Permanent(said)


def _beginning(response: requests.Response) -> str:
    """The first words of the answer: it is somebody else's, and may be endless."""
    raw = next(response.iter_content(300), b"")
    return line(raw.decode("utf-8", "replace"), 200)


def retry_after(value: str, now: datetime) -> float | None:
    """Seconds of a Retry-After header (RFC 9110: a number or a date); None when there is none."""
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())


def _reason(error: Exception) -> str:
    """The innermost cause: requests wraps three times, with object addresses in the text."""
    while (inner := error.__cause__ or error.__context__ or getattr(error, "reason", None)) is not None:
        if not isinstance(inner, Exception):
            break
        error = inner
    return str(error) or type(error).__name__


def _hidden(text: str, url: str) -> str:
    """The address of a webhook is a secret: its path is never written on a ticket."""
    path = url.partition("://")[2].partition("/")[2]
    return text.replace(path, "…") if len(path) > 3 else text
