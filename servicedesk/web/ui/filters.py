"""What templates may ask for besides their data: times, initials, links of alerts, icons, static files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from flask import Flask, url_for
from markupsafe import Markup

from servicedesk.domain.checks import number
from servicedesk.web import i18n, markdown
from servicedesk.web.context import desk
from servicedesk.web.i18n import gettext as _
from servicedesk.web.i18n import marked

STATIC = Path(__file__).resolve().parents[1] / "static"
MONTHS = (
    marked("Jan"), marked("Feb"), marked("Mar"), marked("Apr"), marked("May"), marked("Jun"),
    marked("Jul"), marked("Aug"), marked("Sep"), marked("Oct"), marked("Nov"), marked("Dec"),
)  # fmt: skip
_STEPS = ((60, 1, marked("just now")), (3600, 60, marked("%(n)s min")), (172_800, 3600, marked("%(n)s h")))
_DAYS = marked("%(n)s d")


def zone() -> ZoneInfo:
    """Times are shown in the organisation's zone, so that people who talk on the phone mean the same."""
    return ZoneInfo(desk().policy.calendar.timezone)


def duration(seconds: float) -> str:
    """A length of time in its largest unit: "3 h"."""
    for below, unit, text in _STEPS:
        if seconds < below:
            return _(text) % {"n": int(seconds // unit)}
    return _(_DAYS) % {"n": int(seconds // 86_400)}


def ago(at: datetime | None) -> Markup | str:
    """How long since (or until) an instant, the instant itself in the tooltip."""
    if at is None:
        return ""
    seconds = (desk().now() - at).total_seconds()
    return _time(at, duration(abs(seconds)))


def clock(at: datetime | None) -> Markup | str:
    """The time of day, with the date unless it is today, and the year unless it is this one."""
    if at is None:
        return ""
    here, today = at.astimezone(zone()), desk().now().astimezone(zone())
    text = here.strftime("%H:%M")
    if here.date() != today.date():
        text = f"{day(here.date().isoformat(), year=here.year != today.year)} {text}"
    return _time(at, text)


def seconds(value: float) -> str:
    """A short length of time, as plots write it: "35 ms", "2.5 s"."""
    return number(round(value, 3), "seconds")


def _time(at: datetime, text: str) -> Markup:
    return Markup('<time datetime="{}" title="{}">{}</time>').format(iso(at), full(at), text)


def iso(at: datetime) -> str:
    """RFC 3339 in UTC, for machines."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def full(at: datetime) -> str:
    """Everything about an instant, for tooltips."""
    here = at.astimezone(zone())
    return f"{day(here.date().isoformat(), year=True)} {here.strftime('%H:%M:%S %Z')}"


def hm(at: datetime) -> str:
    return at.astimezone(zone()).strftime("%H:%M")


def local_input(at: datetime | None) -> str:
    """For <input type="datetime-local">, in the zone of the pages."""
    return "" if at is None else at.astimezone(zone()).strftime("%Y-%m-%dT%H:%M")


def day(text: str, year: bool = True) -> str:
    """ "2026-11-21" → "21 Nov 2026", in the reader's language."""
    y, m, d = text.split("-")
    return f"{int(d)} {_(MONTHS[int(m) - 1])}" + (f" {y}" if year else "")


def by_day(entries: Iterable[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Timeline entries under their days, in the order given."""
    for date, group in groupby(entries, lambda e: e.at.astimezone(zone()).date().isoformat()):
        yield day(date), list(group)


def initials(name: str) -> str:
    """Two letters for a round mark."""
    parts = [p for p in name.replace(".", " ").replace("-", " ").replace("_", " ").split() if p[0].isalnum()]
    if not parts:
        return "?"
    return (parts[0][0] + parts[-1][0] if len(parts) > 1 else parts[0][:2]).upper()


@dataclass(frozen=True, slots=True)
class AlertLink:
    href: str
    text: str
    icon: str


def alert_links(alert: Any) -> list[AlertLink]:
    """Where an alert points: only http(s) addresses become links, whatever the sender wrote."""
    notes = alert.annotations
    wanted = (
        (notes.get("runbook_url", ""), _("Runbook"), "book-open"),
        (notes.get("dashboard_url") or notes.get("dashboard", ""), _("Dashboard"), "activity"),
        (notes.get("logs_url") or notes.get("logs", ""), _("Logs"), "server"),
        (alert.generator_url, _("Query in the monitor"), "external-link"),
    )
    return [AlertLink(href, text, icon) for href, text, icon in wanted if is_web_address(href)]


def is_web_address(text: str) -> bool:
    """An absolute http or https address without tricks."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and "\\" not in text


def icon(name: str) -> Markup:
    """An icon of the sprite; it says nothing to a screen reader: a word stands beside it."""
    href = f"{static('vendor/icons.svg')}#{name}"
    return Markup('<svg class="icon" aria-hidden="true" focusable="false"><use href="{}"></use></svg>').format(href)


def logo() -> Markup:
    return Markup('<svg viewBox="0 0 32 32" aria-hidden="true" focusable="false"><use href="{}"></use></svg>').format(
        f"{static('logo.svg')}#logo"
    )


def static(path: str, stamped: bool = True) -> str:
    """A static file's address; its content's hash lets browsers keep it for ever."""
    return url_for("static", filename=path, v=_stamp(path)) if stamped else url_for("static", filename=path)


@lru_cache(maxsize=256)
def _stamp(path: str) -> str:
    return hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:12]


def prepare(app: Flask) -> None:
    i18n.prepare(app)
    app.jinja_env.filters.update(
        ago=ago, clock=clock, iso=iso, full=full, hm=hm, by_day=by_day, initials=initials, links=alert_links,
        markdown=markdown.render,
        guide=markdown.render_guide, seconds=seconds, local_input=local_input,
    )  # fmt: skip
    app.jinja_env.globals.update(icon=icon, logo=logo, static=static)
