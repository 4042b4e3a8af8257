"""The catalogue of playbooks: search, one to read with its statistics, coverage, a trial on an alert, the switch."""

from __future__ import annotations

from typing import Any

from flask import request, url_for

from servicedesk.domain.playbook import Playbook
from servicedesk.errors import BadInput, NotFound
from servicedesk.services import checks, learning, previews
from servicedesk.store.views import alerts
from servicedesk.store.views import checks as check_views
from servicedesk.web import auth
from servicedesk.web.context import desk
from servicedesk.web.i18n import marked

from .blueprint import get, post
from .forms import Form, filled
from .page import need_staff, shell, submit

OFFERED = 50  # alerts that a trial offers


@get("/playbooks")
def playbooks_page() -> str:
    """Every playbook that the words fit, and the files that could not be read."""
    need_staff()
    return _list(Form())


def _list(form: Form) -> str:
    books, text = desk().playbooks, request.args.get("q", "").strip()[:200]
    with desk().read() as tx:
        load = check_views.load(tx)
    data = {"books": learning.search(books.all, text), "all": len(books.all), "errors": books.errors, "load": load}
    data |= {"stopped": checks.stopped(desk()), "form": form, "q": text, "used": learning.used(desk())}
    return shell("playbook/list.html", "playbooks", technology=learning.technology, **data)


@post("/playbooks/stop")
def stop() -> Any:
    """Stop all checks, with a reason that everybody reads."""
    need_staff()
    actor = auth.current_actor()
    return submit(lambda form: checks.stop(desk(), actor, form.value("reason")), _back, _list)


@post("/playbooks/start")
def start() -> Any:
    """Let checks run again."""
    need_staff()
    actor = auth.current_actor()
    return submit(lambda _form: checks.start(desk(), actor), _back, _list)


def _back(_done: None) -> str:
    return url_for("ui.playbooks_page", said="saved", _anchor="checks")


@get("/playbooks/coverage")
def coverage_page() -> str:
    """Alerts without a playbook, the most frequent first; playbooks that nobody needed."""
    need_staff()
    return shell("playbook/coverage.html", "playbooks", c=learning.coverage(desk()), days=learning.DAYS)


@get("/playbooks/<playbook_id>")
def playbook_page(playbook_id: str) -> str:
    """One playbook: what it matches, its steps, what they were good for, its source."""
    need_staff()
    book = _book(playbook_id)
    data = {"used": learning.used(desk()).get(book.id), "steps": learning.steps(desk(), book.id)}
    return shell("playbook/page.html", "playbooks", p=book, days=learning.DAYS, **data)


@get("/playbooks/<playbook_id>/preview")
def preview_page(playbook_id: str) -> str:
    """A trial: choose an alert or write labels, and see what would be asked."""
    need_staff()
    book = _book(playbook_id)
    given = {name: request.args.get(name, "")[:20_000] for name in ("alert", "labels")}
    return _preview(book, filled(given))


@post("/playbooks/<playbook_id>/preview")
def preview(playbook_id: str) -> Any:
    """Ask every check of a playbook for an alert, without a ticket."""
    need_staff()
    book, actor = _book(playbook_id), auth.current_actor()
    return submit(
        lambda form: previews.begin(desk(), actor, book.id, _labels(form)),
        lambda number: url_for("ui.previewed_page", playbook_id=book.id, preview=number),
        lambda form: _preview(book, form),
    )


@get("/playbooks/<playbook_id>/previews/<int:preview>")
def previewed_page(playbook_id: str, preview: int) -> str:
    """What a trial has found so far."""
    need_staff()
    book = _book(playbook_id)
    with desk().read() as tx:
        found = check_views.previewed(tx, preview, book.id)
    if not found:
        raise NotFound("There is no such trial.")
    titles = {s.id: s.title for s in book.steps}
    titles |= {f"verify:{c.id}": c.title for c in (book.verify.checks if book.verify else ())}
    busy = any(one.under_way for one in found)
    return shell("playbook/previewed.html", "playbooks", p=book, found_all=found, titles=titles, busy=busy)


def _preview(book: Playbook, form: Form) -> str:
    names = {c.value for m in book.match for c in m.matchers if c.name == "alertname" and c.op == "="}
    with desk().read() as tx:
        newest = alerts.alerts(tx, alerts.Filter(), limit=OFFERED * 4).items
    fitting = [a for a in newest if a.name in names or book.matches(a.labels, "incident", "", "")]
    offered = [(str(a.id), f"{a.name} · {a.source} · {a.summary}"[:140]) for a in (fitting or newest)[:OFFERED]]
    dry: Any = None
    values = None
    if form.value("alert") or form.value("labels"):
        try:
            _book_again, values, dry = previews.plan(desk(), book.id, _labels(form))
        except BadInput as error:
            form.errors = form.errors or dict(error.fields)
    return shell("playbook/preview.html", "playbooks", p=book, form=form, offered=offered, dry=dry, taken=values)


def _labels(form: Form) -> dict[str, str]:
    """The labels of the chosen alert, or those that were written, one `name=value` a line. Raises BadInput."""
    chosen = form.number("alert")
    if chosen:
        with desk().read() as tx:
            found = alerts.find(tx, chosen)
        if found is None:
            raise BadInput({"alert": marked("There is no such alert.")})
        return found.labels
    lines = [line.strip() for line in form.value("labels").splitlines() if line.strip()]
    pairs = [line.partition("=") for line in lines]
    if any(not equals or not name.strip() for name, equals, _value in pairs):
        raise BadInput({"labels": marked("Write one label a line, as name=value.")})
    return {name.strip(): value.strip() for name, _equals, value in pairs}


def _book(playbook_id: str) -> Playbook:
    book = desk().playbooks.get(playbook_id)
    if book is None:
        raise NotFound("There is no such playbook.")
    return book
