"""A form as a person sees it: what was typed, what is wrong with it, and which rules refuse it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from servicedesk.errors import BadInput, Conflict, DeskError, NotAllowed, Refusal, Refused
from servicedesk.web.i18n import gettext as _
from servicedesk.web.ui.filters import zone


@dataclass(slots=True)
class Form:
    """values: as typed; errors: field → sentence ("" for the whole form); ticket: the number of the one it is about."""

    values: Mapping[str, str] = field(default_factory=dict)
    version: int | None = None
    ticket: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()
    headline: str = ""
    place: str = ""  # before the ids of its fields, where a page holds more than one form

    def value(self, name: str) -> str:
        return self.values.get(name, "")

    def has(self, name: str) -> bool:
        return name in self.values

    def flag(self, name: str) -> bool:
        return bool(self.values.get(name))

    def number(self, name: str) -> int | None:
        """A whole number, None when nothing is given. Raises BadInput."""
        text = self.value(name).strip()
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise BadInput({name: "This is not a number."})
        return int(text)

    def at(self, name: str) -> datetime | None:
        """A date or a date with a time, in the zone of the pages; None when empty. Raises BadInput."""
        text = self.value(name).strip()
        if not text:
            return None
        try:
            return datetime.fromisoformat(text).replace(tzinfo=zone())
        except ValueError as error:
            raise BadInput({name: "This is not a date."}) from error

    def failed(self, error: DeskError) -> int:
        """Keep what went wrong beside what was typed; answers the HTTP status."""
        if isinstance(error, BadInput):
            self.errors = dict(error.fields)
            return 422
        if isinstance(error, Refused):
            self.refusals = error.refusals
            if any(r.guard == "G11" for r in error.refusals):
                self.headline = _("Somebody changed it meanwhile")
            if all(r.guard == "G11" for r in error.refusals):
                return 412
            return 409
        self.errors = {"": str(error)}
        return 403 if isinstance(error, NotAllowed) else 409


def typed(data: Mapping[str, str], ticket: str = "") -> Form:
    """The form that was sent; `version` is the row version that the person saw (G11)."""
    seen = data.get("version", "")
    values = {
        name: value.replace("\r\n", "\n") for name, value in data.items() if name not in ("csrf_token", "version")
    }
    return Form(values, int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 10 else None, ticket)


def filled(values: Mapping[str, Any] | None = None, version: int | None = None, ticket: str = "") -> Form:
    """A form to begin with."""
    given = {name: "" if value is None else str(value) for name, value in (values or {}).items()}
    return Form(given, version, ticket)


SHOWN_IN_FORM = (BadInput, Refused, Conflict, NotAllowed)
