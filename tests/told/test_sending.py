"""The worker that sends: real servers in every mood, a clock that jumps, both databases."""

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from servicedesk import metrics
from servicedesk.config import Webhook
from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from servicedesk.domain.notification import MAX_TRIES
from servicedesk.services import outbox
from servicedesk.services.shared.notify import Notice
from servicedesk.store.tables import outbox as table
from tests.support.clock import Clock
from tests.support.server import free_port
from tests.support.waiting import wait_until
from tests.told.conftest import KEY
from tests.told.receivers import Hook, Mailbox
from tests.told.rows import lines, many, opened, rows, tell

Crew = dict[str, Actor]
HOSTILE = "x\r\nBcc: all@example.org\r\n\r\n<script>alert(1)</script> <!channel> ${7*7}"


def drain(desk: Desk) -> int:
    """Until there is nothing to do now; answers how many were settled."""
    settled = 0
    while done := outbox.send_due(desk):
        settled += done
    return settled


def states(desk: Desk) -> list[tuple[str, str]]:
    return [(r.target, r.state) for r in rows(desk)]


@pytest.mark.feature("N1")
def test_a_new_ticket_is_told_by_mail_and_by_a_signed_post(
    telling: Desk, people: Crew, mailbox: Mailbox, hook: Hook
) -> None:
    number = opened(telling, people["agent"], "Checkout is down")
    assert drain(telling) == 3
    assert sorted(str(m["To"]) for m in mailbox.mails) == ["lead <lead@example.org>", "lead2 <lead2@example.org>"]
    (post,) = hook.posts
    assert post.signed_with(KEY)
    assert post.body["text"].startswith(f"*[INC-{number}] P1 New: Checkout is down*")
    assert f"{telling.config.base_url}/incidents/INC-{number}|Open INC-{number}" in post.body["text"]
    sent = rows(telling, number)
    assert {(r.state, r.tries, r.maybe_duplicate, r.leased_by) for r in sent} == {("sent", 1, 0, None)}
    assert {r.provider_id for r in sent} == {"2.0.0 Ok: queued as 4X1", "200"}
    assert {r.sent_at for r in sent} == {telling.now()}
    assert drain(telling) == 0
    assert len(mailbox.mails) == 2


def test_later_mails_hang_below_the_first_to_the_same_person(mailing: Desk, people: Crew, mailbox: Mailbox) -> None:
    number = opened(mailing, people["agent"])
    tell(mailing, Notice("refired", number, "1"))
    drain(mailing)
    for address in ("lead@example.org", "lead2@example.org"):
        first, second = mailbox.to(address)
        assert first["References"] is None
        assert second["References"] == first["Message-ID"] != second["Message-ID"]
    assert len({m["Message-ID"] for m in mailbox.mails}) == 4


def test_each_reads_their_own_language(mailing: Desk, people: Crew, mailbox: Mailbox) -> None:
    from servicedesk.store.tables import user

    mailing.write(lambda tx: tx.run(update(user).where(user.c.name == "lead2").values(language="fr")))
    opened(mailing, people["agent"])
    drain(mailing)
    assert "P1 New: " in mailbox.to("lead@example.org")[0]["Subject"]
    assert "P1 Nouveau : " in mailbox.to("lead2@example.org")[0]["Subject"]


def test_hostile_titles_and_texts_stay_text(telling: Desk, people: Crew, mailbox: Mailbox, hook: Hook) -> None:
    (number,) = many(telling, 1)
    from tests.told.rows import set_incident

    set_incident(telling, number, title=HOSTILE, requester_id=people["requester"].id, labels={"instance": HOSTILE})
    tell(telling, Notice("opened", number), Notice("message", number, "1", {"text": HOSTILE}))
    drain(telling)
    assert len(mailbox.mails) == 3
    for mail in mailbox.mails:
        assert mail["Bcc"] is None
        assert len(mail["To"].addresses) == 1
        assert "\n" not in mail["Subject"]
        html = mail.get_body(("html",))
        assert html is not None
        assert "<script" not in html.get_content()
        assert "${7*7}" in html.get_content()
    assert "<!channel>" not in hook.posts[0].body["text"]


@pytest.mark.feature("N1")
def test_a_recipient_refused_for_good_stands_on_the_ticket(mailing: Desk, people: Crew, mailbox: Mailbox) -> None:
    mailbox.answers["lead@example.org"] = "550 5.1.1 No such user"
    number = opened(mailing, people["agent"])
    assert drain(mailing) == 2
    assert states(mailing) == [("lead@example.org", "failed"), ("lead2@example.org", "sent")]
    assert rows(mailing)[0].error == "550 5.1.1 No such user"
    (said,) = lines(mailing, number, "notice")
    assert said["text"] == "Not told: lead@example.org (opened, email): 550 5.1.1 No such user"
    assert said["target"] == "lead@example.org"
    assert drain(mailing) == 0


