"""docs/checks.md names every kind of check with every key, as the code has them; every kind describes itself."""

import msgspec
import pytest

from servicedesk.checks.check import Check, Options
from servicedesk.checks.registry import CHECKS
from servicedesk.config import Config, settings
from tools import check_reference, playbook_catalogue

each = pytest.mark.parametrize("check", CHECKS.values(), ids=lambda c: c.name)


def test_the_page_says_what_the_code_says() -> None:
    text = check_reference.PAGE.read_text(encoding="utf-8")
    assert text == check_reference.page(text), "docs/checks.md is old: run `make docs`"


def test_the_catalogue_says_what_the_playbooks_say() -> None:
    kept = playbook_catalogue.PAGE.read_text(encoding="utf-8")
    assert kept == playbook_catalogue.page(), "docs/playbooks.md is old: run `make docs`"


@each
def test_a_check_describes_its_keys(check: Check) -> None:
    shapes = msgspec.json.schema_components([check.options])[1][check.options.__name__]["properties"]
    own = {name: shape for name, shape in shapes.items() if name != "type"}
    assert [name for name, shape in own.items() if "description" not in str(shape)] == []
    assert set(Options.__struct_fields__) < set(own)
    assert check.options.__struct_config__.tag == check.name


@each
def test_what_it_reads_is_a_setting(check: Check) -> None:
    assert set(check.reads) <= {s.name for s in settings(Config())}
    assert check.missing(Config()) in ("", *check.reads)
