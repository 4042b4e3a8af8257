"""Acting from a message, without opening the desk: the acknowledge link of a mail, the buttons of a chat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from servicedesk.channels import registry
from servicedesk.channels.channel import Channel, Inbound, NotGenuine, Press, SendError
from servicedesk.desk import Desk
from servicedesk.domain.incident import AGENT, Actor, number
from servicedesk.domain.notification import ACKNOWLEDGE
from servicedesk.errors import BadInput, DeskError, NotFound, NotSignedIn
from servicedesk.services.shared import facts as loader
from servicedesk.services.shared import links, owning, talking
from servicedesk.store import people
from servicedesk.store.db import Tx


@dataclass(frozen=True, slots=True)
class Offer:
    """What an acknowledge link would do: for whom, on which ticket; done: it was pressed already."""

    incident_id: int
    name: str
    done: bool


def offer(desk: Desk, secret: str) -> Offer:
    """For the page with one button; looking changes nothing. Raises NotFound: unknown, or expired."""
    with desk.read() as tx:
        row = links.find(tx, secret, ACKNOWLEDGE, used=True)
        return Offer(row.incident_id, links.actor_of(tx, row).name, row.used_at is not None)


def acknowledge_by_link(desk: Desk, secret: str) -> str:
    """Press the button: "taken", "yours" or "noted"; pressed again it changes nothing. Raises NotFound, Refused."""

    def change(tx: Tx) -> str:
        row = links.find(tx, secret, ACKNOWLEDGE, used=True)
        f = loader.load(tx, desk, row.incident_id)
        if not links.spend(tx, row):
            return "yours" if f.owner_id == row.user_id else "noted"
        return owning.acknowledge(tx, desk, f, links.actor_of(tx, row))

    return desk.write(change)


def press(desk: Desk, channel_name: str, headers: Mapping[str, str], body: bytes) -> None:
    """A button was pressed in a chat. The answer goes to who pressed, by the chat.

    Raises NotFound (no such channel), NotSignedIn (not genuine).
    """
    channel, inbound = _inbound(desk, channel_name)
    try:
        inbound.verify(desk.config, headers, body)
    except NotGenuine as error:
        raise NotSignedIn(f"{channel.title}: {error}.") from error
    pressed = inbound.parse(body)
    if pressed is None:
        return
    try:
        said = _act(desk, channel, inbound, pressed)
    except SendError as error:
        said = f"The desk cannot ask {channel.title} who you are: {error}"
    except DeskError as error:
        said = str(error)
    if said:
        _answer(desk, inbound, pressed, said)


def _inbound(desk: Desk, name: str) -> tuple[Channel, Inbound]:
    channel = registry.CHANNELS.get(name)
    if channel is None or channel.inbound is None or not channel.configured(desk.config):
        raise NotFound("There is no such channel, or nothing comes back from it.")
    return channel, channel.inbound


def _act(desk: Desk, channel: Channel, inbound: Inbound, pressed: Press) -> str:
    if pressed.act == "note" and not pressed.text.strip():
        inbound.ask_note(desk.config, pressed)
        return ""
    email = inbound.email_of(desk.config, pressed.user)
    return desk.write(lambda tx: _do(tx, desk, _actor(tx, channel, email), pressed))


def _actor(tx: Tx, channel: Channel, email: str) -> Actor:
    """The one active agent with this address: several, or none, are nobody."""
    found = [row for row in people.users_by_email(tx, email) if row.active] if email else []
    if len(found) != 1:
        raise BadInput(f"Nobody here has the address of your {channel.title} account: an admin sets it.")
    actor = Actor(found[0].id, found[0].name, frozenset(found[0].roles), frozenset({"work"}))
    if not actor.has(AGENT):
        raise BadInput("Only agents may do this.")
    return actor


def _do(tx: Tx, desk: Desk, actor: Actor, pressed: Press) -> str:
    f, shown = loader.load(tx, desk, pressed.incident_id), number(pressed.incident_id)
    if pressed.act == "note":
        talking.say(tx, desk, f, actor, pressed.text[:20_000], public=False)
        return f"{shown}: noted."
    if pressed.act == "take":
        owning.take(tx, desk, f, actor)
        return f"{shown} is yours."
    done = owning.acknowledge(tx, desk, f, actor)
    return f"{shown}: acknowledged." if done == "noted" else f"{shown} is yours."


def _answer(desk: Desk, inbound: Inbound, pressed: Press, text: str) -> None:
    try:
        inbound.answer(desk.config, pressed, text)
    except SendError:
        return  # what was asked is done; that it could not be said there is seen on the ticket
