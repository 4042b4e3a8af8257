"""Prints every row of docs/features.md with the tests that carry its mark, and says which rows have none.

    python -m tools.features [--missing] [--check]

--missing: only rows without a test. --check: exit 1 when a test names a row that docs/features.md does not have.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROW = re.compile(r"^\| ([A-Z]\d+) \| (.+) \|$")


def rows(text: str) -> dict[str, str]:
    """The ids of the table rows with their texts, in the order of the page."""
    found = (ROW.match(line) for line in text.splitlines())
    return {match[1]: match[2] for match in found if match}


class Collector:
    """A pytest plug-in that keeps which test function claims which rows."""

    def __init__(self) -> None:
        self.tests: dict[str, dict[str, None]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for mark in item.iter_markers("feature"):
                for row in mark.args:
                    self.tests.setdefault(str(row), {})[item.nodeid.split("[")[0]] = None


def collect() -> dict[str, dict[str, None]]:
    """Row id → the tests that carry it; exits when the tests cannot be collected."""
    collector = Collector()
    report = io.StringIO()
    with contextlib.redirect_stdout(report):
        code = pytest.main(["--collect-only", "-q", "-p", "no:randomly", "tests"], plugins=[collector])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        told = report.getvalue()
        sys.exit(told[told.find("=== ERRORS") :] + "\nfeatures: the tests cannot be collected")
    return collector.tests


def main() -> int:
    parser = argparse.ArgumentParser(description="Which test proves which feature")
    parser.add_argument("--missing", action="store_true", help="only rows that no test proves")
    parser.add_argument("--check", action="store_true", help="exit 1 for a mark that names no row")
    options = parser.parse_args()
    known = rows((ROOT / "docs/features.md").read_text(encoding="utf-8"))
    tests = collect()
    for row, title in known.items():
        proofs = tests.get(row, {})
        if options.missing and proofs:
            continue
        print(f"{row:4} {'ok ' if proofs else ' — '} {title if len(title) < 90 else title[:89] + '…'}")
        for test in proofs:
            print(f"         {test}")
    unknown = sorted(set(tests) - set(known))
    proved = sum(row in tests for row in known)
    print(f"\n{proved} of {len(known)} rows have a test; {len(known) - proved} have none.")
    if unknown:
        print(f"Marks that name no row: {', '.join(unknown)}")
    return 1 if options.check and unknown else 0


if __name__ == "__main__":
    sys.exit(main())
