"""Desks with correlation rules of their own."""

from pathlib import Path

from servicedesk.desk import Desk
from servicedesk.domain.correlation_rules import Ruleset
from servicedesk.files import correlation_rules as files


class Fixed:
    """Rules that stay as they are."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset

    def current(self) -> Ruleset:
        return self.ruleset

    def follow(self, policy: object) -> None:
        """Tests change either rules or policy."""


def use(desk: Desk, text: str) -> None:
    """The desk follows these rules (YAML, the list under `correlation`) before the shipped ones."""
    lines = "\n".join("  " + line for line in text.strip("\n").splitlines())
    policy = desk.policy.alerts
    own = files.parse(f"schema: 1\ncorrelation:\n{lines}\n", "rules.yaml", policy)
    desk.rules = Fixed(files.together(own, files.lint([files.SHIPPED], policy)[0], policy))


def write(folder: Path, text: str, name: str = "rules.yaml") -> Path:
    """A rule file in a folder."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
