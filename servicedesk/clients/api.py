"""Asking the programs of the monitoring, whose addresses are configured and so trusted: JSON over HTTP, with limits.

No proxy, no .netrc, nothing else from the environment; credentials are sent and never said.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import requests

from servicedesk import __version__
from servicedesk.config import Api

MAX_ANSWER = 16 << 20


class Unanswered(Exception):
    """The program did not answer, or not as it should; the sentence says how. status: of its HTTP answer, or 0."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


def call(
    api: Api,
    method: str,
    path: str,
    timeout: float,
    *,
    params: Any = None,
    data: Mapping[str, str] | None = None,
    body: Any = None,
) -> Any:
    """One request; answers the JSON, None for an empty answer. Raises Unanswered.

    params: of the address; data: a form; body: JSON. timeout: seconds for all of it.
    """
    if not api.url:
        raise Unanswered("its address is not configured")
    end = time.monotonic() + timeout
    with requests.Session() as session:
        session.trust_env = False
        session.verify = api.ca_file or True
        try:
            with session.request(
                method,
                api.url.rstrip("/") + path,
                params=params,
                data=data,
                json=body,
                headers=_headers(api),
                auth=(api.username, api.password) if api.username else None,
                timeout=timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                raw = _limited(response, end)
        except requests.RequestException as error:
            raise Unanswered(_reason(error)) from error
    return _read(response.status_code, raw)


def _headers(api: Api) -> dict[str, str]:
    headers = {"User-Agent": f"servicedesk/{__version__}", "Accept": "application/json"}
    if api.token:
        headers["Authorization"] = f"Bearer {api.token}"
    if api.tenant:
        headers["X-Scope-OrgID"] = api.tenant
    return headers


def _limited(response: requests.Response, end: float) -> bytes:
    found = bytearray()
    for part in response.iter_content(65536):
        found += part
        if len(found) > MAX_ANSWER:
            raise Unanswered(f"its answer is larger than {MAX_ANSWER >> 20} MiB")
        if time.monotonic() > end:
            raise Unanswered("its answer took too long")
    return bytes(found)


def _read(status: int, raw: bytes) -> Any:
    try:
        told = json.loads(raw) if raw.strip() else None
    except ValueError:
        told = raw.decode("utf-8", "replace")[:200]
        if status < 300:
            raise Unanswered("its answer is no JSON: is the address right?", status) from None
    if status >= 300:
        raise Unanswered(f"it answered {status}: {_said(told)}", status)
    return told


def _said(told: Any) -> str:
    if isinstance(told, dict):
        told = told.get("error") or told.get("message") or told
    return " ".join(str(told).split())[:300]


def _reason(error: requests.RequestException) -> str:
    """In words of our own: the library's hold the address, in which somebody may have put a password."""
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.ReadTimeout):
        return "it did not answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted (see ca_file), or TLS failed"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "it cannot be reached"
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
        return "its configured address is no http or https address"
    return type(error).__name__
