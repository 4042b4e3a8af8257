"""Stories told through the forms of the pages alone, as somebody without JavaScript lives them, on both databases."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import insert

from servicedesk.desk import Desk
from servicedesk.domain.notification import link_hash
from servicedesk.services import followups, incidents, judgement, resolution, reviews
from servicedesk.services.incidents import NewTicket
from servicedesk.store.tables import signin_link
from servicedesk.store.views import gates
from tests.support.clock import Clock
from tests.support.pages import Visitor, person


def fill_lite_review(v: Visitor) -> None:
    v.get("/incidents/INC-1/review")
    v.send(
        "/review",
        "Save the draft",
        summary="It was slow.",
        impact="Nobody could order.",
        went_well="Seen at once.",
        went_badly="No roll-back at hand.",
        no_actions_because="The cause is gone for good.",
        **{"factor0.text": "A new image", "factor0.kind": "technical"},
    )


@pytest.mark.feature("T2", "R1", "R3", "A7", "T6")
def test_an_alert_walks_to_closed(desk: Desk, app: Flask, clock: Clock, post) -> None:  # type: ignore[no-untyped-def]
    person(desk, "ada", "agent")
    person(desk, "ben", "agent")
    post("firing", began=10)
    ada, ben = Visitor(app, "ada"), Visitor(app, "ben")
    assert "ShopLatency" in ada.get("/queue?owner=none").text
    ada.get("/incidents/1")
    ada.send("/do/take", "Take it")
    assert "still firing" in ada.text
    post("resolved")
    ada.get("/incidents/1")
    ada.send("/comments", text="looked at **it**", visibility="internal")
    assert "<strong>it</strong>" in ada.html
    ada.get("/incidents/1/do/resolve")
    ada.send("/do/resolve", status=409, notes="rolled back")
    assert "resolution code" in ada.text
    assert "rolled back" in ada.html, "what was typed stays"
    ada.send("/do/resolve", code="fixed", cause="change", notes="rolled back")
    assert "Verification and confirmation begin" in ada.text
    clock.advance(timedelta(minutes=61))
    judgement.run_due(desk)
    assert "review under way" in ada.get("/incidents/1").text
    fill_lite_review(ada)
    ada.send("/review", "Save and hand in")
    assert "Handed in" in ada.text
    ben.get("/reviews?status=in_review")
    ben.get("/incidents/1/review")
    ben.send("/review/changes", text="Say who noticed.")
    assert "Say who noticed." in ada.get("/incidents/1/review").text
    ada.send("/review", "Save and hand in")
    ben.get("/incidents/1/review")
    ben.send("/review/approval", text="good")
    assert "Every gate passed" in ben.get("/incidents/1").text
    assert "Closed" in ben.text
    assert "Closed" in ben.get("/queue?status=closed").text


@pytest.mark.feature("T2", "A7")
def test_who_asked_reads_why_it_was_declined(desk: Desk, app: Flask) -> None:
    person(desk, "ada", "agent")
    person(desk, "rosa", "requester")
    rosa, ada = Visitor(app, "rosa"), Visitor(app, "ada")
    rosa.get("/incidents/new")
    rosa.send("/incidents", type="request", title="A second screen", category="workplace")
    ada.get("/incidents/1/do/cancel")
    ada.send("/do/cancel", code="declined", reason="Screens are given out in spring.")
    assert "Screens are given out in spring." in rosa.get("/incidents/1").text
    ada.get("/incidents")
    assert ada.path == "/queue"


@pytest.mark.feature("T20", "T1")
def test_a_requester_asks_is_answered_and_confirms(desk: Desk, app: Flask) -> None:
    person(desk, "ada", "agent")
    person(desk, "ben", "agent")
    person(desk, "rosa", "requester")
    rosa, ada, ben = Visitor(app, "rosa"), Visitor(app, "ada"), Visitor(app, "ben")
    assert rosa.path == "/my"
    rosa.get("/incidents/new")
    rosa.send("/incidents", status=422, title="  ")
    rosa.send("/incidents", type="question", title="How do I print?", category="workplace")
    assert "How do I print?" in rosa.text
    ada.get("/incidents/1")
    ada.send("/do/take", "Take it")
    ada.get("/incidents/1/do/hold")
    ada.send("/do/hold", status=409, reason="requester")
    assert "public question" in ada.text
    ada.send("/do/hold", reason="requester", question="Which printer?")
    assert "On hold" in ada.text
    assert "waits for you" in rosa.get("/my").text
    rosa.get("/incidents/1")
    assert "Which printer?" in rosa.text
    rosa.send("/comments", text="The blue one.")
    ada.get("/incidents/1")
    ada.send("/comments", text="secret thoughts", visibility="internal")
    ada.get("/incidents/1/do/resolve")
    ada.send("/do/resolve", code="user_guidance", cause="usage", notes="internal words", summary="Manual lacked it.")
    ada.get("/incidents/1/do/verify")
    ada.send("/do/verify", status=422, verdict="pass", tested="printed")
    assert "Give the evidence" in ada.text
    ada.send("/do/verify", verdict="pass", tested="printed", evidence="a page", no_new_problem="1")
    rosa.get("/incidents/1")
    assert "secret thoughts" not in rosa.html
    rosa.send("/confirmation", "No, not solved", status=422)
    assert "Say what is not solved" in rosa.text
    rosa.send("/confirmation", "Yes, it is solved")
    assert "Resolved" in rosa.text
    assert "review under way" not in rosa.text
    ben.get("/incidents/1/review")
    ben.send("/review/approval", "Approve")
    assert "closing explanation for the requester is not written" in ada.get("/incidents/1").text
    ada.get("/incidents/1/do/explain")
    ada.send("/do/explain", text="Use the menu.")
    assert "Every gate passed" in ada.text
    assert "Use the menu." in rosa.get("/incidents/1").text
    rosa.get("/incidents/1/do/reopen")
    rosa.send("/do/reopen", reason="It stopped again.")
    assert "In progress" in ada.get("/incidents/1").text


def test_a_row_that_changed_meanwhile_is_not_overwritten(desk: Desk, app: Flask) -> None:
    person(desk, "ada", "lead")
    ada, other = Visitor(app, "ada"), Visitor(app, "ada")
    ada.get("/incidents/new")
    ada.send("/incidents", title="Slow", category="network")
    for one in (ada, other):
        one.get("/incidents/1/do/edit")
    other.send("/do/edit", title="Slow network", impact="1")
    ada.send("/do/edit", status=412, title="Slow net")
    assert "Somebody changed it meanwhile" in ada.text
    assert 'value="Slow net"' in ada.html
    assert "Slow network" in ada.get("/incidents/1").text


@pytest.mark.feature("T13")
def test_what_comes_again_shows_what_was_learned(desk: Desk, app: Flask, clock: Clock, post) -> None:  # type: ignore[no-untyped-def]
    lead = person(desk, "ada", "lead")
    ada = Visitor(app, "ada")
    post("firing", began=10)
    post("resolved")
    incidents.cancel(desk, lead, 1, "false_positive", "The threshold is too low")
    reviews.save(desk, lead, 1, {"summary": "It fires whenever a backup runs"})
    done = followups.add_action(desk, lead, 1, "Write to the vendor", "process", "ada", clock.now())
    followups.update_action(desk, lead, 1, done, {"status": "done", "proof": "mail of Monday"})
    followups.add_action(desk, lead, 1, "Raise the threshold", "prevent", "ada", clock.now())
    clock.advance(timedelta(hours=1))
    post("firing")
    text = ada.get("/incidents/2").text
    assert "The last time: INC-1" in text
    assert "It fires whenever a backup runs" in text
    assert "Raise the threshold" in text
    assert "Write to the vendor" not in text
    assert "The last time" not in ada.get("/incidents/1").text


@pytest.mark.feature("T26")
def test_sub_tasks_are_made_ticked_and_skipped_on_the_page(desk: Desk, app: Flask, post) -> None:  # type: ignore[no-untyped-def]
    person(desk, "ada", "agent")
    post("firing")
    ada = Visitor(app, "ada")
    ada.get("/incidents/1")
    ada.send("/tasks", title="!", status=422)
    assert "Begin with a verb" in ada.text
    ada.send("/tasks", title="Call the vendor", assignee="ada", due="2031-05-01", mandatory="1")
    ada.send("/tasks", title="Order a disk")
    ada.get("/incidents/1")
    assert "Call the vendor" in ada.text
    assert "Order a disk" in ada.text
    ada.send("/tasks/1", "Skip", status=422)
    assert "Say why it is not done" in ada.text
    ada.send("/tasks/1", "Skip", reason="They called us.")
    ada.send("/tasks/2", "Done")
    ada.get("/incidents/1")
    assert "They called us." in ada.text
    with desk.read() as tx:
        assert [k.status for k in gates.tasks(tx, 1)] == ["skipped", "done"]


@pytest.mark.feature("A8")
def test_a_second_person_decides(desk: Desk, app: Flask, post) -> None:  # type: ignore[no-untyped-def]
    person(desk, "ada", "lead")
    person(desk, "ben", "agent")
    post("firing", severity="critical", service="till")
    ada, ben = Visitor(app, "ada"), Visitor(app, "ben")
    ada.get("/incidents/1/do/edit")
    ada.send("/do/edit", impact="1", urgency="1")
    ada.get("/incidents/1/do/ask_second_person")
    ada.send("/do/ask_second_person", kind="cancellation", code="false_positive", reason="It was a drill.")
    ada.get("/second-person-requests")
    ada.send("/second-person-requests/1", "Approve", status=409)
    assert "Another person" in ada.text
    ben.get("/second-person-requests")
    ben.send("/second-person-requests/1", "Refuse", status=422)
    ben.send("/second-person-requests/1", "Approve", comment="I was there.")
    ben.get("/second-person-requests?status=approved")
    assert "I was there." in ben.text


@pytest.mark.feature("A1", "A9")
def test_an_admin_makes_teams_services_users_and_tokens(desk: Desk, app: Flask) -> None:
    person(desk, "root", "admin")
    root = Visitor(app, "root")
    root.get("/teams")
    root.send("/teams", "Add the team", name="Network", email="net@example.org")
    root.send("/teams", "Add the team", status=409, name="Network")
    assert "already" in root.text
    root.get("/services")
    root.send("/services", "Add the service", name="wifi", team="Network", criticality="1")
    root.get("/users")
    root.send("/users", "Add the user", name="zoe", display="Zoe", roles=["agent", "reviewer"])
    root.send("/users/zoe/link", "Sign-in link")
    link = next(line for line in root.page.words if "/sign-in/link/" in line)
    zoe = Visitor(app)
    zoe.get(link[link.index("/sign-in") :])
    zoe.send(link[link.index("/sign-in") :], "Sign in")
    assert zoe.path == "/settings"
    zoe.send("/settings/password", new="another good password")
    zoe.get("/users", status=403)
    root.get("/users/zoe")
    root.send("/users/zoe", roles=["lead"], active=[])
    assert "disabled" in root.get("/users").text
    zoe.get("/queue")
    assert zoe.path == "/sign-in", "a disabled account is signed out"
    root.get("/tokens")
    root.send("/tokens", "Make the token", service="prod-am", source="prod", scopes=["ingest"])
    assert "It is shown only now" in root.text
    secret = next(word for word in root.text.split() if word.startswith("sd_") and "…" not in word)
    assert secret not in root.get("/tokens").text
    root.send("/revocation", "Revoke")
    assert "Revoked." in root.text


@pytest.mark.feature("A6")
def test_language_and_theme_are_kept(desk: Desk, app: Flask) -> None:
    person(desk, "ada", "agent")
    ada = Visitor(app, "ada")
    ada.get("/settings")
    ada.send("/settings/theme", "Dark")
    assert 'data-theme="dark"' in ada.html
    ada.send("/settings/profile", display="Ada M.", language="fr")
    assert '<html lang="fr"' in ada.html
    assert "File d’attente" in ada.get("/queue").text
    assert "Nouveau ticket" in ada.text


def test_a_sign_in_that_fails_says_nothing_of_why(app: Flask, desk: Desk) -> None:
    person(desk, "ada", "agent")
    nobody = Visitor(app)
    nobody.get("/queue")
    assert nobody.path == "/sign-in"
    nobody.send("/sign-in", status=401, name="ada", password="wrong")
    wrong_password = nobody.text
    nobody.get("/sign-in")
    nobody.send("/sign-in", status=401, name="nobody", password="wrong")
    assert nobody.text.replace("nobody", "") == wrong_password.replace("ada", "")
    nobody.get("/sign-in?next=https://evil.example/")
    nobody.send("/sign-in", name="ada", password="correct horse battery staple")
    assert nobody.path == "/queue"


def test_a_dead_letter_is_replayed(desk: Desk, app: Flask, clock: Clock) -> None:
    from servicedesk.services import apply, intake

    person(desk, "ada", "admin")
    intake.store(desk, b"{not json", "alertmanager", "prod-am", "application/json", clock.now())
    apply.run_all(desk)
    ada = Visitor(app, "ada")
    assert "prod-am" in ada.get("/deliveries").text
    ada.get("/deliveries/1")
    assert "{not json" in ada.text
    ada.send("/deliveries/1/replay", "Replay")
    assert ada.path == "/deliveries/1"


SECRET = "s3cret-of-the-mail"


def resolved_for_rosa(desk: Desk) -> str:
    """Ticket 1, and the secret of the link that a mail to its requester carries."""
    ada, rosa = person(desk, "ada", "agent"), person(desk, "rosa", "requester")
    incidents.open_ticket(desk, rosa, NewTicket("Cannot print", category="workplace"))
    incidents.take(desk, ada, 1)
    resolution.resolve(desk, ada, 1, "fixed", "hardware", "New toner", "There is new toner in it.")
    row = {
        "id_hash": link_hash(SECRET),
        "purpose": "confirm",
        "user_id": rosa.id,
        "incident_id": 1,
        "cycle": 1,
        "expires_at": desk.now() + timedelta(days=3),
    }
    desk.write(lambda tx: tx.run(insert(signin_link).values(row)))
    return SECRET


def test_the_link_in_a_mail_asks_before_it_confirms(desk: Desk, app: Flask) -> None:
    mail_link = resolved_for_rosa(desk)
    nobody = Visitor(app)
    for _look in range(3):
        assert "There is new toner in it." in nobody.get(f"/portal/confirm/{mail_link}").text
    assert incidents.facts(desk, 1).confirmations == ()
    nobody.send(f"/portal/confirm/{mail_link}", "No, not solved", status=422)
    assert "Say what is not solved" in nobody.text
    nobody.send(f"/portal/confirm/{mail_link}", "Yes, it is solved")
    assert "Thank you" in nobody.text
    assert [c.kind for c in incidents.facts(desk, 1).confirmations] == ["link"]
    nobody.get(f"/portal/confirm/{mail_link}", status=404)


def test_the_link_in_a_mail_rejects(desk: Desk, app: Flask) -> None:
    mail_link = resolved_for_rosa(desk)
    nobody = Visitor(app)
    nobody.get(f"/portal/confirm/{mail_link}")
    nobody.send(f"/portal/confirm/{mail_link}", "No, not solved", comment="It prints pink.")
    assert incidents.facts(desk, 1).status == "in_progress"
    nobody.get("/portal/confirm/made-up", status=404)
