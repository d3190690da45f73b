"""The words of the page in every language it speaks, one JSON file a language."""

import json
from functools import cache
from pathlib import Path

import gradio as gr

LOCALES = Path(__file__).parent / "locales"
LANGUAGES = {"en": "English", "es": "Español", "it": "Italiano"}
"""Language codes and their own names, the fallback first."""


@cache
def texts(language: str = "en") -> dict[str, str]:
    """Every string of one language by its dotted key."""
    return json.loads((LOCALES / f"{language}.json").read_text(encoding="utf-8"))


def all_texts() -> dict[str, dict[str, str]]:
    """Every string by language, for the page's own scripts."""
    return {language: texts(language) for language in LANGUAGES}


@cache
def i18n() -> gr.I18n:
    """The same strings for the labels that Gradio draws itself."""
    return gr.I18n(**all_texts())


def text(key: str) -> str:
    """An element whose words follow the language of the page; English until the page's script has run."""
    return f'<span data-t="{key}">{texts()[key]}</span>'
