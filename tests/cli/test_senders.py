"""sender, mapping: who sends, and what a body becomes, from the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from servicedesk.files import mappings
from tests.cli.conftest import Cli
from tests.support.source import ROOT


@pytest.mark.feature("I20", "O4")
def test_senders_and_a_test_of_one(sd: Cli) -> None:
    assert sd("sender", "list").out == "nobody has sent anything yet\n"
    assert sd("sender", "test", "prod-am").code == 1
    sd("token", "create", "--service", "am", "--scopes", "ingest", "--source", "prod-am")
    tried = sd("sender", "test", "prod-am", "--json").json
    assert re.fullmatch(r"INC-\d+", tried["incident"])
    (one,) = sd("sender", "list", "--json").json
    assert (one["source"], one["token"]) == ("prod-am", True)


@pytest.mark.feature("I3", "O4")
def test_mappings_and_the_example_of_the_documents(sd: Cli, folder: Path) -> None:
    assert "/api/v1/receivers/grafana" in sd("mapping", "list").out
    (text,) = re.findall(
        r"```yaml mapping\n(.*?)```", (ROOT / "docs/sources.md").read_text(encoding="utf-8"), re.DOTALL
    )
    (folder / "boiler.yaml").write_text(text, encoding="utf-8")
    (folder / "body.json").write_text(mappings.read(folder / "boiler.yaml").samples[0].body, encoding="utf-8")
    assert sd("mapping", "lint", "boiler.yaml").code == 0
    answer = sd("mapping", "preview", "boiler.yaml", "body.json")
    assert answer.code == 0
    assert "Low pressure" in answer.out
    (folder / "bad.json").write_text("[{}, 7", encoding="utf-8")
    assert sd("mapping", "preview", "grafana", "bad.json").code == 1
    assert sd("mapping", "preview", "nothing", "body.json").code == 2
    (folder / "boiler.yaml").write_text(text.replace("alert:", "alarm:"), encoding="utf-8")
    assert "boiler.yaml:" in sd("mapping", "lint", "boiler.yaml").err
