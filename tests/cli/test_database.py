"""db, audit, config: what keeps the desk's data, from the command line."""

from __future__ import annotations

import sqlite3
import tarfile
from pathlib import Path

import pytest
from sqlalchemy import text

from servicedesk.config import load
from servicedesk.desk import open_desk
from servicedesk.services import audit
from servicedesk.store import schema
from tests.cli.conftest import Cli


@pytest.mark.feature("O4", "O6", "O7")
def test_upgrade_and_check(cli: Cli, folder: Path) -> None:
    assert cli("db", "check").err.startswith("servicedesk: there is no database at")
    assert cli("db", "upgrade", "--json").json == {"before": None, "after": schema.HEAD}
    assert cli("db", "upgrade").out == f"the schema is at {schema.HEAD} already\n"
    assert cli("db", "check", "--json").json == {"ok": True, "engine": "sqlite", "schema": schema.HEAD, "faults": []}
    with sqlite3.connect(folder / "data/servicedesk.db") as raw:
        raw.execute("DROP TRIGGER guard_timeline_update")
    answer = cli("db", "check")
    assert (answer.code, answer.out.splitlines()[0]) == (1, "trigger guard_timeline_update is missing")


@pytest.mark.feature("O6")
def test_check_on_both_databases(sd: Cli) -> None:
    answer = sd("db", "check")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.endswith(f"schema {schema.HEAD}: ok\n")


@pytest.mark.feature("O4", "O6")
def test_backup_while_the_desk_is_open(cli: Cli, folder: Path) -> None:
    cli("db", "upgrade")
    desk = open_desk(load())
    answer = cli("db", "backup", "saved", "--json")
    desk.close()
    assert answer.code == 0, answer.err
    with tarfile.open(answer.json["file"]) as archive:
        assert sorted(archive.getnames()) == ["audit.key", "database.sqlite", "manifest.json"]
    (folder / "file").write_text("")
    assert cli("db", "backup", "file").err.startswith("servicedesk: the backup cannot be written")
    named = cli("db", "backup", "named.tar", "--without-key")
    assert named.out.startswith("named.tar (")
    with tarfile.open("named.tar") as archive:
        assert sorted(archive.getnames()) == ["database.sqlite", "manifest.json"]
    assert cli("db", "backup", "file/below").err.startswith("servicedesk: the backup cannot be written")


@pytest.mark.feature("A3", "O4")
def test_verify_from_another_process_and_its_exit_code(sd: Cli) -> None:
    sd("user", "add", "zoe", "--role", "agent")
    desk = open_desk(load())
    audit.anchor(desk)
    whole = sd("audit", "verify")
    assert (whole.code, whole.err) == (0, "")
    assert "3 rows, anchored until" in whole.out
    desk.write(
        lambda tx: tx.run(text(f"DROP TRIGGER guard_timeline_update{' ON timeline' if tx.postgresql else ''}")) and None
    )
    desk.write(lambda tx: tx.run(text("UPDATE timeline SET kind = 'x' WHERE seq = 2")) and None)
    desk.close()
    told = sd("audit", "verify")
    assert (told.code, told.out.splitlines()[0]) == (1, "administration log: row 2: was edited")
    told = sd("audit", "verify", "--json")
    assert (told.code, told.json["faults"]) == (1, [{"where": "administration log", "message": "row 2: was edited"}])
    assert sd("audit", "export", "--to", "rows.jsonl", "--incident", "INC-1").code == 0
    assert not Path("rows.jsonl").exists() or Path("rows.jsonl").read_text() == ""


@pytest.mark.feature("O4")
def test_config_show_tells_where_from_and_masks_secrets(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "servicedesk.yaml").write_text("mail: {password: hush}\nhttp: {bind: 127.0.0.1:9}\n")
    monkeypatch.setenv("SERVICEDESK_WEBHOOK_SECRET", "hush")
    monkeypatch.setenv("SERVICEDESK_WEBHOOK_URL", "https://hooks.example/hush")  # whoever knows it may post
    shown = {row["name"]: row for row in cli("config", "show", "--json").json}
    assert (shown["http.bind"]["value"], shown["http.bind"]["origin"]) == ("127.0.0.1:9", "servicedesk.yaml")
    assert (shown["mail.password"]["value"], shown["webhook.secret"]["origin"]) == (
        "********",
        "SERVICEDESK_WEBHOOK_SECRET",
    )
    assert shown["mail.port"]["origin"] == "default"
    assert "hush" not in cli("config", "show").out


@pytest.mark.feature("O4")
def test_config_check(cli: Cli, folder: Path) -> None:
    assert cli("config", "check", "--json").json["database"].startswith("not made yet")
    assert not (folder / "data").exists()
    cli("db", "upgrade")
    assert cli("config", "check", "--json").json["database"] == "ok"
    (folder / "servicedesk.yaml").write_text("playbooks: books\n")
    (folder / "books").mkdir()
    (folder / "books/mine.yaml").write_text("schema: 1\nid: [")
    answer = cli("config", "check")
    assert answer.code == 1
    assert "mine.yaml" in answer.err
    (folder / "servicedesk.yaml").write_text("http: {bind: 127.0.0.1}\n")
    answer = cli("config", "check")
    assert answer.code == 1
    assert "http.bind" in answer.err


@pytest.mark.feature("O6")
def test_restore_and_copy(cli: Cli, folder: Path) -> None:
    cli("db", "upgrade")
    cli("user", "add", "zoe", "--role", "agent")
    saved = cli("db", "backup", "saved", "--json").json["file"]
    assert cli("db", "restore", saved, "--try").out == f"{saved} can be restored\n"
    cli("user", "add", "late", "--role", "agent")
    assert "--replace moves it aside" in cli("db", "restore", saved).err
    answer = cli("db", "restore", saved, "--replace", "--json")
    assert (answer.code, answer.json["whole"]) == (0, True)
    assert Path(answer.json["moved_aside"]).exists()
    names = [row["name"] for row in cli("user", "list", "--json").json]
    assert "zoe" in names
    assert "late" not in names
    copied = cli("db", "copy", f"sqlite:///{folder / 'copy.db'}", "--json")
    assert (copied.code, copied.json["whole"]) == (0, True)
    assert copied.json["tables"]["user_account"] == len(names)
    again = cli("db", "copy", f"sqlite:///{folder / 'copy.db'}")
    assert (again.code, "not empty" in again.err) == (1, True)
    Path("broken.tar").write_bytes(b"broken")
    assert cli("db", "restore", "broken.tar", "--try").code == 1
