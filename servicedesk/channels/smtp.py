"""E-mail by SMTP (RFC 5321, 5322): text and HTML, threads by References, marked as automatic (RFC 3834)."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from html import escape

from servicedesk.channels.channel import Channel, Field, Permanent, Temporary
from servicedesk.config import Config, Mail
from servicedesk.domain.messages import Message, line

_POLICY = SMTP.clone(cte_type="7bit")  # nothing is asked of the servers on the way (no 8BITMIME)
_SINGLE = re.compile(r"([^\s@<>()\[\],;:\\\"]{1,64})@([^\s@<>()\[\],;:\\\"]{1,253})")  # no quoted local parts


def build(config: Config, target: str, message: Message) -> EmailMessage:
    """The mail of a message. Raises Permanent when `target` is no single mail address."""
    sender = _sender(config.mail)
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = sender
    to = _address(target)
    mail["To"] = Address(line(message.to, 100), to.username, to.domain)
    mail["Subject"] = line(message.subject)
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{message.id}@{sender.domain}>"
    if message.references:
        mail["In-Reply-To"] = mail["References"] = f"<{message.references}@{sender.domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"  # Exchange's own word for the same
    mail.set_content(text_of(message))
    mail.add_alternative(html_of(message), subtype="html")
    mail["Content-Language"] = message.language  # last: set_content takes Content-* headers for the part's own
    return mail


def text_of(message: Message) -> str:
    """The plain part: facts first."""
    width = max((len(label) for label, _ in message.facts), default=0) + 1
    facts = "\n".join(f"{label + ':':<{width}} {value}" for label, value in message.facts)
    links = f"{message.link_title}:\n{message.link}"
    if message.act_link:
        links = f"{message.act_title}:\n{message.act_link}\n\n{links}"
    parts = (message.lead, facts, message.text, links, f"-- \n{message.footer}")
    return "\n\n".join(part for part in parts if part) + "\n"


def html_of(message: Message) -> str:
    """The HTML part: no images, no scripts, no style but the layout of the facts; everything escaped."""
    rows = "".join(
        f'<tr><td style="padding-right:1em;color:#666">{escape(label)}</td><td><b>{escape(value)}</b></td></tr>'
        for label, value in message.facts
    )
    words = f'<p style="white-space:pre-wrap">{escape(message.text)}</p>' if message.text else ""
    act = f'<p><a href="{escape(message.act_link)}"><b>{escape(message.act_title)}</b></a></p>'
    return (
        f'<!doctype html><html lang="{escape(message.language)}"><head><meta charset="utf-8">'
        f'<title>{escape(message.subject)}</title></head><body style="font-family:sans-serif">'
        f"<p>{escape(message.lead)}</p><table>{rows}</table>{words}{act if message.act_link else ''}"
        f'<p><a href="{escape(message.link)}">{escape(message.link_title)}</a></p>'
        f'<p style="color:#666;font-size:small">{escape(message.footer)}</p></body></html>\n'
    )


def send(config: Config, target: str, message: Message) -> str:
    """Hand the mail to the configured server; answers what the server calls it. Raises Temporary or Permanent."""
    mail = build(config, target, message)
    with _connected(config.mail) as server:
        return _deliver(server, mail, _sender(config.mail).addr_spec, _address(target).addr_spec)


@contextmanager
def _connected(settings: Mail) -> Iterator[smtplib.SMTP]:
    """A greeted (and authenticated) connection; every trouble of the connection itself is temporary."""
    try:
        server = _greet(settings)
    except OSError as error:  # smtplib's exceptions are OSErrors too
        raise Temporary(f"{settings.host}:{settings.port}: {_said(error)}", down=True) from error
    try:
        yield server
    except OSError as error:
        raise Temporary(f"{settings.host}:{settings.port}: {_said(error)}", down=True) from error
    finally:
        with suppress(OSError):  # what was accepted stays accepted, whatever becomes of the goodbye
            server.quit()
        server.close()


def _greet(settings: Mail) -> smtplib.SMTP:
    own_name = socket.gethostname()  # given, because smtplib would ask the DNS for it
    context = ssl.create_default_context()
    server: smtplib.SMTP
    if settings.security == "tls":
        server = smtplib.SMTP_SSL(settings.host, settings.port, own_name, timeout=settings.timeout, context=context)
    else:
        server = smtplib.SMTP(settings.host, settings.port, own_name, timeout=settings.timeout)
    try:
        if settings.security == "starttls":
            server.starttls(context=context)
        if settings.username:
            server.login(settings.username, settings.password)
        server.ehlo_or_helo_if_needed()
    except BaseException:
        server.close()
        raise
    return server


def _deliver(server: smtplib.SMTP, mail: EmailMessage, sender: str, target: str) -> str:
    """MAIL, RCPT, DATA one by one: smtplib's `send_message` keeps the server's last answer to itself."""
    unicode_needed = not (sender + target).isascii()
    if unicode_needed and not server.has_extn("smtputf8"):
        raise Permanent(f"{target}: the mail server cannot send to such an address (no SMTPUTF8)")
    options = ["SMTPUTF8", "BODY=8BITMIME"] if unicode_needed else []
    body = mail.as_bytes(policy=_POLICY.clone(utf8=True) if unicode_needed else _POLICY)
    code, answer = server.mail(sender, options)
    if code >= 400:  # the sender's address is the configuration's: to be set right, then all goes out
        raise Temporary(f"the sender {sender} is refused: {code} {_words(answer)}", down=True)
    _judge(*server.rcpt(target))
    try:
        code, answer = server.data(body)
    except smtplib.SMTPDataError as error:  # refused before the text was sent
        _judge(error.smtp_code, error.smtp_error)
        raise
    _judge(code, answer)
    return _words(answer)


def _judge(code: int, answer: bytes | str) -> None:
    if code == 421:  # the service closes (RFC 5321, 3.8): not about this recipient
        raise Temporary(f"{code} {_words(answer)}", down=True)
    if 400 <= code < 500:
        raise Temporary(f"{code} {_words(answer)}")
    if code >= 500:
        raise Permanent(f"{code} {_words(answer)}")


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_words(error.smtp_error)}"
    return line(str(error) or type(error).__name__)


def _words(answer: bytes | str) -> str:
    return line(answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer, 300)


def _address(target: str) -> Address:
    """A single mail address and nothing else; a domain beyond ASCII in its IDNA form."""
    found = _SINGLE.fullmatch(target.strip())
    if found is None or line(target) != target.strip():
        raise Permanent(f"{line(target, 100)!r} is no mail address")
    try:
        domain = found[2].encode("idna").decode("ascii")
    except UnicodeError as error:
        raise Permanent(f"{line(target, 100)!r} is no mail address: {error}") from error
    return Address(username=found[1], domain=domain)


def _sender(settings: Mail) -> Address:
    """mail.sender, written `desk@example.org` or `Service desk <desk@example.org>`."""
    name, spec = parseaddr(settings.sender)
    try:
        return Address(line(name, 100), addr_spec=spec)
    except (ValueError, IndexError) as error:
        raise Temporary(f"mail.sender {settings.sender!r} is no mail address", down=True) from error


CHANNEL = Channel(
    name="email",
    title="E-mail",
    fields=(
        Field("mail.host", "Server", required=True),
        Field("mail.port", "Port", "number"),
        Field("mail.security", "Encryption", "choice"),
        Field("mail.username", "User"),
        Field("mail.password", "Password", "secret"),
        Field("mail.sender", "Sender", required=True),
    ),
    personal=True,
    configured=lambda config: bool(config.mail.host),
    send=send,
)
