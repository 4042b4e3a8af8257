"""What the program says when it starts."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from servicedesk import __version__
from servicedesk.config import Config, settings, unknown_variables

if TYPE_CHECKING:
    from servicedesk.services.setup import FirstRun


def greeting(config: Config, first: FirstRun) -> Iterator[str]:
    """Where it is; at the first start the sign-in link, the token and what to paste into alertmanager.yml."""
    kind = "PostgreSQL" if config.database_url.startswith("postgres") else "SQLite"
    yield f"Service desk {__version__} on {kind}, data in {config.data_path}"
    yield f"Pages and API: {config.base_url}"
    if first.signin_path:
        yield ""
        yield f"First admin “{first.admin}”: open this link once, within 24 hours, and set a password:"
        yield f"  {config.base_url}{first.signin_path}"
    if first.ingest_token:
        yield ""
        yield "Token for senders, shown only now:"
        yield f"  {first.ingest_token}"
        yield f"Paste into alertmanager.yml (more tokens: {program()} token create --service NAME --scopes ingest):"
        yield ""
        yield from alertmanager(config.base_url, first.ingest_token)
    if first.signin_path or first.ingest_token:
        yield ""
        yield f"Alone, with nobody to be the second person? {program()} policy solo-mode on"
        yield ""


def program() -> str:
    """How the reader calls this program: by its name where the shell finds it, else by its path."""
    if shutil.which("servicedesk"):
        return "servicedesk"
    beside = Path(sys.executable).with_name("servicedesk")
    if not beside.exists():
        return f"{sys.executable} -m servicedesk"
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)


def alertmanager(base_url: str, token: str) -> tuple[str, ...]:
    """Six lines of an alertmanager.yml that sends everything here."""
    return (
        "route: {receiver: servicedesk}",
        "receivers:",
        "  - name: servicedesk",
        "    webhook_configs:",
        f"      - url: {base_url}/api/v1/receivers/alertmanager",
        f"        http_config: {{authorization: {{credentials: {token}}}}}",
    )


def listening(addresses: Iterable[tuple[str, str, int]]) -> str:
    """Where syslog is received: `udp 127.0.0.1:5514, tcp 127.0.0.1:5514`."""
    shown = ((transport, f"[{host}]" if ":" in host else host, port) for transport, host, port in addresses)
    return ", ".join(f"{transport} {host}:{port}" for transport, host, port in shown) or "nothing listens"


def later(config: Config) -> Iterator[str]:
    """Settings of parts that this release knows but does not have yet, said once."""
    found = [s for s in settings(config) if s.later and s.origin != "default" and s.value]
    if found:
        names = ", ".join(f"{s.name} ({s.origin})" for s in found)
        yield f"Not built yet, so without effect: {names}."


def warnings(config: Config) -> Iterator[str]:
    """What is dangerous about how it listens, and what was set in vain."""
    from servicedesk.web.server import is_public, parse_bind

    if unknown := unknown_variables(config):
        yield f"Warning: there is no such setting: {', '.join(unknown)}. `servicedesk config show` lists them all."

    host, _ = parse_bind(config.http.bind)
    if is_public(host) and not config.http.trusted_proxies and not config.http.base_url.startswith("https://"):
        yield (
            f"Warning: {config.http.bind} is open to other machines without TLS: passwords and tokens can be read on "
            "the way. Put a TLS proxy in front (http.trusted_proxies, http.base_url), or bind to 127.0.0.1."
        )
