"""What a sender's own automatic handling did stands on the ticket, as actor “automation”."""

from datetime import timedelta

import pytest

from servicedesk.desk import Desk
from servicedesk.services import apply, intake
from tests.api.conftest import Callers
from tests.support.alertmanager import body, member
from tests.support.pages import open_pages, sign_in_as

pytestmark = pytest.mark.feature("P10")
LABELS = {"alertname": "PodDown", "service": "shop", "severity": "warning"}
RUN = {"name": "restart shop", "outcome": "succeeded", "summary": "<b>2 pods</b>", "url": "https://ci.example/7"}


@pytest.fixture
def callers(desk: Desk) -> Callers:
    made = Callers(desk)
    for source, labels in (("prod-am", LABELS), ("other", LABELS | {"alertname": "Theirs"})):
        raw = body([member(labels, desk.now() - timedelta(minutes=5))])
        intake.store(desk, raw, "alertmanager", source, "application/json", desk.now())
        apply.run_all(desk)
    return made


def test_a_senders_token_posts_to_its_own_tickets(desk: Desk, callers: Callers) -> None:
    assert callers.sender.post("/automation", RUN | {"labels": LABELS}, 201) == {"number": "INC-1", "seq": None}
    again = callers.sender.post("/automation", RUN | {"number": "INC-1", "outcome": "failed"}, 201)
    assert again["number"] == "INC-1"
    callers.sender.post("/automation", RUN | {"number": "INC-2"}, 404)
    callers.sender.post("/automation", RUN | {"labels": LABELS | {"alertname": "Theirs"}}, 404)
    callers.sender.post("/automation", RUN, 422)
    callers.sender.post("/incidents/1/automation", RUN, 403)
    callers.nobody.post("/automation", RUN | {"labels": LABELS}, 401)
    lines = [e for e in callers.agent.get("/incidents/1/timeline")["items"] if e["kind"] == "automation"]
    assert [(e["actor"], e["role"], e["content"]["outcome"]) for e in lines] == [
        ("automation", "automation", "succeeded"),
        ("automation", "automation", "failed"),
    ]
    page = sign_in_as(open_pages(desk), desk, "agent").get("/incidents/1")
    assert "Automation: restart shop · succeeded automation" in page.text
    assert "<b>2 pods</b>" in page.text, "shown as text"


def test_an_agent_posts_for_a_job(callers: Callers) -> None:
    assert callers.agent.post("/incidents/2/automation", RUN, 201)["number"] == "INC-2"
    callers.requester.post("/incidents/2/automation", RUN, 403)
    told = callers.agent.post("/incidents/2/automation", RUN | {"outcome": "exploded", "url": "javascript:1"}, 422)
    assert {"outcome", "url"} <= set(str(told).replace("'", " ").split())


def test_nothing_is_added_to_what_is_over(callers: Callers) -> None:
    callers.lead.post("/incidents/2/comments", {"text": "x", "visibility": "internal"}, 201)
    raw = body([member(LABELS, callers.desk.now() - timedelta(minutes=5), callers.desk.now())])
    intake.store(callers.desk, raw, "alertmanager", "prod-am", "application/json", callers.desk.now())
    apply.run_all(callers.desk)
    callers.lead.post("/incidents/1/cancellation", {"code": "false_positive", "reason": "A test."})
    callers.sender.post("/automation", RUN | {"labels": LABELS}, 404)
    callers.sender.post("/automation", RUN | {"number": "INC-1"}, 409)
