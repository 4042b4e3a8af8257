"""What a machine lacks is skipped by name on a desk, and fails in CI: there nothing is skipped."""

import os
import shutil

import pytest

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def lacking(what: str) -> None:
    """Skips the running test because `what` is missing; fails it when CI is set."""
    if IN_CI:
        pytest.fail(f"{what} is missing, and in CI nothing is skipped", pytrace=False)
    pytest.skip(f"{what} is missing on this machine")


def optional(name: str) -> str:
    """The path of an installed program that playbooks are tried against; skipped where it is missing, in CI too."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"the program {name} is missing on this machine")
    return path


def program(name: str) -> str:
    """The path of an installed program; the test is skipped (in CI: fails) where it is missing."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        lacking(f"the program {name}")
    assert path is not None
    return path
