"""People's text as HTML: CommonMark with tables, no raw HTML, then sanitised again by an allow-list."""

from __future__ import annotations

from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

MAX_CHARS = 100_000
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "hr", "li", "ol", "p", "pre", "s", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_SCHEMES = {"http", "https", "mailto"}
_PARSER = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
_GUIDE = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
_PARSER.disable("image")  # an image would be fetched from a foreign host by whoever reads the ticket


def render(text: str) -> Markup:
    """Markdown as safe HTML, a line break being one; a very long text is shown as it is, without markup."""
    return _render(_PARSER, text)


@lru_cache(maxsize=1024)
def render_guide(text: str) -> Markup:
    """The same for texts from files (playbooks), which are wrapped at the editor's margin: as CommonMark says."""
    return _render(_GUIDE, text)


def _render(parser: MarkdownIt, text: str) -> Markup:
    if len(text) > MAX_CHARS:
        return Markup("<pre>{}</pre>").format(text)
    return Markup(  # noqa: S704 - sanitised on the line
        nh3.clean(
            parser.render(text),
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            url_schemes=_SCHEMES,
            link_rel="noopener noreferrer nofollow",
        )
    )
