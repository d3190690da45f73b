"""The page's own style sheets, scripts and templates."""

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


@cache
def asset(name: str) -> str:
    """The text of one file of this folder."""
    return (FOLDER / name).read_text(encoding="utf-8")
