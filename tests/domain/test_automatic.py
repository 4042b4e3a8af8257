"""Mail that machines write is recognised by its headers; a person's is not mistaken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.domain.automatic import why_automatic


@pytest.mark.feature("T12")
@pytest.mark.parametrize(
    ("headers", "sender", "why"),
    [
        ({"Auto-Submitted": "auto-replied"}, "a@example.org", "Auto-Submitted: auto-replied."),
        ({"AUTO-SUBMITTED": "Auto-Generated; owner=x"}, None, "Auto-Submitted: auto-generated."),
        ({}, "", "a bounce"),
        ({"Return-Path": "<>"}, None, "a bounce"),
        ({"Content-Type": "multipart/report; report-type=delivery-status"}, None, "report about a delivery"),
        ({"Precedence": "bulk"}, None, "Precedence: bulk."),
        ({"X-Autoreply": "yes"}, None, "carries x-autoreply"),
        ({"List-Id": "<ops.example.org>"}, None, "carries list-id"),
        ({"From": "Mail <MAILER-DAEMON@mx.example.org>"}, None, "a machine"),
    ],
)
def test_machines_are_recognised(headers: dict[str, str], sender: str | None, why: str) -> None:
    assert why in why_automatic(headers, sender)


@pytest.mark.parametrize(
    "headers", [{}, {"Auto-Submitted": "no"}, {"From": "Anna <anna@example.org>", "Subject": "Re"}]
)
def test_a_person_is_a_person(headers: dict[str, str]) -> None:
    assert why_automatic(headers, "anna@example.org") == ""


@given(st.dictionaries(st.text(), st.text()), st.none() | st.text())
def test_no_header_breaks_it(headers: dict[str, str], sender: str | None) -> None:
    assert isinstance(why_automatic(headers, sender), str)
