"""Believes X-Forwarded-* of the configured proxies, and of nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from servicedesk.errors import ConfigError

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
FORWARDED = "servicedesk.forwarded"
"""Set in the environ of a request that some proxy, trusted or not, passed on."""
_HEADERS = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED")


def behind(application: Wsgi, trusted: Iterable[str]) -> Wsgi:
    """The application behind these proxies (addresses or networks). Raises ConfigError for one that is neither."""
    networks = tuple(_network(text) for text in trusted)

    def call(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if any(name in environ for name in _HEADERS):
            environ[FORWARDED] = True
        if _within(environ.get("REMOTE_ADDR", ""), networks):
            _believe(environ, networks)
        else:
            for name in _HEADERS:
                environ.pop(name, None)
        return application(environ, start)

    return call


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError as error:
        raise ConfigError(f"http.trusted_proxies: {text!r} is not an address or network such as 10.0.0.0/8") from error


def _within(address: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed.version == n.version and parsed in n for n in networks)


def _believe(environ: dict[str, Any], networks: tuple[IPv4Network | IPv6Network, ...]) -> None:
    hops = [h.strip() for h in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if h.strip()]
    client = next((hop for hop in reversed(hops) if not _within(hop, networks)), None)
    if client:
        environ["REMOTE_ADDR"] = client  # the last hop that is none of ours; what stands before it anybody can write
    scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").split(",")[-1].strip()
    if scheme in ("http", "https"):
        environ["wsgi.url_scheme"] = scheme
    host = environ.get("HTTP_X_FORWARDED_HOST", "").split(",")[-1].strip()
    if host:
        environ["HTTP_HOST"] = host
