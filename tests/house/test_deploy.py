"""What the documents and deploy/ tell people to copy is accepted by the programs that they copy it to."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support import missing, source


def yaml_blocks(page: Path) -> list[str]:
    """The YAML examples of a page, their indentation taken off."""
    found = re.findall(r"^( *)```yaml\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return ["\n".join(line.removeprefix(indent) for line in text.splitlines()) + "\n" for indent, text in found]


def check(tool: str, *arguments: str) -> str:
    done = subprocess.run([missing.program(tool), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.feature("I1")
def test_alertmanager_accepts_our_examples(tmp_path: Path) -> None:
    check("amtool", "check-config", str(source.ROOT / "deploy/alertmanager.yml"))
    blocks = [text for text in yaml_blocks(source.ROOT / "README.md") if "webhook_configs" in text]
    assert len(blocks) == 1
    (tmp_path / "alertmanager.yml").write_text(blocks[0])
    assert "1 receivers" in check("amtool", "check-config", str(tmp_path / "alertmanager.yml"))


@pytest.mark.feature("O5")
def test_prometheus_accepts_our_rules() -> None:
    rules = source.ROOT / "deploy/prometheus/rules.yml"
    assert "SUCCESS" in check("promtool", "check", "rules", str(rules))


@pytest.mark.feature("O5")
def test_our_rules_fire_when_they_should_and_only_then() -> None:
    assert "SUCCESS" in check("promtool", "test", "rules", str(source.ROOT / "deploy/prometheus/rules.test.yml"))


def test_our_rules_ask_for_metrics_that_exist() -> None:
    rules = yaml.safe_load((source.ROOT / "deploy/prometheus/rules.yml").read_text(encoding="utf-8"))
    expressions = " ".join(rule["expr"] for group in rules["groups"] for rule in group["rules"])
    known = set(re.findall(r"`(servicedesk_\w+)`", (source.ROOT / "docs/reference.md").read_text(encoding="utf-8")))
    asked = {name.removesuffix("_bucket") for name in re.findall(r"servicedesk_\w+", expressions)}
    assert asked - known == set()


@pytest.mark.feature("O4")
def test_our_configuration_examples_are_known_keys(tmp_path: Path) -> None:
    from servicedesk.config import load

    for number, text in enumerate(yaml_blocks(source.ROOT / "docs/operator-manual.md")):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text)
        assert load(str(file), {}).data_dir == "/var/lib/servicedesk"