def test_451_is_tried_again_later_and_bars_nobody_else(
    mailing: Desk, people: Crew, mailbox: Mailbox, clock: Clock
) -> None:
    mailbox.answers["lead@example.org"] = "451 4.7.1 Greylisted"
    number = opened(mailing, people["agent"])
    assert drain(mailing) == 1
    assert states(mailing) == [("lead@example.org", "pending"), ("lead2@example.org", "sent")]
    waiting = rows(mailing)[0]
    assert (waiting.tries, waiting.error, waiting.leased_by) == (1, "451 4.7.1 Greylisted", None)
    assert timedelta(seconds=12) <= waiting.due_at - clock.now() <= timedelta(seconds=18)
    assert drain(mailing) == 0
    mailbox.answers.clear()
    clock.advance(seconds=20)
    assert drain(mailing) == 1
    assert [r.state for r in rows(mailing)] == ["sent", "sent"]
    assert rows(mailing)[0].error is None
    assert rows(mailing)[0].maybe_duplicate == 0
    assert lines(mailing, number, "notice") == []


@pytest.mark.feature("N1")
def test_a_server_that_is_down_for_an_hour_loses_nothing(
    mailing: Desk, people: Crew, mailbox: Mailbox, clock: Clock
) -> None:
    mailbox.stop()
    numbers = many(mailing, 20)
    tell(mailing, *[Notice("opened", n) for n in numbers])
    for _ in range(60):
        assert drain(mailing) == 0
        clock.advance(minutes=1)
    assert {r.state for r in rows(mailing)} == {"pending"}
    assert sum(r.tries for r in rows(mailing)) <= 60  # one knock a look, not one for each of 40 mails
    mailbox.start()
    for _ in range(40):  # the longest pause is half an hour
        drain(mailing)
        clock.advance(minutes=1)
    assert {r.state for r in rows(mailing)} == {"sent"}
    assert len(mailbox.mails) == len({m["Message-ID"] for m in mailbox.mails}) == 40


def test_a_server_that_hangs_is_knocked_at_once_a_look(mailing: Desk, people: Crew, mailbox: Mailbox) -> None:
    mailing.config = replace(mailing.config, mail=mailbox.settings(timeout=0.3))
    mailbox.hang()
    opened(mailing, people["agent"])
    opened(mailing, people["agent"])
    assert drain(mailing) == 0
    assert mailbox.connections == 1  # one of four rows knocked for all
    assert sorted(r.tries for r in rows(mailing)) == [0, 0, 0, 1]


def test_nobody_waits_for_a_server_that_hangs(mailing: Desk, people: Crew, mailbox: Mailbox) -> None:
    mailing.config = replace(mailing.config, mail=mailbox.settings(timeout=60.0))
    mailbox.hang()
    opened(mailing, people["agent"])
    worker = threading.Thread(target=drain, args=(mailing,))
    worker.start()
    wait_until(lambda: mailbox.connections == 1, what="the worker to hang")
    opened(mailing, people["agent"], "while it hangs")  # no transaction is held meanwhile
    assert worker.is_alive()
    mailbox.release()
    worker.join(30)
    assert [r.state for r in rows(mailing)] == ["sent"] * 4


def test_a_server_that_is_down_bars_no_other_channel(telling: Desk, people: Crew, mailbox: Mailbox, hook: Hook) -> None:
    mailbox.stop()
    opened(telling, people["agent"])
    assert drain(telling) == 1
    assert len(hook.posts) == 1


@pytest.mark.parametrize("status", [500, 503, 429])
def test_the_webhook_is_tried_again_with_the_same_id_when_it_asks_for_time(
    desk: Desk, people: Crew, hook: Hook, clock: Clock, status: int
) -> None:
    desk.config = replace(desk.config, webhook=Webhook(url=hook.url, secret="s"))
    hook.answers.append((status, {"Retry-After": "600"}, b"later"))
    opened(desk, people["agent"])
    assert drain(desk) == 0
    clock.advance(seconds=599)
    assert drain(desk) == 0
    assert len(hook.posts) == 1
    clock.advance(seconds=2)
    assert drain(desk) == 1
    first, second = hook.posts
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert second.signed_with(b"s")


def test_a_webhook_that_says_no_stands_on_the_ticket(desk: Desk, people: Crew, hook: Hook) -> None:
    desk.config = replace(desk.config, webhook=Webhook(url=hook.url))
    hook.answers.append((404, {}, b"no_service"))
    number = opened(desk, people["agent"])
    assert drain(desk) == 1
    (said,) = lines(desk, number, "notice")
    assert said["error"] == "the webhook answered 404: no_service"


def test_after_so_many_tries_it_is_given_up_and_said(
    mailing: Desk, people: Crew, mailbox: Mailbox, clock: Clock
) -> None:
    mailbox.answers = dict.fromkeys(("lead@example.org", "lead2@example.org"), "451 4.3.0 Never")
    number = opened(mailing, people["agent"])
    for _ in range(MAX_TRIES):
        drain(mailing)
        clock.advance(hours=1)
    assert {(r.state, r.tries) for r in rows(mailing)} == {("failed", MAX_TRIES)}
    assert len(lines(mailing, number, "notice")) == 2
    assert lines(mailing, number, "notice")[0]["error"] == f"given up after {MAX_TRIES} tries: 451 4.3.0 Never"


