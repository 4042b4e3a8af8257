"""What a version of a review is good for: its votes, its authors, and the end of those that no longer count."""

from __future__ import annotations

import pytest

from servicedesk.desk import Desk
from servicedesk.errors import Refused
from servicedesk.services import incidents, resolution, reviews
from servicedesk.store.views import nav
from servicedesk.store.views import reviews as look
from tests.flows.test_by_hand import Crew, in_review, people, status  # noqa: F401 - people is a fixture
from tests.support.reviews import body


def versions(desk: Desk, number: int) -> list[tuple[int, str, int]]:
    """(version, status, votes), the newest first."""
    with desk.read() as tx:
        return [(r.version, r.status, len(r.approvals)) for r in look.versions(tx, number)]


def submitted(desk: Desk, people: Crew, depth: str, **form: object) -> int:  # noqa: F811
    number = in_review(desk, people, **form)
    reviews.save(desk, people["owner"], number, body(depth))
    reviews.submit(desk, people["owner"], number)
    return number


@pytest.mark.feature("R3")
def test_a_vote_is_for_the_text_as_it_was(desk: Desk, people: Crew) -> None:  # noqa: F811
    number = submitted(desk, people, "full", impact=1, urgency=1)
    reviews.approve(desk, people["reviewer"], number)
    reviews.request_changes(desk, people["reviewer2"], number, "The trigger is another one")
    assert versions(desk, number) == [(2, "changes_requested", 0), (1, "superseded", 1)]
    reviews.save(desk, people["owner"], number, {"trigger": "A cable was pulled in the cellar"})
    reviews.submit(desk, people["owner"], number)
    reviews.approve(desk, people["reviewer2"], number)
    assert status(desk, number) == "review", "one vote is for this text"
    reviews.approve(desk, people["reviewer"], number)
    assert status(desk, number) == "closed"


@pytest.mark.feature("R3")
def test_who_voted_and_then_wrote_is_an_author(desk: Desk, people: Crew) -> None:  # noqa: F811
    number = submitted(desk, people, "full", impact=1, urgency=1)
    reviews.approve(desk, people["admin"], number)
    reviews.request_changes(desk, people["reviewer"], number, "The trigger is another one")
    reviews.save(desk, people["admin"], number, {"trigger": "A cable was pulled in the cellar"})
    reviews.submit(desk, people["owner"], number)
    with pytest.raises(Refused, match="wrote"):
        reviews.approve(desk, people["admin"], number)


@pytest.mark.feature("R3")
def test_a_review_of_an_old_cycle_waits_for_nobody(desk: Desk, people: Crew) -> None:  # noqa: F811
    number = submitted(desk, people, "lite")
    incidents.reopen(desk, people["lead"], number, "It is back")
    assert versions(desk, number) == [(1, "superseded", 0)]
    with desk.read() as tx:
        assert look.pending(tx).items == ()
        assert nav.counts(tx, people["lead"].id or 0).reviews == 0


@pytest.mark.feature("R3")
def test_text_that_is_kept_keeps_its_author(desk: Desk, people: Crew) -> None:  # noqa: F811
    """The owner wrote it in the first cycle; somebody else solves it in the second and hands the same text in."""
    number = submitted(desk, people, "lite")
    incidents.reopen(desk, people["lead"], number, "It is back")
    incidents.assign(desk, people["lead"], number, "agent")
    resolution.resolve(desk, people["agent"], number, "fixed", "hardware", "New drum", "Your printer has a new drum.")
    resolution.verify(desk, people["lead"], number, "pass", "printed a page", "page on the desk", True)
    resolution.confirm(desk, people["requester"], number, True)
    reviews.submit(desk, people["agent"], number)
    with pytest.raises(Refused, match="wrote"):
        reviews.approve(desk, people["owner"], number)
    reviews.approve(desk, people["lead"], number)
    assert status(desk, number) == "closed"
