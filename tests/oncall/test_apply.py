"""`servicedesk oncall apply FILE`: schedules and escalation policies kept in a file."""

from pathlib import Path

import pytest

from tests.cli.conftest import Cli, cli, folder, sd  # noqa: F401 - fixtures

WRITTEN = """\
schema: 1
schedules:
  - name: Primary
    timezone: Europe/Paris
    team: Operations
    layers:
      - {name: first, people: [ann, bob], rotation: weekly, hand_over: mon 09:00, start: "2026-11-02"}
policies:
  - name: Web
    teams: [Operations]
    policy:
      steps:
        - {targets: [{kind: schedule, name: Primary}]}
        - {wait: 10, targets: [{kind: person, name: bob}]}
      silent: [5]
"""


@pytest.mark.feature("N3", "N4", "O4")
def test_a_file_is_applied_again_and_again(sd: Cli, tmp_path: Path) -> None:  # noqa: F811
    for name in ("ann", "bob"):
        assert sd("user", "add", name, "--role", "agent").code == 0
    file = tmp_path / "oncall.yaml"
    file.write_text(WRITTEN)
    made = sd("oncall", "apply", str(file), "--json").json
    assert made == [
        {"kind": "schedule", "name": "Primary", "version": 1},
        {"kind": "policy", "name": "Web", "version": 1},
    ]
    assert sd("oncall", "show", "Primary", "--json").json[0]["now"]["person"] in ("ann", "bob")
    tried = sd("oncall", "simulate", "1", "--team", "Operations", "--json").json
    assert (tried["policy"], [s["step"] for s in tried["steps"]][:2]) == ("Web", [1, 2])
    file.write_text(WRITTEN.replace("[ann, bob]", "[bob]"))
    assert sd("oncall", "apply", str(file)).code == 0
    assert sd("oncall", "show", "Primary", "--json").json[0]["now"]["person"] == "bob"


def test_what_is_wrong_is_named_with_its_place(sd: Cli, tmp_path: Path) -> None:  # noqa: F811
    file = tmp_path / "oncall.yaml"
    file.write_text(WRITTEN.replace("rotation: weekly", "rotation: monthly"))
    said = sd("oncall", "apply", str(file))
    assert said.code != 0
    assert "oncall.yaml:7" in said.err
    file.write_text(WRITTEN)
    said = sd("oncall", "apply", str(file))
    assert said.code != 0
    assert "ann" in said.err, "there is nobody of this name"
