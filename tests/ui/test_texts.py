"""Markdown from strangers, catalogues, sentences of the rules in French, vendored files."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import Flask, g
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.domain.guards import GUARDS
from servicedesk.domain.lifecycle import ACTS, MOVES
from servicedesk.domain.notification import EVENTS
from servicedesk.web import i18n, markdown
from servicedesk.web.ui.filters import is_web_address
from servicedesk.web.ui.sentences import say
from servicedesk.web.ui.words import _PLAIN
from tests.support.source import ROOT
from tools import messages, vendor

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](  JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "![x](https://evil.example/pixel.png)",
    "<a href='#' onclick='alert(1)' style='position:fixed'>x</a>",
    "<div hx-get='/queue' hx-trigger='load'>x</div>",
    "<https://x.example/\"onmouseover=alert(1)>",
    "```html\n<script>alert(1)</script>\n```",
    "&lt;script&gt;",
]  # fmt: skip
TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "hr", "li", "ol", "p", "pre", "s", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip


class Checked(HTMLParser):
    """Fails on any element or attribute that no text of a stranger may bring."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in {"href", "title", "rel", "start"}, name
            if name == "href":
                assert (value or "").split(":")[0].lower() in {"http", "https", "mailto"} or ":" not in (value or "")


@pytest.mark.parametrize("text", ATTACKS)
def test_markdown_of_an_attacker_is_dead(text: str) -> None:
    for html in (markdown.render(text), markdown.render_guide(text)):
        Checked().feed(html)


@given(st.text(alphabet=st.sampled_from("<>\"'=/\\:#[]()!`*_-\n abhonrefscxjvipt&;{}%"), max_size=80))
def test_no_text_brings_markup_of_its_own(text: str) -> None:
    Checked().feed(markdown.render(text))


def test_markdown_that_is_wanted_stays() -> None:
    html = markdown.render("**bold** `code`\nnext\n\n- one\n\n|a|b|\n|-|-|\n|1|2|\n\n[link](https://example.org)")
    for wanted in ("<strong>bold</strong>", "<code>code</code>", "<br>", "<li>one</li>", "<td>1</td>", 'rel="noopener'):
        assert wanted in html
    assert "<br>" not in markdown.render_guide("one\ntwo"), "files are wrapped at a margin"


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("https://x.example/a", True), ("http://x", True), ("javascript:alert(1)", False), ("//x.example", False),
        ("https:\\\\x", False), ("ftp://x", False), ("", False), ("https://", False), ("http://[", False),
    ],
)  # fmt: skip
def test_only_web_addresses_become_links(text: str, good: bool) -> None:
    assert is_web_address(text) is good


@pytest.mark.feature("A6")
def test_the_catalogues_are_whole_and_compiled() -> None:
    assert list(messages.problems()) == []


def test_almost_every_sentence_of_the_rules_is_translated() -> None:
    """What others write in the tables is English until it is translated; it must not be left so for long."""
    assert len(list(messages.english())) <= 20


def test_a_text_without_translation_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "fr" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    source = messages.LOCALES / "fr" / "LC_MESSAGES"
    text = (source / "messages.po").read_text(encoding="utf-8")
    assert 'msgid "Take it"\nmsgstr "Prendre"' in text
    (folder / "messages.po").write_text(text.replace('msgstr "Prendre"', 'msgstr ""'), encoding="utf-8")
    (folder / "messages.mo").write_bytes((source / "messages.mo").read_bytes())
    monkeypatch.setattr(messages, "LOCALES", tmp_path)
    found = list(messages.problems())
    assert any("not translated: 'Take it'" in line for line in found)
    assert any("older than" in line for line in found)


@pytest.mark.feature("A6", "A7")
@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("Triage is not finished: set category, impact.", "Le tri n’est pas fini : renseignez catégorie, impact."),
        ("2 alerts (A, B) still firing.", "2 alertes (A, B) encore actives."),
        (
            "1 alert (A; b) still firing; 1 alert (C) cannot clear itself: the resolver declares it ended.",
            "1 alerte (A; b) encore active; 1 alerte (C) ne peut annoncer sa fin : le résolveur la déclare terminée.",
        ),
        (
            "1 mandatory playbook step (x) without an outcome. Do them, or skip them with a reason.",
            "1 étape obligatoire du guide (x) sans résultat. Faites-les, ou passez-les avec une raison.",
        ),
        ("The lite review is in review, not approved.", "Le bilan allégé n’est pas approuvé (à approuver)."),
        ("Impact: write it (Who could not do what, for how long, how many.).", None),
        ("A reason is needed.", "Il faut une raison."),
        ("Something that nobody translated.", "Something that nobody translated."),
        ("", ""),
    ],
)
def test_sentences_of_the_rules_are_said_in_french(english: str, french: str | None) -> None:
    with Flask(__name__).test_request_context("/"):
        g.language = "fr"
        said = say(english)
        assert said == french if french is not None else said.startswith("Impact : écrivez-le (Qui ne pouvait")
        g.language = "en"
        assert say(english) == english


def test_every_rule_speaks_french() -> None:
    known = i18n.catalogue("fr")
    texts = [g.title for g in GUARDS] + [m.text for m in MOVES] + [a.text for a in ACTS]
    assert [text for text in texts if known.gettext(text) == text] == []


def test_the_language_of_a_request() -> None:
    app = Flask(__name__)
    for header, language in (("fr-CA,fr;q=0.9", "fr"), ("de,en;q=0.5", "en"), ("de", "en"), ("", "en")):
        with app.test_request_context("/", headers={"Accept-Language": header}):
            assert i18n.language() == language
            i18n.prefer("fr")
            assert i18n.language() == "fr"
            i18n.prefer("xx")
            assert i18n.language() == "fr"


def test_vendored_files_are_those_of_the_lock() -> None:
    assert vendor.check(vendor.read_lock()) == []
    text = vendor.LOCK.read_text(encoding="utf-8")
    assert "://" not in text, "the lock names no address"
    for name, package in json.loads(text)["packages"].items():
        assert f"{name}@{package['version']}" in vendor.NOTICES.read_text(encoding="utf-8")


def test_an_edited_or_stray_vendored_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "vendor").mkdir()
    for path in vendor.NOTICES.parent.iterdir():
        (tmp_path / "vendor" / path.name).write_bytes(path.read_bytes())
    assert vendor.check(vendor.read_lock(), tmp_path) == []
    (tmp_path / "vendor" / "htmx.min.js").write_bytes(b"alert(1)")
    (tmp_path / "vendor" / "stray.js").write_bytes(b"")
    (tmp_path / "vendor" / "icons.svg").unlink()
    found = "\n".join(vendor.check(vendor.read_lock(), tmp_path))
    for name in ("htmx.min.js", "stray.js", "icons.svg"):
        assert name in found


def test_every_style_and_script_is_ours() -> None:
    """No address of elsewhere in what the browser loads."""
    for path in (ROOT / "servicedesk/web/static").rglob("*"):
        if path.suffix in (".css", ".js") and path.parent.name != "vendor":
            assert "//" not in path.read_text(encoding="utf-8").replace("// ", "").replace('"//"', ""), path


def test_every_notice_has_a_name_on_the_ticket() -> None:
    assert EVENTS.keys() <= _PLAIN["event"].keys()
