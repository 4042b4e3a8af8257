"""The e-mail channel against a real mail server."""

import shutil
import ssl
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from servicedesk.channels.channel import Permanent, Temporary
from servicedesk.channels.registry import CHANNELS
from servicedesk.config import Config, Mail
from servicedesk.domain.messages import Message
from tests.support import missing
from tests.support.server import free_port
from tests.told.receivers import Mailbox

HOSTILE = "x\r\nBcc: all@example.org\r\n\r\n<script>alert(1)</script>\x00\u202e end"
MESSAGE = Message(
    id="0123456789abcdef",
    at=datetime(2026, 11, 2, 9, 0, tzinfo=UTC),
    event="opened",
    number="INC-42",
    subject="[INC-42] P1 New: Checkout is down",
    lead="A new ticket of priority P1 waits for somebody to take it.",
    facts=(("What", "Checkout is down"), ("Where", "checkout · eu-1"), ("Since", "2026-11-02 09:00 UTC")),
    text="",
    link="http://127.0.0.1:8080/incidents/42",
    link_title="Open INC-42",
    footer="Sent by the service desk.",
    language="en",
    to="Zoë Müller",
)


def send(mail: Mail, target: str = "zoe@example.org", message: Message = MESSAGE) -> str:
    return CHANNELS["email"].send(Config(mail=mail), target, message)


@pytest.mark.feature("N1")
def test_a_mail_has_what_a_woken_person_needs_first(mailbox: Mailbox) -> None:
    assert send(mailbox.settings()) == "2.0.0 Ok: queued as 4X1"  # the server's own name for it
    ((recipients, mail),) = mailbox.received
    assert recipients == ["zoe@example.org"]
    assert mail["From"] == "Desk <desk@example.org>"
    assert mail["To"] == "Zoë Müller <zoe@example.org>"
    assert mail["Subject"] == "[INC-42] P1 New: Checkout is down"
    assert mail["Message-ID"] == "<0123456789abcdef@example.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"] == "Mon, 02 Nov 2026 09:00:00 +0000"
    assert mail["References"] is None
    text = mail.get_body(("plain",))
    assert text is not None
    assert text.get_content().replace("\r\n", "\n") == (
        "A new ticket of priority P1 waits for somebody to take it.\n\n"
        "What:  Checkout is down\nWhere: checkout · eu-1\nSince: 2026-11-02 09:00 UTC\n\n"
        "Open INC-42:\nhttp://127.0.0.1:8080/incidents/42\n\n-- \nSent by the service desk.\n"
    )
    assert mailbox.raw[0].isascii()  # nothing is asked of the servers on the way


def test_later_mails_of_a_ticket_hang_below_the_first(mailbox: Mailbox) -> None:
    send(mailbox.settings(), message=replace(MESSAGE, references="feed"))
    (mail,) = mailbox.mails
    assert mail["References"] == mail["In-Reply-To"] == "<feed@example.org>"


def test_hostile_text_never_becomes_a_header_or_markup(mailbox: Mailbox) -> None:
    facts = (("What", HOSTILE), ("Where", '"><img src=x onerror=alert(1)>'))
    hostile = replace(MESSAGE, subject=HOSTILE * 20, lead=HOSTILE, facts=facts, text=HOSTILE, to=HOSTILE)
    send(mailbox.settings(), message=hostile)
    ((recipients, mail),) = mailbox.received
    assert recipients == ["zoe@example.org"]
    assert mail["Bcc"] is None
    assert set(mail.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress"),
        *("Content-Language", "MIME-Version", "Content-Type"),
    }
    assert [to.addr_spec for to in mail["To"].addresses] == ["zoe@example.org"]
    html = mail.get_body(("html",))
    assert html is not None
    assert "<script" not in html.get_content()
    assert "<img" not in html.get_content()
    assert "&lt;script&gt;" in html.get_content()


