"""A person without JavaScript: pages fetched, forms found, filled in and sent as a browser would send them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from flask import Flask
from werkzeug.test import TestResponse

from servicedesk.app import create_app
from servicedesk.desk import Desk
from servicedesk.domain.incident import SYSTEM, Actor
from servicedesk.services import people
from servicedesk.services.shared import passwords
from servicedesk.store.tables import user

PASSWORD = "correct horse battery staple"
VOID = {"input", "link", "meta", "br", "hr", "img", "use", "path", "circle", "rect"}


@dataclass
class Form:
    """A form of a page. fields: as a browser would send them without a button; buttons: (name, value, text)."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)
    elsewhere: dict[str, str] = field(default_factory=dict)  # text of a button that sends to another address: that

    def names(self) -> set[str]:
        return {name for name, _value in self.fields} | set(self.choices)


class Parsed(HTMLParser):
    """The forms, links, ids and scripts of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.labels: set[str] = set()
        self.inline: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._form: Form | None = None
        self._select = self._textarea = ""
        self._button: tuple[str, str] | None = None
        self._elsewhere = ""
        self._buffer = ""
        self._first_option = False
        self.feed(html)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {name: value or "" for name, value in attrs}
        self.tags.append((tag, a))
        self.inline += [f"{tag} {name}" for name in a if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in a):
            self.inline.append(tag)
        if "id" in a:
            self.ids.append(a["id"])
        if tag == "a" and "href" in a:
            self.links.append(a["href"])
        if tag == "label":
            self.labels.add(a.get("for", ""))
        if tag == "form":
            self._form = Form(a.get("action", ""), a.get("method", "get").lower())
            self.forms.append(self._form)
        elif self._form is not None:
            self._control(tag, a)

    def _control(self, tag: str, a: dict[str, str]) -> None:
        form, name = self._form, a.get("name", "")
        assert form is not None
        if tag == "input" and name:
            kind = a.get("type", "text")
            if kind in ("radio", "checkbox"):
                form.choices.setdefault(name, []).append(a.get("value", "on"))
                if "checked" in a:
                    form.fields.append((name, a.get("value", "on")))
            else:
                form.fields.append((name, a.get("value", "")))
        elif tag == "select":
            self._select, self._first_option = name, True
            form.choices.setdefault(name, [])
        elif tag == "option" and self._select:
            form.choices[self._select].append(a.get("value", ""))
            if self._first_option or "selected" in a:
                form.fields = [(n, v) for n, v in form.fields if n != self._select]
                form.fields.append((self._select, a.get("value", "")))
                self._first_option = False
        elif tag == "textarea":
            self._textarea, self._buffer = name, ""
        elif tag == "button":
            self._button, self._buffer, self._elsewhere = (name, a.get("value", "")), "", a.get("formaction", "")

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        self._buffer += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea" and self._form is not None:
            self._form.fields.append((self._textarea, self._buffer.removeprefix("\n")))
        elif tag == "button" and self._form is not None and self._button is not None:
            self._form.buttons.append((*self._button, self._buffer.strip()))
            if self._elsewhere:
                self._form.elsewhere[self._buffer.strip()] = self._elsewhere


class Visitor:
    """One signed-in person. `page` and `status` are of the last answer, after its redirects."""

    def __init__(self, app: Flask, name: str = "") -> None:
        self.client = app.test_client()
        self.status, self.html, self.path = 0, "", ""
        if name:
            self.get("/sign-in")
            self.send("/sign-in", name=name, password=PASSWORD)
            assert self.path != "/sign-in", self.text

    def get(self, path: str, status: int = 200) -> Parsed:
        return self._take(self.client.get(path, follow_redirects=True), status)

    def send(self, action: str, button: str = "", status: int = 200, **values: str | list[str]) -> Parsed:
        """Fill in the form of this page whose action ends so, and press the button (by its text)."""
        form = self.form(action, button)
        unknown = set(values) - form.names()
        assert not unknown, f"{action} has no fields {unknown}; it has {form.names()}"
        data = [(n, v) for n, v in form.fields if n not in values]
        for name, value in values.items():
            data += [(name, one) for one in (value if isinstance(value, list) else [value])]
        pressed = next((b for b in form.buttons if button and button in b[2]), form.buttons[0])
        if pressed[0]:
            data.append((pressed[0], pressed[1]))
        encoded: dict[str, list[str]] = {}
        for name, value in data:
            encoded.setdefault(name, []).append(value)
        if form.method == "get":
            return self._take(self.client.get(form.action, query_string=encoded, follow_redirects=True), status)
        to = form.elsewhere.get(pressed[2], form.action)
        return self._take(self.client.post(to, data=encoded, follow_redirects=True), status)

    def form(self, action: str, button: str = "") -> Form:
        fitting = [
            f for f in self.page.forms
            if f.action.endswith(action) and (not button or any(button in b[2] for b in f.buttons))
        ]  # fmt: skip
        assert fitting, f"{self.path} has no form {action!r} {button!r}: {[f.action for f in self.page.forms]}"
        return fitting[0]

    def _take(self, answer: TestResponse, status: int) -> Parsed:
        self.status, self.html = answer.status_code, answer.get_data(as_text=True)
        self.path = answer.request.path
        self.page = Parsed(self.html) if answer.mimetype == "text/html" else Parsed("")
        assert self.status == status, f"{answer.request.method} {self.path}: {self.status}\n{self.page.text[:3000]}"
        return self.page

    @property
    def text(self) -> str:
        return self.page.text


def open_pages(desk: Desk) -> Flask:
    return create_app(desk)


def person(desk: Desk, name: str, *roles: str, display: str = "", language: str = "") -> Actor:
    """Somebody who can sign in with PASSWORD; agents join the default team."""
    admin = Actor(None, "setup", frozenset({"admin"}))
    form = people.NewUser(name, roles, display or name.title(), f"{name}@example.org", language)
    number = people.add_user(desk, admin, form)
    hashed = _hashed()
    desk.write(lambda tx: tx.run(user.update().where(user.c.id == number).values(password_hash=hashed)))
    return Actor(number, name, frozenset(roles))


def sign_in_as(app: Flask, desk: Desk, name: str) -> Visitor:
    """Somebody who exists already, signed in."""
    desk.write(lambda tx: tx.run(user.update().where(user.c.name == name).values(password_hash=_hashed())))
    return Visitor(app, name)


_cache: list[str] = []


def _hashed() -> str:
    """The password is the same for everybody: hashing it once keeps tests fast."""
    if not _cache:
        _cache.append(passwords.make(PASSWORD, "somebody"))
    return _cache[0]


__all__ = ["PASSWORD", "SYSTEM", "Form", "Parsed", "Visitor", "open_pages", "person", "sign_in_as"]
