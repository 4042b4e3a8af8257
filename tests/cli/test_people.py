"""user, team, service, token, policy: what an operator types, on both databases."""

from __future__ import annotations

import pytest

from servicedesk.config import load
from servicedesk.desk import open_desk
from servicedesk.errors import NotSignedIn
from servicedesk.services import sessions, tokens
from tests.cli.conftest import Cli


@pytest.mark.feature("O4", "A1")
def test_the_two_commands_for_scripts(sd: Cli) -> None:
    assert sd("user", "add", "eve", "--role", "lead", "--role", "reviewer", "--json").json == {
        "id": 1,
        "name": "eve",
        "roles": ["lead", "reviewer"],
    }
    made = sd("token", "create", "--user", "eve", "--scopes", "read,work", "--expires", "90d", "--json").json
    sender = sd("token", "create", "--service", "am", "--scopes", "ingest", "--source", "prod-am", "--json").json
    assert (list(made), list(sender)) == (["token"], ["token"])
    desk = open_desk(load())
    actor, source = tokens.authenticate(desk, made["token"]), tokens.authenticate(desk, sender["token"]).source
    desk.close()
    assert (actor.name, actor.roles, actor.scopes) == ("eve", {"lead", "reviewer"}, {"read", "work"})
    assert source == "prod-am"


@pytest.mark.feature("O4", "I21")
def test_tokens_are_listed_without_their_secret_and_revoked(sd: Cli) -> None:
    made = sd("token", "create", "--service", "am", "--scopes", "ingest").out.strip()
    listed = sd("token", "list", "--json").json
    assert [(t["name"], t["scopes"], t["state"], t["last_used_at"]) for t in listed] == [
        ("am", ["ingest"], "active", None)
    ]
    assert made.split("_", 2)[2] not in sd("token", "list").out
    assert sd("token", "revoke", made).code == 0
    assert sd("token", "list", "--json").json[0]["state"] == "revoked"
    desk = open_desk(load())
    with pytest.raises(NotSignedIn):
        tokens.authenticate(desk, made)
    desk.close()
    assert sd("token", "revoke", "nothing").code == 1


WRONG = [
    ("token create --user nobody --scopes read", 1),
    ("token create --service x --scopes fly", 2),
    ("token create --service x --scopes admin", 2),
    ("token create --service x --scopes read --expires soon", 2),
    ("token create --service x --user y --scopes read", 2),
    ("user add a/b --role agent", 2),
    ("user change nobody --role agent", 1),
    ("user change nobody", 2),
    ("user disable nobody", 1),
    ("user link nobody", 1),
    ("team join Nowhere eve", 2),
    ("team change Nowhere", 2),
    ("service change nothing", 2),
    ("service change nothing --criticality 1", 1),
    ("service add x --team Nowhere", 2),
    ("policy show nothing", 2),
    ("audit export --incident x", 2),
]


@pytest.mark.feature("O4")
def test_what_is_wrong_is_said(sd: Cli) -> None:
    for line, code in WRONG:
        answer = sd(*line.split())
        assert (line, answer.code, answer.out) == (line, code, "")
        assert answer.err


@pytest.mark.feature("O4", "A1")
def test_somebody_from_beginning_to_end(sd: Cli) -> None:
    assert (
        sd("user", "add", "zoe", "--role", "agent", "--email", "zoe@example.org", "--language", "fr", "--no-team").code
        == 0
    )
    assert sd("user", "add", "zoe", "--role", "agent").err == "servicedesk: there is a user 'zoe' already\n"
    assert sd("team", "add", "Network", "--email", "net@example.org").code == 0
    assert sd("team", "join", "Network", "zoe", "--lead").code == 0
    assert sd("team", "list", "--json").json == [
        {"id": 1, "name": "Network", "email": "net@example.org", "members": [{"name": "zoe", "lead": True}]}
    ]
    assert sd("team", "change", "Network", "--name", "Networks").code == 0
    assert sd("user", "change", "zoe", "--role", "lead", "--display", "Zoé").code == 0
    listed = sd("user", "list", "--json").json[0]
    assert (listed["roles"], listed["teams"], listed["display"]) == (["lead"], ["Networks"], "Zoé")
    assert "Networks" in sd("user", "list").out
    assert sd("team", "leave", "Networks", "zoe").code == 0
    assert sd("user", "disable", "zoe").code == 0
    assert "disabled" in sd("user", "list").out
    assert sd("user", "enable", "zoe").out == "zoe is enabled\n"


@pytest.mark.feature("A2", "O4")
def test_passwords_and_links(sd: Cli) -> None:
    made = sd("user", "add", "zoe", "--role", "agent", "--link", "--json").json
    assert made["link"].startswith("http://127.0.0.1:8080/sign-in/link/")
    assert sd("user", "password", "zoe", stdin="short\n").code == 2
    assert sd("user", "password", "zoe", stdin="correct horse b\n").code == 0
    assert sd("user", "add", "bob", "--role", "agent", "--password-stdin", stdin="battery staple\n").code == 0
    link = sd("user", "link", "zoe").out.strip()
    desk = open_desk(load())
    assert sessions.sign_in(desk, "zoe", "correct horse b")
    assert sessions.sign_in(desk, "bob", "battery staple")
    assert sessions.use_link(desk, link.rsplit("/", 1)[1]).actor.name == "zoe"
    desk.close()


@pytest.mark.feature("A9", "O4")
def test_services(sd: Cli) -> None:
    assert sd("service", "add", "dns", "--criticality", "1").code == 0
    assert sd("service", "change", "dns", "--description", "names to numbers").code == 0
    listed = {s["name"]: (s["team"], s["criticality"], s["description"]) for s in sd("service", "list", "--json").json}
    assert listed["dns"] == ("Operations", 1, "names to numbers")
    assert "names to numbers" in sd("service", "list").out


@pytest.mark.feature("O4")
def test_policy_and_solo_mode(sd: Cli) -> None:
    assert sd("policy", "show", "solo_mode").out == "solo_mode: False\n"
    assert sd("policy", "solo-mode", "on", "--json").json == {"solo_mode": True}
    assert sd("policy", "show", "--json").json["solo_mode"] is True
    assert sd("policy", "solo-mode", "off").out == "solo mode is off\n"
    shown = sd("policy", "show", "alerts").out.splitlines()
    assert "alerts.quiet_window.1: 30m" in shown
    assert "alerts.ignored_alertnames: Watchdog, InfoInhibitor" in shown
    assert sd("policy", "solo-mode", "perhaps").code == 2


@pytest.mark.feature("O4", "A11")
def test_everything_stands_in_the_administration_log(sd: Cli) -> None:
    sd("user", "add", "zoe", "--role", "agent")
    sd("policy", "solo-mode", "on")
    sd("token", "create", "--service", "am", "--scopes", "ingest")
    rows = [row for row in sd("audit", "export").out.splitlines() if row]
    import json

    told = [(r["incident"], r["kind"], r["role"], r["actor"]) for r in map(json.loads, rows)]
    assert told == [(0, kind, "admin", None) for kind in ("team", "service", "user", "setting", "token")]
    assert sd("audit", "verify", "--json").json["whole"] is True