@pytest.mark.parametrize(
    "target",
    [
        "",
        "nobody",
        "a@",
        "@example.org",
        "a@example.org, b@example.org",
        "a@example.org\r\nBcc: b@example.org",
        "<a@b>",
    ],
)
def test_what_is_no_single_address_is_given_up_without_asking_the_server(mailbox: Mailbox, target: str) -> None:
    with pytest.raises(Permanent, match="is no mail address"):
        send(mailbox.settings(), target)
    assert mailbox.connections == 0


def test_addresses_beyond_ascii_go_out_where_the_server_can(mailbox: Mailbox) -> None:
    send(mailbox.settings(), "zoë@exämple.org")
    assert mailbox.received[0][0] == ["zoë@xn--exmple-cua.org"]


def test_451_is_tried_again_and_is_about_this_recipient_only(mailbox: Mailbox) -> None:
    mailbox.answers["zoe@example.org"] = "451 4.7.1 Greylisted, try again"
    with pytest.raises(Temporary, match=r"451 4.7.1 Greylisted") as caught:
        send(mailbox.settings())
    assert not caught.value.down


def test_550_is_for_good(mailbox: Mailbox) -> None:
    mailbox.answers["zoe@example.org"] = "550 5.1.1 No such user"
    with pytest.raises(Permanent, match=r"550 5.1.1 No such user"):
        send(mailbox.settings())


@pytest.mark.parametrize(
    ("answer", "error", "down"),
    [
        ("452 4.3.1 Full", Temporary, False),
        ("421 4.3.2 Shutting down", Temporary, True),
        ("554 5.7.1 Looks like spam", Permanent, None),
    ],
)
def test_what_the_server_says_to_the_text(
    mailbox: Mailbox, answer: str, error: type[Exception], down: bool | None
) -> None:
    mailbox.data_answer = answer
    with pytest.raises(error, match=answer[:9]) as caught:
        send(mailbox.settings())
    assert getattr(caught.value, "down", None) == down


def test_a_refused_sender_is_the_configurations_fault_and_kills_no_notice(mailbox: Mailbox) -> None:
    mailbox.sender_answer = "550 5.1.0 Sender rejected"
    with pytest.raises(Temporary, match=r"sender desk@example\.org is refused: 550") as caught:
        send(mailbox.settings())
    assert caught.value.down


def test_a_sender_that_is_no_address_kills_no_notice() -> None:
    with pytest.raises(Temporary, match=r"mail\.sender"):
        send(Mail(host="127.0.0.1", port=free_port(), sender="desk"))


def test_a_server_that_is_away_is_down() -> None:
    port = free_port()
    with pytest.raises(Temporary, match=f"127.0.0.1:{port}: .*refused") as caught:
        send(Mail(host="127.0.0.1", port=port, sender="desk@example.org"))
    assert caught.value.down


def test_a_server_that_hangs_is_down_after_the_timeout(mailbox: Mailbox) -> None:
    mailbox.hang()
    with pytest.raises(Temporary, match="timed out") as caught:
        send(mailbox.settings(timeout=0.3))
    assert caught.value.down


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 and the server's context with it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        missing.lacking("the program openssl")
    assert openssl is not None
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=mail", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([openssl, *made, *names, "-keyout", key, "-out", cert], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context


@pytest.mark.feature("N1")
def test_starttls_and_a_password(certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch) -> None:
    cert, context = certificate
    box = Mailbox(tls=context, login=("desk", "s3cret")).start()
    settings = box.settings(security="starttls", username="desk", password="s3cret")
    try:
        with pytest.raises(Temporary, match="certificate verify failed"):  # nobody vouches for it
            send(settings)
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        send(settings)
        assert len(box.mails) == 1
        with pytest.raises(Temporary, match="535") as caught:  # a wrong password kills no notice
            send(replace(settings, password="wrong"))
        assert caught.value.down
        assert "wrong" not in str(caught.value)
    finally:
        box.stop()
