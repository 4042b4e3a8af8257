"""People's text as HTML: CommonMark with tables, no raw HTML, then sanitised again by an allow-list."""

from __future__ import annotations

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
_PARSER.disable("image")  # an image would be fetched from a foreign host by whoever reads the ticket


def render(text: str) -> Markup:
    """Markdown as safe HTML; a very long text is shown as it is, without markup."""
    if len(text) > MAX_CHARS:
        return Markup("<pre>{}</pre>").format(text)
    return Markup(  # noqa: S704 - sanitised on the line
        nh3.clean(
            _PARSER.render(text),
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            url_schemes=_SCHEMES,
            link_rel="noopener noreferrer nofollow",
        )
    )
