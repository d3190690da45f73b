"""Model cards as HTML."""

import re

from markdown_it import MarkdownIt

_LONGEST = 100_000  # characters; the shipped default has 40,000


def card_html(card: str) -> str:
    """A card's Markdown as HTML, without its front matter, which is for the Hub.

    Cards come from strangers: HTML is shown as text, pictures, which would tell their host who looks, become links,
    and links to anything that could run are none.
    """
    body = re.sub(r"\A---\n.*?\n---\n", "", card, flags=re.DOTALL)[:_LONGEST]
    return MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable("table").disable("image").render(body)
