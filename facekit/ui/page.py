"""The page: its tabs, and everything Gradio's `launch` must be told."""

import json
import os
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from facekit.allocator import keep_freed_memory
from facekit.images import MAX_BYTES
from facekit.ui import about, attributes, generate, lab, live, models
from facekit.ui.assets import asset
from facekit.ui.engine import Engine
from facekit.ui.headers import PrivateHeaders
from facekit.ui.strings import LANGUAGES, all_texts, i18n
from facekit.ui.theme import theme
from facekit.ui.uploads import keep_swept, private_folder, upload_route

_STYLES = (
    "tokens.css",
    "page.css",
    "photo.css",
    "answer.css",
    "live.css",
    "about.css",
    "generate.css",
    "lab.css",
    "models.css",
)
_SCRIPTS = (
    "language.js",
    "draw.js",
    "link.js",
    "card.js",
    "why.js",
    "save.js",
    "camera.js",
    "attributes.js",
    "live_overlay.js",
    "live.js",
    "quality.js",
    "about.js",
    "generate_sheet.js",
    "generate_choices.js",
    "generate_morph.js",
    "generate_growth.js",
    "generate_quiz.js",
    "generate.js",
    "lab_picture.js",
    "lab_rewind.js",
    "lab_panel.js",
    "lab_recipe.js",
    "lab_lesson.js",
    "lab_link.js",
    "lab.js",
    "models_compare.js",
    "models.js",
    "page.js",
)
_LONGEST_QUEUE = 64


def build(engine: Engine) -> gr.Blocks:
    """Every tab of the page over one engine."""
    with gr.Blocks(title="facekit", delete_cache=(60, 120), analytics_enabled=False, fill_width=True) as page:
        gr.HTML(
            html_template=asset("header.html"),
            js_on_load="window.facekit.page.start(element);",
            apply_default_css=False,
            elem_id="facekit-header",
        )
        with gr.Tabs(elem_id="facekit-tabs"):
            with gr.Tab(i18n()("tab.attributes"), id="attributes"):
                attributes.build(engine)
            with gr.Tab(i18n()("tab.live"), id="live"):
                live.build(engine)
            with gr.Tab(i18n()("tab.generate"), id="generate"):
                generate.build(engine)
            with gr.Tab(i18n()("tab.lab"), id="lab"):
                lab.build(engine.room)
            with gr.Tab(i18n()("tab.models"), id="models"):
                models.build(engine)
            with gr.Tab(i18n()("tab.about"), id="about"):
                about.build()
    return page.queue(max_size=_LONGEST_QUEUE)


def launch(page: gr.Blocks, engine: Engine) -> None:
    """Serve the page until the process is told to end; the engine warms up once the page can be seen."""
    keep_freed_memory()
    page.launch(**launch_options(), prevent_thread_lock=True)
    engine.start()
    page.block_thread()


def launch_options() -> dict[str, Any]:
    """Arguments of `gr.Blocks.launch`. Calling this makes the folder for uploads, and sweeps it from now on."""
    folder = private_folder()
    keep_swept(folder)
    return {
        "theme": theme(),
        "head": _head(),
        "i18n": i18n(),
        "footer_links": [],
        "max_file_size": MAX_BYTES,
        "ssr_mode": False,
        "run_history": False,
        "enable_monitoring": False,
        "server_port": int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
        "quiet": True,
        "app_kwargs": {
            "routes": [upload_route(folder)],
            "middleware": [Middleware(PrivateHeaders, max_body=2 * MAX_BYTES)],
        },
    }


def _head() -> str:
    """The page's own style and scripts, inline: one request, no other host."""
    settings = json.dumps({"texts": all_texts(), "languages": LANGUAGES}, ensure_ascii=False).replace("</", "<\\/")
    scripts = "\n".join(asset(name) for name in _SCRIPTS)
    styles = "\n".join(asset(name) for name in _STYLES)
    return f"<style>{styles}</style>\n<script>window.facekit = {settings};\n{scripts}</script>"
