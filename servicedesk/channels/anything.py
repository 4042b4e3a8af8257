"""Everything else through Apprise (the extra `notify`): Telegram, SMS, ntfy, Matrix, Signal, Pushover, Discord, …

Apprise answers yes or no and nothing more, so there is no id of the provider. Its addresses are allow-listed by scheme:
it also knows local ones (syslog, a desktop, a program to run) that have no business here.
"""

from __future__ import annotations

from servicedesk.channels.channel import Channel, Field, Permanent, Temporary, named_places, place
from servicedesk.config import Config
from servicedesk.domain.messages import Message

# fmt: off
SCHEMES = frozenset((
    "atalk", "bulksms", "burstsms", "clickatell", "clicksend", "d7sms", "discord", "flock", "freemobile",
    "gchat", "goalert", "goalerts", "gotify", "gotifys", "hassio", "hassios", "httpsms", "ilert", "infobip",
    "jsons", "kavenegar", "line", "mastodons", "matrix", "matrixs", "mmost", "mmosts", "msg91", "msgbird",
    "nctalk", "nctalks", "ncloud", "nclouds", "ntfy", "ntfys", "octopush", "onesignal", "opsgenie", "pagerduty",
    "pagertree", "pbul", "plivo", "pover", "prowl", "pushed", "pushy", "rocket", "rockets", "seven", "sfr",
    "signal", "signals", "signl4", "sinch", "slack", "smseagle", "smseagles", "sns", "spike", "splunk",
    "squadcast", "telnyx", "tgram", "threema", "twilio", "victorops", "voipms", "vonage", "webex", "wecombot",
    "whatsapp", "workflows", "wxteams", "xmls", "zulip",
))
# fmt: on


def text_of(message: Message) -> str:
    """Short: many of these are read on a watch, or paid by the letter."""
    facts = [f"{label}: {value}" for label, value in message.facts[:3]]
    links = [message.act_link] if message.act_link else []
    return "\n".join([*facts, *links, message.link])


def send(config: Config, target: str, message: Message) -> str:
    """Hand it to the service that `target` names. Raises Temporary or Permanent."""
    try:
        import apprise
    except ModuleNotFoundError as error:
        raise Temporary("Apprise is not installed: pip install 'servicedesk[notify]'", down=True) from error
    url = place("apprise", config.apprise.urls, target)
    scheme = url.partition(":")[0].lower()
    if scheme not in SCHEMES:
        raise Permanent(f"apprise.urls: the scheme {scheme[:30]!r} is not allowed")
    service = apprise.Apprise(asset=apprise.AppriseAsset(app_id="Service desk", secure_logging=True))
    if not service.add(url):
        raise Permanent(f"apprise.urls: {target} is no address that Apprise understands")
    if not service.notify(title=message.subject, body=text_of(message), body_format=apprise.NotifyFormat.TEXT):
        raise Temporary(f"{scheme} did not take it (Apprise does not say why)")
    return scheme


CHANNEL = Channel(
    name="apprise",
    title="Apprise (Telegram, SMS and others)",
    fields=(Field("apprise.urls", "Addresses", "places", required=True),),
    personal=False,
    configured=lambda config: bool(config.apprise.urls),
    send=send,
    places=lambda config: tuple(named_places("apprise", config.apprise.urls)),
)
