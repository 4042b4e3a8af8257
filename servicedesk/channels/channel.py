"""What a channel is: its name, title and fields, whether the configuration fills them in, and how it sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from servicedesk.config import Config, Setting, settings
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


class NotGenuine(Exception):
    """What came in is not from whom it says, or too old: nothing of it is believed."""


@dataclass(frozen=True, slots=True)
class Field:
    """A key of the configuration that a channel reads. kind: text, secret, address, number, choice or places.

    The sentence about it (help) is the configuration's own; pages, documents and the CLI show both.
    """

    key: str
    title: str
    kind: str = "text"
    required: bool = False

    @property
    def secret(self) -> bool:
        return self.kind in ("secret", "places")

    def help(self, config: Config) -> Setting:
        """Its sentence, its present value (masked where it is secret), and where that came from."""
        return next(s for s in settings(config) if s.name == self.key)


@dataclass(frozen=True, slots=True)
class Press:
    """Somebody pressed a button in the chat. act: acknowledge, take or note; answer: where an answer goes."""

    act: str
    incident_id: int
    user: str
    text: str = ""
    answer: str = ""
    trigger: str = ""


@dataclass(frozen=True, slots=True)
class Inbound:
    """What comes back from a chat. verify raises NotGenuine; parse answers None for what is no business of ours."""

    verify: Callable[[Config, Mapping[str, str], bytes], None]
    parse: Callable[[bytes], Press | None]
    email_of: Callable[[Config, str], str]
    answer: Callable[[Config, Press, str], None]
    ask_note: Callable[[Config, Press], None]


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to tell somebody.

    fields: what it reads of the configuration; personal: needs an address, else it posts to one of its `places` (the
    first one, unless the target names another); updates: can change a message that it has sent;
    send(config, target, message) answers the provider's id or raises Temporary or Permanent; it never retries.
    """

    name: str
    title: str
    fields: tuple[Field, ...]
    personal: bool
    configured: Callable[[Config], bool]
    send: Callable[[Config, str, Message], str]
    places: Callable[[Config], tuple[str, ...]] = lambda _config: ()
    updates: bool = False
    inbound: Inbound | None = None


def named_places(channel: str, entries: tuple[str, ...]) -> dict[str, str]:
    """`name: address` entries by name; an entry without a name takes the channel's. The first is the default."""
    found: dict[str, str] = {}
    for entry in entries:
        name, mark, address = entry.partition(": ")
        key, value = (name.strip(), address.strip()) if mark else (channel, entry.strip())
        if value:
            found.setdefault(key, value)
    return found


def place(channel: str, entries: tuple[str, ...], target: str) -> str:
    """The address that `target` names: a place's name, or the channel's own for the first. Raises Permanent."""
    found = named_places(channel, entries)
    if target in found:
        return found[target]
    if target == channel and found:
        return next(iter(found.values()))
    raise Permanent(f"{channel} has no place {target!r} any more; there are: {', '.join(found) or 'none'}")
