"""Model cards as HTML."""

import re

from markdown_it import MarkdownIt


def card_html(card: str) -> str:
    """A card's Markdown as HTML, without its front matter, which is for the Hub; HTML in it is shown as text."""
    body = re.sub(r"\A---\n.*?\n---\n", "", card, flags=re.DOTALL)
    return MarkdownIt("commonmark", {"html": False}).enable("table").render(body)
