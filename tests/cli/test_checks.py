"""Checks, silences and what playbooks were good for, on the command line."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Cli


@pytest.fixture
def desk(sd: Cli) -> Cli:
    """A desk with ada and a ticket of hers."""
    assert sd("user", "add", "ada", "--role", "lead").code == 0
    opened = sd("incident", "open", "Access please", "--type", "request", "--category", "access", "--as", "ada")
    assert opened.code == 0, opened.err
    return sd


@pytest.mark.feature("P8", "P9", "T22", "O4")
def test_what_was_asked_and_what_helped(desk: Cli) -> None:
    assert desk("incident", "checks", "INC-1", "--json").json == {"items": []}
    used = desk("playbook", "stats", "--json").json["items"]
    assert [(u["playbook"], u["runs"]) for u in used] == [("desk-access-request", 1)]
    assert "desk-access-request" in desk("playbook", "stats").out
    covered = desk("playbook", "coverage", "--json").json
    assert (covered["names"], covered["without"]) == (0, [])
    assert "desk-access-request" not in covered["unused"]
    assert desk("playbook", "coverage").out.startswith("0 of 0 kinds of alerts")


@pytest.mark.feature("P5", "O4")
def test_the_switch(desk: Cli) -> None:
    assert desk("playbook", "stop").code == 2
    assert desk("playbook", "stop", "--reason", "They load the database").code == 0
    assert desk("playbook", "start").code == 0


@pytest.mark.feature("T22", "O4")
def test_silences_are_refused_in_one_sentence(desk: Cli) -> None:
    assert desk("incident", "silences", "INC-1", "--json").json == {"items": []}
    how = ("incident", "silence", "INC-1", "--reason", "x", "--as", "ada")
    assert desk(*how).code == 2
    assert desk(*how, "--hours", "1", "--until", "2030-01-01").code == 2
    refused = desk(*how, "--hours", "1")
    assert (refused.code, "configure alertmanager.url" in refused.err) == (2, True)
    assert desk("incident", "silence-extend", "INC-1", "7", "--hours", "1", "--as", "ada").code == 1
    assert desk("incident", "silence-end", "INC-1", "7", "--as", "ada").code == 1
