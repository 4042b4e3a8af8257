"""The policy file: the numbers of the domain as defaults, overrides key by key, faults named by file, line and key."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.domain.policy import Days, Policy
from servicedesk.domain.policy_problems import problems
from servicedesk.errors import FileError
from servicedesk.files import policies

DEFAULT = policies.load(None)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def load(folder: Path, **files: str) -> Policy:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return policies.load(folder)


def refused(folder: Path, text: str) -> FileError:
    with pytest.raises(FileError) as caught:
        load(folder, own=text)
    assert caught.value.file == str(folder / "own.yaml")
    return caught.value


# --- the defaults are the domain's -----------------------------------------------------------------------------------


@pytest.mark.feature("T4")
def test_priority_matrix_and_impact() -> None:
    assert DEFAULT.priority.matrix == ((1, 2, 3), (2, 3, 4), (3, 4, 5))
    assert DEFAULT.priority.impact.unknown_service == 2
    assert DEFAULT.priority.default_severity == "warning"
    assert {DEFAULT.priority.severities[w] for w in ("critical", "page", "p1")} == {1}


def test_times_of_alerts() -> None:
    alerts = DEFAULT.alerts
    assert (alerts.join_window, alerts.suspect_confirm, alerts.one_incident_per_alert) == (
        10 * MINUTE,
        6 * MINUTE,
        False,
    )
    assert alerts.quiet_window == {1: 30 * MINUTE, 2: 30 * MINUTE, 3: HOUR, 4: HOUR, 5: HOUR}
    assert (alerts.storm.incidents, alerts.storm.window) == (20, MINUTE)
    assert (alerts.false_positives.count, alerts.false_positives.window) == (3, 30 * DAY)
    assert (alerts.recurrence.count, alerts.recurrence.window) == (3, 30 * DAY)
    auto = alerts.auto_resolve
    assert (auto.enabled, auto.priorities, auto.after) == (False, (4, 5), 15 * MINUTE)
    assert (set(alerts.ignored_alertnames), set(alerts.ignored_severities)) == ({"Watchdog", "InfoInhibitor"}, {"none"})


def test_times_of_waiting_and_ageing() -> None:
    ageing = DEFAULT.ageing
    assert ageing.unassigned == {1: 10 * MINUTE, 2: 10 * MINUTE, 3: HOUR, 4: HOUR, 5: HOUR}
    assert ageing.stale == 7 * DAY
    assert ageing.silence.reminders == (Days(2, True), Days(5, True))
    assert (ageing.silence.tell_lead, ageing.silence.confirm) == (Days(6, True), Days(7, True))
    assert ageing.silence.never_for.priorities == (1, 2)
    assert DEFAULT.closing.requester_reopens_within == 7 * DAY
    assert DEFAULT.closing.satisfaction_asked_after == DAY


@pytest.mark.feature("R1")
def test_reviews() -> None:
    review = DEFAULT.review
    assert review.depth.by_priority == {1: "full", 2: "full", 3: "lite", 4: "lite", 5: "micro"}
    assert review.depth.self_recovered == {1: "lite", 2: "lite", 3: "micro", 4: "micro", 5: "micro"}
    assert review.due_in("full", 1) == Days(3, business=False)
    others = [days for due in review.due.values() for days in due.values() if days != review.due_in("full", 1)]
    assert others == [Days(5, business=True)] * 14
    assert (review.second_approver, review.waivable) == ((1,), (2, 3, 4, 5))
    assert (DEFAULT.cancellation.second_person, DEFAULT.solo_mode) == ((1, 2), False)


def test_every_name_is_shown_in_both_languages() -> None:
    words = [
        w.name for table in (DEFAULT.states, DEFAULT.resolution_codes, DEFAULT.cause_classes) for w in table.values()
    ]
    words += [r.name for r in DEFAULT.hold_reasons.values()] + [r.name for r in DEFAULT.cancellation_reasons.values()]
    assert all(w.en.strip() and w.fr.strip() for w in [*words, *DEFAULT.categories.values()])
    french = {state: DEFAULT.states[state].name.text("fr_FR") for state in DEFAULT.states}
    assert french["review"] == "Résolu – bilan en cours"
    assert french["new"] == "Nouveau"
    assert DEFAULT.states["review"].requester is not None
    assert DEFAULT.states["review"].requester.text("de") == "Resolved"


def test_cancellation_reasons_follow_the_rules_of_m9() -> None:
    reasons = DEFAULT.cancellation_reasons
    assert {r for r in reasons if reasons[r].role == "lead"} == {"false_positive", "not_an_incident"}
    assert {r for r in reasons if reasons[r].review} == {"false_positive", "not_an_incident"}
    assert {r for r in reasons if reasons[r].target} == {"duplicate", "merged"}
    assert {r for r in reasons if reasons[r].requester_only} == {"spam", "withdrawn", "declined"}


# --- overrides -------------------------------------------------------------------------------------------------------


def test_a_file_changes_only_what_it_says(tmp_path: Path) -> None:
    own = load(
        tmp_path, own="schema: 1\nalerts:\n  quiet_window: {1: 45m}\n  suspect_confirm_by_source: {prod-am: 90s}"
    )
    assert own.alerts.quiet_window == DEFAULT.alerts.quiet_window | {1: 45 * MINUTE}
    assert own.alerts.suspect_confirm_for("prod-am") == 90 * timedelta(seconds=1)
    assert own.alerts.suspect_confirm_for("other") == 6 * MINUTE
    assert own.ageing == DEFAULT.ageing
    assert own.review == DEFAULT.review


def test_entries_are_added_and_taken_away(tmp_path: Path) -> None:
    own = load(tmp_path, own="schema: 1\ncategories:\n  sap: {en: SAP, fr: SAP}\n  telephony: null")
    assert set(own.categories) == set(DEFAULT.categories) - {"telephony"} | {"sap"}


def test_lists_are_replaced(tmp_path: Path) -> None:
    own = load(tmp_path, own="schema: 1\nalerts: {ignored_alertnames: [DeadMan]}")
    assert own.alerts.ignored_alertnames == ("DeadMan",)


def test_holidays_are_dates(tmp_path: Path) -> None:
    assert load(tmp_path, own="schema: 1\ncalendar: {holidays: [2026-12-25, 2027-01-01]}").calendar.holidays == (
        "2026-12-25",
        "2027-01-01",
    )


def test_later_files_win_and_others_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("solo_mode: maybe")
    assert load(tmp_path, a="schema: 1\nsolo_mode: true", b="schema: 1\nsolo_mode: false", c="").solo_mode is False
    assert policies.load(tmp_path / "a.yaml").solo_mode is True


def test_an_empty_folder_changes_nothing(tmp_path: Path) -> None:
    assert policies.load(tmp_path) == DEFAULT


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "key", "word"),
    [
        ("schema: 1\nalrts: {}", 2, "alrts", "did you mean 'alerts'?"),
        ("solo_mode: true", 1, "", "`schema: 1`"),
        ("- 1", 1, "", "mapping"),
        ("schema: 2", 1, "schema", "use one of 1"),
        ("schema: 1\nsolo_mode: yes", 2, "solo_mode", "true or false"),
        ("schema: 1\nalerts:\n  join_window: 10", 3, "alerts.join_window", "write one like 10m"),
        ("schema: 1\nalerts:\n  quiet_window:\n    6: 1h", 4, "alerts.quiet_window.6", "<= 5"),
        ("schema: 1\nalerts:\n  quiet_window: {3: }", 3, "alerts.quiet_window", "3 must be here"),
        ("schema: 1\nreview:\n  due:\n    full: {1: 3 weeks}", 4, "review.due.full.1", "5 business days"),
        ("schema: 1\nreview:\n  due:\n    deep: {}", 4, "review.due.deep", "'deep'"),
        (
            "schema: 1\npriority:\n  matrix:\n  - [1, 2, 3]\n  - [2, 1, 4]\n  - [3, 4, 5]",
            5,
            "priority.matrix[1][1]",
            "impact",
        ),
        ("schema: 1\npriority:\n  severities:\n    hot: 4", 4, "priority.severities.hot", "<= 3"),
        ("schema: 1\npriority:\n  severities:\n    Hot: 1", 4, "priority.severities.Hot", "lower case"),
        ("schema: 1\npriority: {default_severity: odd}", 2, "priority.default_severity", "use one of"),
        ("schema: 1\nalerts: {category: infra}", 2, "alerts.category", "use one of infrastructure"),
        ("schema: 1\nresolution_codes:\n  no_response: null", 2, "resolution_codes", "no_response must be here"),
        (
            "schema: 1\nstates: {new: {name: {en: Fresh}}}\ncause_classes: {x: {name: {en: X}}}",
            3,
            "cause_classes.x.name",
            "fr",
        ),
        ("schema: 1\nageing:\n  silence: {confirm: 3 business days}", 3, "ageing.silence", "follow each other"),
        ("schema: 1\nageing:\n  silence: {confirm: 9 days}", 3, "ageing.silence", "same kind of days"),
        ("schema: 1\ncalendar: {timezone: Mars/Base}", 2, "calendar.timezone", "Europe/Paris"),
        ("schema: 1\ncalendar: {timezone: Europe}", 2, "calendar.timezone", "Europe/Paris"),
        ("schema: 1\ncalendar: {opens: 9am}", 2, "calendar.opens", "09:00"),
        ("schema: 1\ncalendar: {closes: 08:00}", 2, "calendar.closes", "later"),
        ("schema: 1\ncalendar: {workdays: []}", 2, "calendar.workdays", "empty"),
        ("schema: 1\ncalendar:\n  holidays:\n    - 2026-02-30", 4, "calendar.holidays[0]", "2026-12-25"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, text: str, line: int, key: str, word: str) -> None:
    error = refused(tmp_path, text)
    assert (error.line, error.key) == (line, key)
    assert word in error.message


def test_removing_every_entry_is_refused(tmp_path: Path) -> None:
    gone = "".join(f"  {c}: null\n" for c in DEFAULT.cause_classes)
    assert "at least one" in refused(tmp_path, f"schema: 1\ncause_classes:\n{gone}").message


def test_a_place_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="does not exist"):
        policies.load(tmp_path / "absent")


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 5))
def test_any_matrix_is_accepted_exactly_when_it_never_rises(impact: int, urgency: int, value: int) -> None:
    """One cell of the default matrix is changed: it fits when its neighbours keep their order."""
    rows = [list(r) for r in DEFAULT.priority.matrix]
    rows[impact - 1][urgency - 1] = value
    ordered = all(rows[i][j] <= rows[i][j + 1] for i in range(3) for j in range(2))
    ordered &= all(rows[i][j] <= rows[i + 1][j] for i in range(2) for j in range(3))
    changed = tuple(tuple(r) for r in rows)
    priority = msgspec.structs.replace(DEFAULT.priority, matrix=changed)
    found = list(problems(msgspec.structs.replace(DEFAULT, priority=priority)))
    assert bool(found) is not ordered
