"""Every setting, command and metric stands in the documentation, as it is in the code."""

import re
from pathlib import Path

from servicedesk.config import Config, settings
from tests.support import source
from tools import reference


def test_the_reference_says_what_the_code_says() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "docs/reference.md is old: run `make docs`"


def test_nothing_is_left_out() -> None:
    page = reference.page()
    for one in settings(Config()):
        assert f"`{one.name}`" in page
    for path, _ in (leaf for name in reference.COMMANDS for leaf in commands(name)):
        assert " ".join(path) in page
    for name in ("servicedesk_deliveries_total", "servicedesk_incidents", "servicedesk_outbox_pending"):
        assert f"`{name}`" in page


def commands(name: str) -> list[tuple[tuple[str, ...], object]]:
    command = reference.cli.get_command(reference.click.Context(reference.cli), name)
    assert command is not None
    return list(reference.leaves(command, ("servicedesk", name)))


def test_every_setting_has_a_sentence() -> None:
    assert [one.name for one in settings(Config()) if len(one.doc) < 8] == []


def links(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]


def test_links_between_documents_lead_somewhere() -> None:
    pages = [*source.ROOT.glob("*.md"), *(source.ROOT / "docs").rglob("*.md")]
    broken = [f"{p.name}: {link}" for p in pages for link in links(p) if not (p.parent / link).exists()]
    assert broken == []
