"""Writes docs/reference.md from the code: every setting, command and metric. A house test compares it.

python -m tools.reference           write docs/reference.md        (make docs)
python -m tools.reference --check   exit 1 when it is not what the code says
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
from prometheus_client.parser import text_string_to_metric_families

from servicedesk import metrics
from servicedesk.app import create_app
from servicedesk.cli.main import COMMANDS, cli
from servicedesk.config import Config, settings
from servicedesk.desk import open_desk
from servicedesk.web.api import probes

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/reference.md"
HEAD = """# Reference: settings, commands, metrics

Written by `make docs` from the code; do not edit by hand.
"""
SETTINGS = """
## Settings

`servicedesk.yaml` (or `--config FILE`), each key also from the environment; lists are comma-separated there.
`servicedesk config show` prints the effective values and where each came from.

| key | environment | default | meaning |
|---|---|---|---|"""
COMMANDS_HEAD = """
## Commands

`--config FILE`, `--json` and `--debug` may stand anywhere on the line. Exit code 0: done; 1: refused or failed, with
one sentence; 2: wrong usage.

| command | does | options |
|---|---|---|"""
METRICS_HEAD = """
## Metrics

`GET /metrics`, in Prometheus' text format. One process is one node: scrape each.

| name | kind | labels | meaning |
|---|---|---|---|"""


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|") or "–"


def setting_rows() -> Iterator[str]:
    """Every configuration key with its variable and default."""
    for one in settings(Config()):
        variable = "SERVICEDESK_" + one.name.replace(".", "_").upper()
        later = " *(known, not built yet)*" if one.later else ""
        default = f"`{one.value}`" if one.value else "empty"
        yield f"| `{one.name}` | `{variable}` | {default} | {cell(one.doc)}{later} |"


def leaves(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with its words."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in sorted(command.list_commands(context)):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from leaves(inner, (*path, name))
    else:
        yield path, command


def command_rows() -> Iterator[str]:
    """Every command with its arguments, options and help."""
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None, name
        for path, leaf in leaves(command, ("servicedesk", name)):
            words = [
                *path,
                *(p.make_metavar(click.Context(leaf)) for p in leaf.params if isinstance(p, click.Argument)),
            ]
            options = ", ".join(f"`{max(p.opts, key=len)}`" for p in leaf.params if isinstance(p, click.Option))
            yield f"| `{cell(' '.join(words))}` | {cell(leaf.help or leaf.short_help or '')} | {options or '–'} |"


def scrape() -> tuple[str, dict[str, tuple[str, ...]]]:
    """What /metrics of a new desk says, and the labels of the figures that it asks the database for."""
    with tempfile.TemporaryDirectory() as folder:
        desk = open_desk(Config(data_dir=folder))
        try:
            text = create_app(desk).test_client().get("/metrics").get_data(as_text=True)
            asked = {one.name: tuple(getattr(one, "_labelnames", ())) for one in probes._Figures(desk).collect()}
        finally:
            desk.close()
    return text, asked


def metric_rows() -> Iterator[str]:
    """Every metric of ours with its labels."""
    text, labels = scrape()
    for collector, names in metrics.REGISTRY._collector_to_names.items():
        labels |= {name: tuple(getattr(collector, "_labelnames", ())) for name in names}
    for family in sorted(text_string_to_metric_families(text), key=lambda one: one.name):
        if not family.name.startswith("servicedesk_") or family.name.endswith("_created"):
            continue
        name = family.name + ("_total" if family.type == "counter" else "")
        shown = ", ".join(f"`{one}`" for one in labels[family.name]) or "–"
        yield f"| `{name}` | {family.type} | {shown} | {cell(family.documentation)} |"


def page() -> str:
    """The whole page."""
    return "\n".join(
        [HEAD + SETTINGS, *setting_rows(), COMMANDS_HEAD, *command_rows(), METRICS_HEAD, *metric_rows(), ""]
    )


def main() -> int:
    said = page()
    if "--check" in sys.argv:
        same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == said
        print("docs/reference.md is what the code says" if same else "docs/reference.md is old: run make docs")
        return 0 if same else 1
    PAGE.write_text(said, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
