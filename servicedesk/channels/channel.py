"""What a channel is: its name, title and fields, whether the configuration fills them in, and how it sends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from servicedesk.config import Config
from servicedesk.domain.messages import Message


class SendError(Exception):
    """The message did not go out, as far as is known. The text is for the ticket."""


class Temporary(SendError):
    """It may go out later. retry_after: seconds that the receiver asked for; down: nobody is reached by it now."""

    def __init__(self, message: str, retry_after: float | None = None, down: bool = False) -> None:
        super().__init__(message)
        self.retry_after, self.down = retry_after, down


class Permanent(SendError):
    """It will never go out to this target."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to tell somebody.

    fields: keys of the configuration that it reads (forms and docs are drawn from them); personal: needs an address;
    send(config, target, message) answers the provider's id or raises Temporary or Permanent; it never retries.
    """

    name: str
    title: str
    fields: tuple[str, ...]
    personal: bool
    configured: Callable[[Config], bool]
    send: Callable[[Config, str, Message], str]
