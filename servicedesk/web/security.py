"""Headers on every answer: nothing from elsewhere, no frames, no sniffing, no inline script."""

from __future__ import annotations

from flask import Flask, Response, request

from .context import desk

POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
YEAR = 365 * 24 * 3600


def register(app: Flask) -> None:
    app.after_request(_headers)


def _headers(response: Response) -> Response:
    if "Content-Security-Policy" not in response.headers:
        response.headers.extend(HEADERS)
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    if desk().config.base_url.startswith("https://"):  # never on plain http: it would lock people out
        response.headers.setdefault("Strict-Transport-Security", f"max-age={YEAR}")
    return response
