"""The playbooks as they are now: the list with what is wrong in the files, and one playbook to read."""

from __future__ import annotations

from servicedesk.errors import NotFound
from servicedesk.web.context import desk

from .blueprint import get
from .page import need_staff, shell


@get("/playbooks")
def playbooks_page() -> str:
    """Every playbook, and the files that could not be read."""
    need_staff()
    books = desk().playbooks
    return shell("playbook/list.html", "playbooks", books=books.all, errors=books.errors)


@get("/playbooks/<playbook_id>")
def playbook_page(playbook_id: str) -> str:
    """One playbook: what it matches, its steps, its source."""
    need_staff()
    book = desk().playbooks.get(playbook_id)
    if book is None:
        raise NotFound("There is no such playbook.")
    return shell("playbook/page.html", "playbooks", p=book)
