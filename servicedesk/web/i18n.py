"""Languages: the catalogues under web/locales, the language of a request, and gettext for templates.

English is the text in the code; other languages are stdlib gettext catalogues (`messages.mo`, committed; made with
`tools/messages.py`). A request's language: the signed-in user's setting, else Accept-Language, else English.
"""

from __future__ import annotations

import gettext as catalogues
from functools import lru_cache
from pathlib import Path
from typing import cast

from flask import Flask, g, has_request_context, request

LANGUAGES = {"en": "English", "fr": "Français"}
LOCALES = Path(__file__).parent / "locales"


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(language: str) -> catalogues.NullTranslations:
    """The catalogue of a language; English, or a language without one, gives the text back."""
    return catalogues.translation("messages", LOCALES, [language], fallback=True)


def language() -> str:
    """The language of this request: one of LANGUAGES."""
    if not has_request_context():
        return "en"
    if "language" not in g:
        g.language = request.accept_languages.best_match(list(LANGUAGES)) or "en"
    return cast(str, g.language)


def prefer(wanted: str) -> None:
    """The user's own setting goes before what the browser asks for."""
    if wanted in LANGUAGES:
        g.language = wanted


def gettext(text: str) -> str:
    """A text in the language of the request; "" stays "" (gettext would answer the catalogue's header)."""
    return catalogue(language()).gettext(text) if text else ""


def ngettext(one: str, many: str, n: int) -> str:
    return catalogue(language()).ngettext(one, many, n)


def marked(text: str) -> str:
    """Marks a text of a table for the catalogue; it is translated where it is shown."""
    return text


def prepare(app: Flask) -> None:
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
