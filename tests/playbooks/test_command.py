"""`servicedesk playbook lint|list|match|schema` as a person or script calls it."""

import json
from pathlib import Path

import pytest

from servicedesk.cli.main import run

GOOD = (
    "schema: 1\nid: mine\ntitle: Mine\nmatch: ['alertname=\"Mine\"']\nsteps: [{id: s, title: S, instruction: Look.}]\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the operator's own playbooks, named in the configuration; no database anywhere."""
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERVICEDESK_PLAYBOOKS", str(own))
    monkeypatch.setenv("SERVICEDESK_DATA_DIR", str(tmp_path / "absent"))
    return own


@pytest.mark.feature("P8")
def test_lint_says_that_all_is_well(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.yaml").write_text(GOOD)
    assert run(["playbook", "lint", str(folder)]) == 0
    assert capsys.readouterr().out == "1 playbook, nothing wrong\n"


@pytest.mark.feature("P8")
def test_lint_names_file_line_and_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.yaml").write_text(GOOD)
    bad = folder / "b.yaml"
    bad.write_text(GOOD.replace("mine", "other") + "verify: {}\n")
    assert run(["playbook", "lint", str(folder)]) == 1
    assert capsys.readouterr().out == f"{bad}:6: verify: {reserved('verify')}\n"
    assert run(["playbook", "lint", str(folder / "a.yaml"), str(bad), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "checked": 2,
        "errors": [{"file": str(bad), "line": 6, "key": "verify", "message": reserved("verify")}],
    }


def reserved(key: str) -> str:
    return f"{key!r} is a key of schema 2: write `schema: 2` at the top"


def test_bad_usage_is_2(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["playbook", "lint"]) == 2
    assert run(["playbook", "lint", str(folder / "absent")]) == 2
    assert run(["playbook", "match", "alertname!=X"]) == 2
    assert run(["playbook", "match", "alertname"]) == 2
    assert run(["playbook", "match", "--type", "wish"]) == 2
    assert "name=value" in capsys.readouterr().err


@pytest.mark.feature("P8")
def test_list_shows_shipped_and_own_ones_and_warns(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.yaml").write_text(GOOD)
    (folder / "b.yaml").write_text("schema: 1\n")
    assert run(["playbook", "list"]) == 0
    told = capsys.readouterr()
    assert "kubernetes-pod-crash-looping" in told.out
    assert "mine" in told.out
    assert str(folder.resolve() / "b.yaml") in told.err
    assert run(["playbook", "list", "--json"]) == 0
    told_json = json.loads(capsys.readouterr().out)
    mine = next(p for p in told_json["items"] if p["id"] == "mine")
    assert mine["steps"] == [{"id": "s", "title": "S", "mandatory": False}]
    assert len(told_json["errors"]) == 1


@pytest.mark.feature("P8")
def test_match_says_what_an_alert_would_get(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.yaml").write_text(GOOD)
    assert run(["playbook", "match", "alertname=Mine", 'namespace="a b"', "--json"]) == 0
    assert [p["id"] for p in json.loads(capsys.readouterr().out)["items"]] == ["mine"]
    assert run(["playbook", "match", '{alertname="KubeJobFailed", namespace="x"}']) == 0
    assert "kubernetes-job-failed" in capsys.readouterr().out
    assert run(["playbook", "match", "--type", "request", "--category", "access"]) == 0
    assert "desk-access-request" in capsys.readouterr().out
    assert run(["playbook", "match", "alertname=Nobody"]) == 1
    assert capsys.readouterr().out == "no playbook matches\n"


def test_schema_is_the_one_beside_the_playbooks(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["playbook", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Service desk playbook"


def test_none_of_them_makes_a_database(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["playbook", "list"]) == 0
    assert capsys.readouterr().err == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["own"]
