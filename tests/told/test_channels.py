"""Mattermost, Teams, Slack and Apprise against a recorder that checks requests as the vendors document them.

The vendors' own services are not asked: what stands here is what their documentation says of a request and an answer.
"""

import importlib.util
import json
from dataclasses import replace

import pytest

from servicedesk.channels import anything, registry, slack
from servicedesk.channels.channel import Permanent, Temporary, named_places
from servicedesk.config import Config, Places, Slack
from servicedesk.domain.messages import Message
from tests.support.missing import lacking
from tests.support.server import free_port
from tests.told.receivers import Hook
from tests.told.test_smtp import MESSAGE

EVIL = "<!channel> @channel [click](https://evil.example) *bold* & done"
HOSTILE = replace(MESSAGE, subject=EVIL, lead=EVIL, facts=(("What", EVIL),), text=EVIL)
ACT = replace(MESSAGE, act_link="http://127.0.0.1:8080/portal/acknowledge/x", act_title="I take care of it")


def send(config: Config, name: str, target: str, message: Message = MESSAGE) -> str:
    return registry.CHANNELS[name].send(config, target, message)


@pytest.mark.feature("N1")
def test_mattermost_gets_one_attachment(hook: Hook) -> None:
    hook.answers.append((200, {"X-Request-Id": "hoan6o9ws7rp5xj7wu9rmysrte"}, b"ok"))
    config = Config(mattermost=Places((f"ops: {hook.url}",)))
    assert send(config, "mattermost", "mattermost", ACT) == "hoan6o9ws7rp5xj7wu9rmysrte"
    (attachment,) = hook.posts[0].body["attachments"]
    assert attachment["fallback"] == "[INC-42] P1 New: Checkout is down"  # required by Mattermost
    assert attachment["title_link"] == "http://127.0.0.1:8080/incidents/42"
    assert [f["title"] for f in attachment["fields"]] == ["What", "Where", "Since"]
    assert "[I take care of it](http://127.0.0.1:8080/portal/acknowledge/x)" in attachment["text"]


