"""The texts of the pages for translators: extract, merge into the catalogues, compile.

    python tools/messages.py update    # collect the texts, merge them into every messages.po, compile messages.mo
    python tools/messages.py check     # says what is missing, fuzzy or not compiled; nothing is written

A text of web/ that is not translated is an error. A sentence of the tables is only named: it is shown in English until
somebody translates it.

Texts are those in `_()`, `ngettext()`, `marked()` and `{% trans %}` of web/, and the sentences and titles of the tables
that the pages show: guards, moves, fields of the review, and what services say about wrong input.
Needs Babel, which the program itself does not.
"""

from __future__ import annotations

import ast
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "servicedesk" / "web"
LOCALES = WEB / "locales"
KEYWORDS = {"_": None, "gettext": None, "marked": None, "ngettext": (1, 2)}
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
OPTIONS = {"templates/**.html": {"newstyle_gettext": "true", "trimmed": "true", "silent": "false"}}
TABLES = (
    "servicedesk/domain/guards.py", "servicedesk/domain/lifecycle.py", "servicedesk/domain/review.py",
    "servicedesk/services/incidents.py", "servicedesk/services/resolution.py", "servicedesk/services/reviews.py",
    "servicedesk/services/second_person.py", "servicedesk/services/followups.py", "servicedesk/services/playbooks.py",
    "servicedesk/services/people.py", "servicedesk/services/sessions.py", "servicedesk/services/tokens.py",
    "servicedesk/services/invitations.py", "servicedesk/services/shared/identity.py",
    "servicedesk/services/shared/passwords.py",
    "servicedesk/services/shared/lookup.py", "servicedesk/services/shared/owning.py",
    "servicedesk/services/shared/waiting.py", "servicedesk/services/shared/links.py", "servicedesk/web/errors.py",
    "servicedesk/web/auth.py",
)  # fmt: skip


def collect(tables: bool = True) -> Catalog:
    """Every text that may be shown, with where it stands; without `tables` only those of web/."""
    catalogue = Catalog(project="servicedesk", charset="utf-8")
    found = extract_from_dir(WEB, METHODS, OPTIONS, keywords=KEYWORDS, comment_tags=("Translators:",))
    for file, line, message, comments, _context in found:
        catalogue.add(message, locations=[(f"servicedesk/web/{file}", line)], auto_comments=comments)
    for name in TABLES if tables else ():
        for line, text in sentences(ROOT / name):
            catalogue.add(text, locations=[(name, line)])
    return catalogue


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """Plain string constants that read like a text for people: no docstrings, no parts of f-strings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in ast.walk(node)}
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            skipped.add(id(node.body[0].value))  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            text = node.value
            if " " in text and (text[0].isupper() or text.startswith("is ")) and not set("\n=|") & set(text):
                yield node.lineno, text


def catalogues() -> list[Path]:
    return sorted(LOCALES.glob("*/LC_MESSAGES/messages.po"))


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3], domain="messages")


def compiled(catalogue: Catalog) -> bytes:
    buffer = io.BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def update() -> None:
    template = collect()
    for path in catalogues():
        catalogue = read(path)
        template.creation_date = catalogue.creation_date  # a date alone is no change
        catalogue.update(template, no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        with path.open("wb") as file:
            write_po(file, catalogue, width=110, sort_output=True, omit_header=False, include_lineno=False)
        path.with_suffix(".mo").write_bytes(compiled(read(path)))


def problems() -> Iterator[str]:
    """What is wrong with the catalogues."""
    wanted = _ids(collect(tables=False))
    for path in catalogues():
        catalogue, language = read(path), path.parts[-3]
        have = {}
        for message in catalogue:
            if message.id:
                have[message.id if isinstance(message.id, str) else message.id[0]] = message
        yield from (f"{language}: not in the catalogue: {text!r}" for text in sorted(wanted - have.keys()))
        for text, message in sorted(have.items()):
            if text in wanted and _empty(message):
                yield f"{language}: not translated: {text!r}"
            yield from (f"{language}: {text!r}: {error}" for error in message.check(catalogue))
        if path.with_suffix(".mo").read_bytes() != compiled(catalogue):
            yield f"{language}: messages.mo is older than messages.po: run tools/messages.py update"


def english() -> Iterator[str]:
    """Sentences that stand in English in some catalogue, or in none yet."""
    for path in catalogues():
        translated = {
            message.id if isinstance(message.id, str) else message.id[0]
            for message in read(path)
            if message.id and not _empty(message)
        }
        yield from (f"{path.parts[-3]}: still English: {text!r}" for text in sorted(_ids(collect()) - translated))


def _ids(catalogue: Catalog) -> set[str]:
    return {message.id if isinstance(message.id, str) else message.id[0] for message in catalogue if message.id}


def _empty(message: Message) -> bool:
    strings = [message.string] if isinstance(message.string, str) else list(message.string or [""])
    return message.fuzzy or not all(strings)


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["update"]:
        update()
    found = list(problems())
    for line in [*found, *english()]:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