def test_a_channel_that_is_taken_out_of_the_configuration_keeps_its_rows(
    mailing: Desk, people: Crew, mailbox: Mailbox, clock: Clock
) -> None:
    opened(mailing, people["agent"])
    kept, mailing.config = mailing.config, replace(mailing.config, mail=replace(mailing.config.mail, host=""))
    assert drain(mailing) == 0
    assert {r.state for r in rows(mailing)} == {"pending"}
    assert "mail.host" in rows(mailing)[0].error
    mailing.config = kept
    clock.advance(minutes=1)
    assert drain(mailing) == 2


def test_a_channel_that_this_version_does_not_know_fails_visibly(mailing: Desk, people: Crew) -> None:
    number = opened(mailing, people["agent"])
    mailing.write(lambda tx: tx.run(update(table).values(channel="pigeon")))
    assert drain(mailing) == 2
    assert "no channel 'pigeon'" in lines(mailing, number, "notice")[0]["error"]


def test_a_row_that_crashes_its_worker_is_given_up_in_the_end(mailing: Desk, people: Crew, clock: Clock) -> None:
    (number,) = many(mailing, 1)
    tell(mailing, Notice("assigned", number))
    mailing.write(lambda tx: tx.run(update(table).values(payload={}, tries=MAX_TRIES - 1)))
    for _ in range(2):  # one for each lead
        with pytest.raises(KeyError):
            outbox.send_due(mailing)
    assert outbox.send_due(mailing) == 0  # leased: nobody else stumbles over it meanwhile
    clock.advance(outbox.LEASE)
    assert drain(mailing) == 2
    assert {r.state for r in rows(mailing)} == {"failed"}
    assert "no try came to an end" in lines(mailing, number, "notice")[0]["error"]


def test_two_workers_share_the_rows_and_send_none_twice(mailing: Desk, people: Crew, mailbox: Mailbox) -> None:
    tell(mailing, *[Notice("opened", n) for n in many(mailing, 20)])
    faults: list[BaseException] = []

    def work() -> None:
        try:
            drain(mailing)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            faults.append(error)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert faults == []
    assert len(mailbox.mails) == len({m["Message-ID"] for m in mailbox.mails}) == 40
    assert {(r.state, r.maybe_duplicate) for r in rows(mailing)} == {("sent", 0)}


def test_a_lease_that_ended_is_taken_over_marked_and_the_late_loser_changes_nothing(
    mailing: Desk, people: Crew, mailbox: Mailbox, clock: Clock
) -> None:
    from servicedesk.store import outbox as store

    (number,) = many(mailing, 1)
    tell(mailing, Notice("opened", number))
    slow = mailing.write(lambda tx: store.claim(tx, "slow", tx.now + outbox.LEASE))
    assert slow is not None
    assert drain(mailing) == 1  # the other row; the leased one is left alone
    clock.advance(outbox.LEASE)
    quick = mailing.write(lambda tx: store.claim(tx, "quick", tx.now + outbox.LEASE))
    assert quick is not None
    assert (quick.id, quick.maybe_duplicate, slow.maybe_duplicate) == (slow.id, True, False)
    assert mailing.write(lambda tx: store.failed(tx, slow, "too late")) is False
    mailing.write(lambda tx: store.put_off(tx, slow, tx.now, "too late"))
    assert rows(mailing)[0].leased_by == "quick"
    clock.advance(outbox.LEASE)
    assert drain(mailing) == 1
    assert [r.maybe_duplicate for r in rows(mailing)] == [1, 0]
    mailing.write(lambda tx: store.put_off(tx, slow, tx.now, "too late"))
    assert [(r.state, r.error) for r in rows(mailing)] == [("sent", None), ("sent", None)]


def test_attempts_are_counted_by_channel_and_result(mailing: Desk, people: Crew, mailbox: Mailbox) -> None:
    def counted() -> dict[str, float]:
        names = ("sent", "retry", "failed")
        return {n: metrics.NOTIFICATIONS.labels("email", n)._value.get() for n in names}

    mailbox.answers = {"lead@example.org": "550 no", "lead2@example.org": "451 later"}
    before: dict[str, Any] = counted()
    opened(mailing, people["agent"])
    tell(mailing, Notice("received", opened(mailing, people["requester"], level=3)))
    drain(mailing)
    after = counted()
    assert {n: after[n] - before[n] for n in after} == {"sent": 1, "retry": 1, "failed": 1}


def test_an_unreachable_webhook_holds_back_its_own_rows_only_for_a_moment(
    desk: Desk, people: Crew, hook: Hook, clock: Clock
) -> None:
    away = f"http://127.0.0.1:{free_port()}/"
    desk.config = replace(desk.config, webhook=Webhook(url=away))
    tell(desk, *[Notice("opened", n) for n in many(desk, 5)])
    assert drain(desk) == 0
    assert sum(r.tries for r in rows(desk)) == 1
    desk.config = replace(desk.config, webhook=Webhook(url=hook.url))
    clock.advance(seconds=20)
    assert drain(desk) == 5
