"""The webhook channel against a real HTTP receiver that checks what it gets."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from servicedesk.channels import posting, registry, webhook
from servicedesk.channels.channel import Permanent, Temporary
from servicedesk.config import Config, Mail, Webhook
from servicedesk.domain.notification import Reach
from tests.support.server import free_port
from tests.told.conftest import KEY, SECRET
from tests.told.receivers import Hook
from tests.told.test_smtp import MESSAGE


def send(url: str, message: object = MESSAGE, secret: str = SECRET) -> str:
    config = Config(webhook=Webhook(url=url, secret=secret))
    return registry.CHANNELS["webhook"].send(config, "webhook", message)  # type: ignore[arg-type]


@pytest.mark.feature("N1")
def test_a_post_is_slack_compatible_and_signed(hook: Hook) -> None:
    hook.answers.append((200, {"x-slack-req-id": "9f1c"}, b"ok"))
    assert send(hook.url) == "9f1c"
    (post,) = hook.posts
    assert post.path == "/services/T0/B0"
    assert post.headers["content-type"] == "application/json"
    assert post.headers["webhook-id"] == "msg_0123456789abcdef"
    assert abs(int(post.headers["webhook-timestamp"]) - time.time()) < 60
    assert post.signed_with(KEY)
    assert post.body["text"].splitlines() == [
        "*[INC-42] P1 New: Checkout is down*",
        "A new ticket of priority P1 waits for somebody to take it.",
        "What: Checkout is down",
        "Where: checkout · eu-1",
        "Since: 2026-11-02 09:00 UTC",
        "<http://127.0.0.1:8080/incidents/42|Open INC-42>",
    ]
    header, section, link = post.body["blocks"]
    assert header == {
        "type": "header",
        "text": {"type": "plain_text", "text": "[INC-42] P1 New: Checkout is down", "emoji": False},
    }
    assert [f["text"] for f in section["fields"]] == post.body["text"].splitlines()[2:5]
    assert link["text"] == {"type": "mrkdwn", "text": "<http://127.0.0.1:8080/incidents/42|Open INC-42>"}


def test_the_signature_is_the_one_of_the_standards_own_example() -> None:
    # https://github.com/standard-webhooks/standard-webhooks, the libraries' shared test value
    made = webhook.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_plain_secret_is_the_key_itself_and_without_one_nothing_is_signed(hook: Hook) -> None:
    send(hook.url, secret="plain words")
    send(hook.url, secret="")
    assert hook.posts[0].signed_with(b"plain words")
    assert "webhook-signature" not in hook.posts[1].headers


def test_hostile_text_mentions_nobody_and_makes_no_link(hook: Hook) -> None:
    evil = "<!channel> @channel @here <https://evil.example|click> & done"
    send(hook.url, replace(MESSAGE, subject=evil, lead=evil, facts=(("What", evil),), text=evil))
    body = hook.posts[0].body
    assert "<!channel>" not in body["text"]
    assert "<https://evil" not in body["text"]
    assert "@channel" not in body["text"]
    assert "&lt;!channel&gt;" in body["text"]
    kinds = [b["text"]["type"] for b in body["blocks"]] + [f["type"] for f in body["blocks"][1]["fields"]]
    assert kinds == ["plain_text", "plain_text", "plain_text", "mrkdwn", "plain_text"]  # mrkdwn: our own link alone


def test_blocks_stay_within_slacks_limits(hook: Hook) -> None:
    long = "x" * 5000
    send(hook.url, replace(MESSAGE, subject=long, lead=long, facts=(("What", long),), text=long))
    blocks = hook.posts[0].body["blocks"]
    assert [len(b["text"]["text"]) for b in blocks[:3]] == [150, 3000, 3000]
    assert len(blocks[1]["fields"][0]["text"]) == 2000


@pytest.mark.parametrize(
    ("status", "headers", "error", "retry_after", "down"),
    [
        (500, {}, Temporary, None, False),
        (503, {"Retry-After": "120"}, Temporary, 120.0, False),
        (429, {"Retry-After": "30"}, Temporary, 30.0, True),
        (408, {}, Temporary, None, False),
        (400, {}, Permanent, None, None),
        (404, {}, Permanent, None, None),
        (410, {}, Permanent, None, None),
    ],
)
def test_what_the_receiver_answers_decides(
    hook: Hook, status: int, headers: dict[str, str], error: type[Exception], retry_after: float | None, down: bool
) -> None:
    hook.answers.append((status, headers, b"no_service\n\x00" + b"x" * 10_000))
    with pytest.raises(error, match=f"answered {status}: no_service x") as caught:
        send(hook.url)
    assert getattr(caught.value, "retry_after", None) == retry_after
    assert getattr(caught.value, "down", None) == down
    assert len(str(caught.value)) < 300


def test_redirects_are_not_followed(hook: Hook) -> None:
    hook.answers.append((302, {"Location": hook.url + "/elsewhere"}, b""))
    with pytest.raises(Permanent, match="302: redirects are not followed"):
        send(hook.url)
    assert len(hook.posts) == 1


def test_a_proxy_of_the_environment_is_not_used(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    send(hook.url)
    assert len(hook.posts) == 1


@pytest.mark.parametrize("url", ["not an address", "ftp://127.0.0.1/x", "http://", "http://127.0.0.1:99999/"])
def test_an_address_that_cannot_be_used_kills_no_notice(url: str) -> None:
    with pytest.raises(Temporary, match="webhook") as caught:
        send(url)
    assert caught.value.down


def test_a_receiver_that_is_away_is_down() -> None:
    with pytest.raises(Temporary, match=r"does not answer: .*refused") as caught:
        send(f"http://127.0.0.1:{free_port()}/")
    assert caught.value.down


def test_a_secret_that_is_no_base64_kills_no_notice(hook: Hook) -> None:
    with pytest.raises(Temporary, match=r"webhook\.secret"):
        send(hook.url, secret="whsec_***")


NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("Mon, 02 Nov 2026 09:01:00 GMT", 60.0),
        ("Mon, 02 Nov 2026 08:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: str, seconds: float | None) -> None:
    assert posting.retry_after(value, NOW) == seconds


def test_the_registry_says_which_channels_are_filled_in() -> None:
    both = Config(mail=Mail(host="mail"), webhook=Webhook(url="http://hook"))
    assert registry.reach(Config()) == Reach()
    assert registry.reach(both) == Reach(("email",), ("webhook",))
    for name, channel in registry.CHANNELS.items():
        assert (channel.name, bool(channel.title), bool(channel.fields)) == (name, True, True)
