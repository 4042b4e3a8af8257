"""The whole program: an alert comes in by HTTP, and people are told by mail and by a post."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.server import Server
from tests.support.waiting import wait_until
from tests.told.conftest import KEY, SECRET
from tests.told.receivers import Hook, Mailbox


@pytest.fixture
def running(
    engine_url: str, tmp_path: Path, mailbox: Mailbox, hook: Hook, request: pytest.FixtureRequest
) -> Iterator[Server]:
    env = {
        "SERVICEDESK_MAIL_HOST": "127.0.0.1",
        "SERVICEDESK_MAIL_PORT": str(mailbox.port),
        "SERVICEDESK_MAIL_SENDER": "desk@example.org",
        "SERVICEDESK_WEBHOOK_URL": hook.url,
        "SERVICEDESK_WEBHOOK_SECRET": SECRET,
    }
    server = Server(tmp_path / "server", engine_url, env)
    server.start()
    yield server
    server.finish(failed=request.session.testsfailed > 0)


def alert(instance: str, severity: str = "critical") -> dict[str, object]:
    """A body of the Alertmanager with one firing alert."""
    labels = {"alertname": "HostDown", "severity": severity, "instance": instance, "job": "node"}
    now = datetime.now(UTC).isoformat()
    return {
        "version": "4",
        "groupKey": "{}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "desk",
        "groupLabels": {},
        "commonLabels": labels,
        "commonAnnotations": {},
        "externalURL": "http://am",
        "alerts": [
            {
                "status": "firing",
                "labels": labels,
                "annotations": {"summary": f"{instance} is down"},
                "startsAt": now,
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://prom/graph",
                "fingerprint": "0123456789abcdef",
            }
        ],
    }


@pytest.mark.real
@pytest.mark.feature("N1", "I1")
def test_an_alert_of_a_sender_reaches_the_lead_and_the_channel_once(
    running: Server, mailbox: Mailbox, hook: Hook
) -> None:
    running.run("user", "add", "lea", "--role", "lead", "--email", "lea@example.org")
    sender = running.sender()
    for _ in range(3):  # its repeats are no news
        assert sender.call("POST", "/receivers/alertmanager", json=alert("db1:9100")).status_code == 200
    wait_until(lambda: mailbox.mails and hook.posts, 20, "the mail and the post")
    sent = wait_until(lambda: running.ask("notification", "list", "--state", "sent"), 20, "a row marked as sent")
    number = sent[0]["number"]
    (mail,) = mailbox.to("lea@example.org")
    assert mail["Subject"].startswith(f"[{number}] P")
    body = mail.get_body(("plain",))
    assert body is not None
    assert f"{running.base_url}/incidents/{number}" in body.get_content()
    assert hook.posts[0].signed_with(KEY)
    wait_until(
        lambda: running.metrics().get('servicedesk_notifications_total{channel="email",result="sent"}') == 1.0,
        what="the metric",
    )
    assert len(hook.posts) == len(mailbox.mails) == 1


@pytest.mark.real
@pytest.mark.feature("I4")
def test_a_mail_server_that_hangs_slows_no_sender_down(running: Server, mailbox: Mailbox) -> None:
    running.run("user", "add", "lea", "--role", "lead", "--email", "lea@example.org")
    mailbox.hang()
    sender = running.sender()
    sender.call("POST", "/receivers/alertmanager", json=alert("db1:9100"))
    wait_until(lambda: mailbox.connections == 1, 20, "the worker to hang")
    client = running.person("anna", "agent", "read,work")
    assert sender.call("POST", "/receivers/alertmanager", json=alert("db2:9100", "page")).status_code == 200
    wait_until(
        lambda: [a for a in client.items("/alerts") if a["labels"]["instance"] == "db2:9100"], 20, "the second alert"
    )
    assert mailbox.connections == 1  # it hangs still
    mailbox.release()
    wait_until(lambda: mailbox.to("lea@example.org"), 20, "the mail after all")
