"""A review as Markdown, and as a page that stands alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from markupsafe import escape

from servicedesk.domain.incident import number
from servicedesk.domain.review import FIELDS, TIMES, Field
from servicedesk.store.views.gates import ActionItem
from servicedesk.store.views.reviews import Review

from .markdown import render_guide


def markdown(review: Review, title: str, actions: tuple[ActionItem, ...]) -> str:
    """Every field of the review. title: of the ticket; actions: its action items."""
    lines = [f"# Review of {_line(f'{number(review.incident_id)}: {title}')}", "", *_head(review), ""]
    for field in FIELDS:
        text = _field(field, review.body.get(field.name))
        if text:
            lines += [f"## {field.title}", "", text, ""]
    lines += _actions(actions)
    return "\n".join(lines).rstrip() + "\n"


def html(text: str) -> str:
    """The Markdown as a page: sanitised, without script and without anything from elsewhere."""
    body = render_guide(text)
    title = escape(text.split("\n", 1)[0].removeprefix("# "))
    return f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n{body}</html>\n'


def _head(review: Review) -> Iterator[str]:
    yield f"- Version {review.version}, cycle {review.cycle}, depth {review.depth}: {review.status.replace('_', ' ')}"
    if review.author:
        yield f"- Author: {_line(review.author)}"
    for approval in review.approvals:
        note = " (self-reviewed)" if approval.self_reviewed else ""
        yield f"- Approved by {_line(approval.actor)} at {approval.at:%Y-%m-%d %H:%M} UTC{note}"
    if review.waiver_reason:
        yield f"- Waived by {_line(review.waived_by)}: {_line(review.waiver_reason)}"


def _field(field: Field, value: Any) -> str:
    if field.kind == "times" and isinstance(value, dict):
        return "\n".join(_time(name, value[name]) for name in TIMES if value.get(name))
    if field.kind == "factors" and isinstance(value, list):
        return "\n".join(f"- {_line(f.get('kind'))}: {_line(f.get('text'))}" for f in value if isinstance(f, dict))
    return str(value).strip() if value else ""


def _time(name: str, value: Any) -> str:
    told = value if isinstance(value, dict) else {"at": value}
    by = f", estimated by {_line(told.get('by'))}" if told.get("from") == "estimated" else ""
    return f"- {name.replace('_', ' ')}: {_line(told.get('at'))}{by}"


def _actions(items: tuple[ActionItem, ...]) -> list[str]:
    if not items:
        return []
    lines = [f"- [{'x' if a.status == 'done' else ' '}] {_line(a.title)} ({_about(a)})" for a in items]
    return ["## Action items", "", *lines]


def _about(a: ActionItem) -> str:
    due = f"due {a.due_at:%Y-%m-%d}" if a.due_at else "no date"
    parts = (a.type or "no type", a.owner or "no owner", due, a.status.replace("_", " "))
    return ", ".join(_line(part) for part in parts)


def _line(text: Any) -> str:
    """One line of Markdown that means itself."""
    return " ".join(str(text if text is not None else "").split()).replace("<", "&lt;")
