"""The proof: what became of each notice, the auditor, the fallback channel, the dead man's ping. Both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from servicedesk.app import create_app
from servicedesk.config import Deadman, Fallback, Places
from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.services import apply, auditor, incidents, outbox, selfwatch
from servicedesk.services.shared.notify import Notice
from servicedesk.store.tables import delivery, incident
from servicedesk.store.views import told
from servicedesk.store.views.told import Told
from tests.support.clock import Clock
from tests.told.receivers import Hook, Mailbox
from tests.told.rows import many, opened, rows, tell

Crew = dict[str, Actor]
NOT_TOLD = "ServiceDeskNotTold: Somebody should have been told, and nobody was"


def drain(desk: Desk) -> None:
    while outbox.send_due(desk):
        pass


def proof(desk: Desk, number: int) -> list[Told]:
    with desk.read() as tx:
        return list(told.told(tx, number))


def about_us(desk: Desk) -> list[str]:
    """Titles of the tickets that the desk has opened about itself."""
    while apply.run_once(desk):
        pass
    with desk.read() as tx:
        query = select(incident.c.title).where(incident.c.source == "servicedesk").order_by(incident.c.id)
        return list(tx.run(query).scalars())


@pytest.fixture
def fallen_back(mailing: Desk, hook: Hook) -> Desk:
    """Mail, and Mattermost as the fallback channel alone."""
    mailing.config = replace(
        mailing.config,
        mattermost=Places((f"last: {hook.url}",)),
        fallback=Fallback("mattermost", "last"),
    )
    return mailing


@pytest.mark.feature("N4")
def test_each_notice_says_sent_failed_or_left_out_with_the_reason(
    mailing: Desk, people: Crew, mailbox: Mailbox, clock: Clock
) -> None:
    mailbox.answers["lead2@example.org"] = "550 5.1.1 No such user"
    number, low = opened(mailing, people["agent"]), opened(mailing, people["agent"], level=3)
    drain(mailing)
    found = {t.target: t for t in proof(mailing, number)}
    sent, failed = found["lead@example.org"], found["lead2@example.org"]
    assert (sent.state, sent.provider_id, sent.sent_at) == ("sent", "2.0.0 Ok: queued as 4X1", clock.now())
    assert (failed.state, failed.why) == ("failed", "550 5.1.1 No such user")
    (left,) = proof(mailing, low)
    assert left.state == "skipped"
    assert left.why == "New tickets of this priority are not announced (policy: notifications.new_ticket)."


@pytest.mark.feature("N4")
def test_the_ticket_shows_why_i_was_told_and_why_not(mailing: Desk, people: Crew, mailbox: Mailbox) -> None:
    from servicedesk.services import people as service

    mailbox.answers["lead2@example.org"] = "550 5.1.1 <b>No such user</b>"
    number = opened(mailing, people["agent"])
    drain(mailing)
    pages = {}
    for name in ("lead", "agent"):
        service.set_password(mailing, people["admin"], name, "correct horse battery")
        client = create_app(mailing).test_client()
        answer = client.post("/sign-in", data={"name": name, "password": "correct horse battery"})
        assert answer.status_code == 303
        pages[name] = client.get(f"/incidents/INC-{number}").text
    assert "You were told, or would have been, 1 time." in pages["lead"]
    assert "No rule names you here" in pages["agent"]
    assert "550 5.1.1 &lt;b&gt;No such user" in pages["lead"]
    assert "2.0.0 Ok: queued as 4X1" in pages["agent"]


@pytest.mark.feature("N4")
def test_what_reached_nobody_becomes_a_ticket_about_ourselves_until_somebody_acts(
    mailing: Desk, people: Crew, mailbox: Mailbox, clock: Clock
) -> None:
    for name in ("lead", "lead2"):
        mailbox.answers[f"{name}@example.org"] = "550 5.1.1 No such user"
    number = opened(mailing, people["agent"])
    drain(mailing)
    selfwatch.run_due(mailing)
    assert about_us(mailing) == [NOT_TOLD]
    assert selfwatch.run_due(mailing) == 0
    clock.advance(minutes=1)
    incidents.take(mailing, people["owner"], number)
    assert selfwatch.run_due(mailing) == 1  # it is over: a person is on it
    assert about_us(mailing) == [NOT_TOLD]


@pytest.mark.feature("N4")
def test_a_ticket_that_no_notice_was_ever_made_for_is_found(mailing: Desk, people: Crew, clock: Clock) -> None:
    many(mailing, 1)
    selfwatch.run_due(mailing)
    assert about_us(mailing) == []
    clock.advance(minutes=15)
    selfwatch.run_due(mailing)
    assert about_us(mailing) == [NOT_TOLD]


@pytest.mark.feature("N4")
@pytest.mark.parametrize("trouble", ["refused", "down"])
def test_the_fallback_channel_carries_what_reached_nobody(
    fallen_back: Desk, people: Crew, mailbox: Mailbox, hook: Hook, clock: Clock, trouble: str
) -> None:
    (number,) = many(fallen_back, 1)
    fallen_back.config = replace(fallen_back.config, mattermost=Places())  # it is no usual channel of theirs
    tell(fallen_back, Notice("opened", number))
    fallen_back.config = replace(fallen_back.config, mattermost=Places((f"last: {hook.url}",)))
    if trouble == "down":
        mailbox.stop()
    else:
        for name in ("lead", "lead2"):
            mailbox.answers[f"{name}@example.org"] = "550 5.1.1 No such user"
    drain(fallen_back)
    assert auditor.run_due(fallen_back) == (1 if trouble == "refused" else 0)
    clock.advance(minutes=5)
    assert auditor.run_due(fallen_back) == (0 if trouble == "refused" else 1)
    assert auditor.run_due(fallen_back) == 0
    drain(fallen_back)
    (post,) = hook.posts
    assert f"INC-{number}" in post.body["attachments"][0]["fallback"]
    assert [r.state for r in rows(fallen_back, number) if r.channel == "mattermost"] == ["sent"]
    clock.advance(minutes=1)
    assert auditor.run_due(fallen_back) == 0


def test_what_one_channel_brought_is_told(telling: Desk, people: Crew, mailbox: Mailbox, clock: Clock) -> None:
    telling.config = replace(telling.config, fallback=Fallback("webhook"))
    mailbox.stop()
    (number,) = many(telling, 1)
    tell(telling, Notice("opened", number))
    drain(telling)
    clock.advance(hours=1)
    assert auditor.run_due(telling) == 0


@pytest.mark.feature("N4")
def test_the_dead_mans_ping_goes_out_while_all_is_well(
    mailing: Desk, people: Crew, mailbox: Mailbox, hook: Hook, clock: Clock
) -> None:
    assert not auditor.ping(mailing)
    mailing.config = replace(mailing.config, deadman=Deadman(hook.url))
    assert auditor.ping(mailing)
    assert [post.path for post in hook.posts] == ["/services/T0/B0"]
    opened(mailing, people["agent"])
    mailbox.stop()
    drain(mailing)
    clock.advance(minutes=16)
    assert not auditor.ping(mailing)  # a desk that tells nobody is as good as dead
    assert len(hook.posts) == 1
    mailbox.start()
    drain(mailing)
    assert auditor.ping(mailing)
    hook.answers.append((500, {}, b""))
    assert not auditor.ping(mailing)


def test_deliveries_that_wait_stop_the_ping(mailing: Desk, hook: Hook, clock: Clock) -> None:
    mailing.config = replace(mailing.config, deadman=Deadman(hook.url))
    row = {
        "receiver": "alertmanager",
        "source": "x",
        "content_type": "",
        "received_at": clock.now(),
        "body": b"",
        "size": 0,
    }
    mailing.write(lambda tx: tx.run(delivery.insert().values(row | {"state": "stored"})))
    assert auditor.ping(mailing)
    clock.advance(timedelta(minutes=3))
    assert not auditor.ping(mailing)
