"""The playbooks as they are now: the list with what is wrong in the files, one to read; the switch of all checks."""

from __future__ import annotations

from typing import Any

from flask import url_for

from servicedesk.errors import NotFound
from servicedesk.services import checks
from servicedesk.store.views import checks as check_views
from servicedesk.web import auth
from servicedesk.web.context import desk

from .blueprint import get, post
from .forms import Form
from .page import need_staff, shell, submit


@get("/playbooks")
def playbooks_page() -> str:
    """Every playbook, and the files that could not be read."""
    need_staff()
    return _list(Form())


def _list(form: Form) -> str:
    books = desk().playbooks
    with desk().read() as tx:
        load = check_views.load(tx)
    stopped = checks.stopped(desk())
    data = {"books": books.all, "errors": books.errors, "load": load, "stopped": stopped, "form": form}
    return shell("playbook/list.html", "playbooks", **data)


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


@get("/playbooks/<playbook_id>")
def playbook_page(playbook_id: str) -> str:
    """One playbook: what it matches, its steps, its source."""
    need_staff()
    book = desk().playbooks.get(playbook_id)
    if book is None:
        raise NotFound("There is no such playbook.")
    return shell("playbook/page.html", "playbooks", p=book)