@pytest.mark.feature("N1")
def test_teams_gets_an_adaptive_card(hook: Hook) -> None:
    hook.answers.append((202, {"x-ms-workflow-run-id": "0858"}, b""))
    config = Config(teams=Places((hook.url,)))
    assert send(config, "teams", "teams", ACT) == "0858"
    body = hook.posts[0].body
    assert body["type"] == "message"
    (attachment,) = body["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert [block["type"] for block in card["body"]] == ["TextBlock", "TextBlock", "FactSet"]
    assert [(a["type"], a["title"]) for a in card["actions"]] == [
        ("Action.OpenUrl", "I take care of it"),
        ("Action.OpenUrl", MESSAGE.link_title),
    ]


@pytest.mark.parametrize("name", ["mattermost", "teams"])
def test_somebodys_text_is_no_markdown_and_wakes_nobody(hook: Hook, name: str) -> None:
    send(Config(mattermost=Places((hook.url,)), teams=Places((hook.url,))), name, name, HOSTILE)
    body = hook.posts[0].body
    body["attachments"][0].pop("fallback", None)  # plain text, never read as Markdown
    text = json.dumps(body, ensure_ascii=False)
    assert "@channel" not in text
    assert "[click](https://evil" not in text
    assert "*bold*" not in text.replace("\\\\*", "")


@pytest.mark.parametrize("name", ["mattermost", "teams", "slack"])
def test_trouble_is_told_apart(hook: Hook, name: str) -> None:
    config = Config(
        mattermost=Places((hook.url,)), teams=Places((hook.url,)), slack=Slack("t", "#ops", api=hook.base + "/api")
    )
    for status, error in ((500, Temporary), (429, Temporary), (404, Permanent), (302, Permanent)):
        hook.answers.append((status, {"Retry-After": "30"}, b"no"))
        with pytest.raises(error, match=f"answered {status}"):
            send(config, name, name)
    away = Places((f"http://127.0.0.1:{free_port()}/hooks/secret-key",))
    config = Config(mattermost=away, teams=away, slack=Slack("t", "#ops", api=away.urls[0]))
    with pytest.raises(Temporary, match="does not answer") as caught:
        send(config, name, name)
    assert caught.value.down
    assert "secret-key" not in str(caught.value)  # who has the address may post: it is never shown


def test_a_place_is_named_or_the_first(hook: Hook) -> None:
    places = Places((f"ops: {hook.base}/hooks/1", f"net: {hook.base}/hooks/2"))
    config = Config(mattermost=places)
    for target in ("mattermost", "ops", "net"):
        send(config, "mattermost", target)
    assert [post.path for post in hook.posts] == ["/hooks/1", "/hooks/1", "/hooks/2"]
    assert registry.CHANNELS["mattermost"].places(config) == ("ops", "net")
    with pytest.raises(Permanent, match="no place 'gone' any more; there are: ops, net"):
        send(config, "mattermost", "gone")
    assert named_places("teams", ("https://x/y", "a: https://z")) == {"teams": "https://x/y", "a": "https://z"}


@pytest.mark.parametrize(
    ("error", "kind"), [("channel_not_found", Permanent), ("is_archived", Permanent), ("invalid_auth", Temporary)]
)
def test_slack_says_no_with_status_200(hook: Hook, error: str, kind: type[Exception]) -> None:
    hook.answers.append((200, {}, json.dumps({"ok": False, "error": error}).encode()))
    with pytest.raises(kind, match=f"Slack, chat.postMessage: {error}"):
        send(Config(slack=Slack("t", "#ops", api=hook.base + "/api")), "slack", "slack")


def test_slacks_signature_is_the_one_of_its_own_example() -> None:
    # the worked example of Slack's "Verifying requests from Slack"
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name="
        b"foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2F"
        b"hooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id="
        b"398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    made = slack.signature("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", body)
    assert made == "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"


def test_blocks_stay_within_slacks_limits() -> None:
    long = "x" * 5000
    found = slack.blocks(replace(MESSAGE, subject=long, lead=long, facts=(("What", long),) * 20, text=long))
    assert [len(b["text"]["text"]) for b in found[:3]] == [150, 3000, 3000]
    assert len(found[1]["fields"]) == 10
    assert len(found[1]["fields"][0]["text"]) == 2000


def test_every_channel_says_what_it_reads() -> None:
    for channel in registry.CHANNELS.values():
        assert any(field.required for field in channel.fields)
        for field in channel.fields:
            assert len(field.help(Config()).doc) > 5
            assert field.help(Config()).value in ("", "25", "none", "servicedesk@localhost", "https://slack.com/api")


# --- Apprise (an extra) ----------------------------------------------------------------------------------------------


def test_a_scheme_that_is_not_allowed_is_refused_before_apprise_sees_it() -> None:
    if importlib.util.find_spec("apprise") is None:
        lacking("the extra servicedesk[notify]")
    for url in ("syslog://", "dbus://", "macosx://", "windows://", "file:///etc/passwd", "exec://x", "x"):
        with pytest.raises(Permanent, match="is not allowed"):
            send(Config(apprise=Places((f"a: {url}",))), "apprise", "a")


@pytest.mark.feature("N1")
def test_apprise_reaches_everything_else(hook: Hook) -> None:
    if importlib.util.find_spec("apprise") is None:
        lacking("the extra servicedesk[notify]")
    host = hook.base.removeprefix("http://")
    config = Config(apprise=Places((f"push: ntfy://{host}/ops",)))
    assert send(config, "apprise", "push") == "ntfy"
    assert "Checkout is down" in hook.posts[0].raw.decode()
    hook.answers.append((500, {}, b""))
    with pytest.raises(Temporary, match="ntfy did not take it"):
        send(config, "apprise", "push")


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    with pytest.raises(Temporary, match=r"pip install 'servicedesk\[notify\]'") as caught:
        send(Config(apprise=Places(("a: ntfy://x/y",))), "apprise", "a")
    assert caught.value.down


def test_apprises_messages_are_short() -> None:
    assert anything.text_of(ACT).splitlines()[:1] == ["What: Checkout is down"]
    assert len(anything.text_of(ACT).splitlines()) == 5
