"""One tree of errors; the message says what to do. HTTP statuses and exit codes are decided at the entrances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """One unmet guard of one rule: what is missing and where to fix it.

    rule: id of the move ("M6") or "A" for a permission; guard: id ("G5") or "role";
    message: a sentence for a person; where: the resource that fixes it, e.g. "resolution", "review".
    """

    rule: str
    guard: str
    message: str
    where: str = ""


class DeskError(Exception):
    """The desk could not do this."""


class BadInput(DeskError):
    """Some fields are wrong; `fields` names each with a sentence."""

    def __init__(self, fields: Mapping[str, str] | str) -> None:
        self.fields: dict[str, str] = dict(fields) if isinstance(fields, Mapping) else {"": fields}
        super().__init__("; ".join(f"{k}: {v}" if k else v for k, v in self.fields.items()))


class NotFound(DeskError):
    """There is no such thing, or it is not yours to see."""


class NotSignedIn(DeskError):
    """Sign in first, or send a valid token."""


class TokenOver(NotSignedIn):
    """The token was a sender's once, and has expired or is revoked. source: whose it was."""

    def __init__(self, message: str, source: str) -> None:
        self.source = source
        super().__init__(message)


class NotAllowed(DeskError):
    """You are known, but this needs another role or scope."""


class Refused(DeskError):
    """A rule refuses the move; `refusals` lists every unmet guard."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        super().__init__("; ".join(f"{r.rule}/{r.guard}: {r.message}" for r in self.refusals))


class Stale(Refused):
    """Somebody changed it meanwhile (G11): reload, look, and try again."""

    def __init__(self, rule: str = "A", message: str = "") -> None:
        text = message or "It was changed meanwhile: reload it, look at the change, then try again."
        super().__init__([Refusal(rule, "G11", text, "version")])


class Conflict(DeskError):
    """Something with this name exists already, or the same key was used for another request."""


class Busy(DeskError):
    """Not now: try again in a moment. Nothing was stored."""


class TooLarge(DeskError):
    """The body is over the limit."""


class FileError(DeskError):
    """A file of the operator's is wrong; names file, line and key, and says what to do."""

    def __init__(self, message: str, file: str = "", line: int | None = None, key: str = "") -> None:
        self.file, self.line, self.key, self.message = file, line, key, message
        place = f"{file}:{line}" if line else file
        super().__init__(": ".join(part for part in (place, key, message) if part))


class ConfigError(DeskError):
    """The configuration does not work; one sentence says what to change."""


class SchemaMismatch(ConfigError):
    """The database's schema is not the program's; the sentence says which of the two is newer and what to run."""
