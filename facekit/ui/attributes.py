"""The tab *Attributes*: a photo in, what a small network reads from each face out. And the same as an HTTP endpoint."""

from __future__ import annotations

import base64
import io
import secrets
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from PIL import Image

from facekit.errors import FacekitError, UnreadableImage
from facekit.images import MAX_BYTES
from facekit.ui.assets import asset
from facekit.ui.cards import card_html
from facekit.ui.engine import DEFAULT_CHECKPOINT, DEFAULT_DETECTOR, Engine
from facekit.ui.quality import charts
from facekit.ui.told import or_error
from facekit.ui.uploads import photo_input

if TYPE_CHECKING:
    from facekit.analyze import FaceAnalyzer

EXAMPLES = Path(__file__).parent / "examples"
EXAMPLE_FILES = {"portrait": "astronaut.jpg", "several": "three_sizes.jpg", "none": "cat.jpg"}


def build(engine: Engine) -> None:
    """Add the tab's components to the Blocks that is being built."""
    gr.HTML(
        html_template=asset("attributes.html"),
        js_on_load="window.facekit.attributes.start(element, server, props);",
        server_functions=[*_server_functions(engine)],
        apply_default_css=False,
        thumbnails=example_thumbnails(),
        max_bytes=MAX_BYTES,
        elem_id="facekit-attributes",
    )
    _add_endpoint(engine)


def _server_functions(engine: Engine) -> list[Callable[..., Any]]:
    """What the tab's script calls. They go past Gradio's queue: `Engine.turns` bounds them instead."""

    async def status(request: dict[str, Any]) -> dict[str, Any]:
        """Is the engine warm, what can be chosen, and how many are ahead of `ticket`?"""
        engine.page_is_open.set()
        ahead = engine.turns.ahead(str(request.get("ticket", "")))
        return {"state": engine.state, "failure": engine.failure, "ahead": ahead}

    def choices(request: dict[str, Any]) -> dict[str, Any]:
        """The names of the checkpoints and detectors that can be chosen."""
        return engine.choices()

    def about_checkpoint(request: dict[str, Any]) -> dict[str, Any]:
        """A checkpoint's card as HTML, and the charts of its measurements."""
        return or_error(lambda: _about(engine, request))

    def analyze(request: dict[str, Any]) -> dict[str, Any]:
        """A photo as a data URL to a report with crops."""
        return or_error(lambda: _analyze(engine, request))

    def why(request: dict[str, Any]) -> dict[str, Any]:
        """A crop and a target to the picture of where the network looked."""
        return or_error(lambda: _explain(engine, request, "why"))

    def layers(request: dict[str, Any]) -> dict[str, Any]:
        """A crop to what each layer responds to."""
        return or_error(lambda: _explain(engine, request, "layers"))

    async def example(request: dict[str, Any]) -> str:
        """One of the example pictures as a data URL."""
        return data_url(EXAMPLES / EXAMPLE_FILES[request["name"]])

    return [status, choices, about_checkpoint, analyze, why, layers, example]


def _analyze(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    def look(analyzer: FaceAnalyzer) -> dict[str, Any]:
        from facekit.images import read_image, shown_otherwise
        from facekit.ui.render import bytes_from_url, report_view

        photo = bytes_from_url(str(request.get("photo", "")), MAX_BYTES)
        pixels = read_image(photo)
        return report_view(analyzer, pixels, analyzer(pixels), bool(request.get("preview")) or shown_otherwise(photo))

    return engine.with_analyzer(look, *_names(request), ticket=_ticket(request))


def _explain(engine: Engine, request: dict[str, Any], view: str) -> dict[str, Any]:
    def explain(analyzer: FaceAnalyzer) -> dict[str, Any]:
        from facekit.ui.render import crop_from_url, layers_view, why_view

        crop = crop_from_url(str(request.get("crop", "")), analyzer.framing.size)
        return (
            layers_view(analyzer, crop)
            if view == "layers"
            else why_view(analyzer, crop, str(request.get("target", "")))
        )

    return engine.with_analyzer(explain, *_names(request))


def _about(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    from facekit.hub import parse_address
    from facekit.shipped import shipped

    name, detector = _names(request)
    checkpoint = engine.with_analyzer(lambda analyzer: analyzer.checkpoint, name, detector)
    return {
        "name": name if name in shipped() else str(parse_address(name)),
        "card": card_html(checkpoint.card),
        "charts": charts(checkpoint.config.metrics),
    }


def _names(request: dict[str, Any]) -> tuple[str, str]:
    return str(request.get("checkpoint") or DEFAULT_CHECKPOINT), str(request.get("detector") or DEFAULT_DETECTOR)


def _ticket(request: dict[str, Any]) -> str:
    """Unique whatever the client sends: the visitor's own part is what `status` is asked about."""
    return str(request.get("ticket") or secrets.token_hex(8))[:64]


def _add_endpoint(engine: Engine) -> None:
    """The HTTP endpoint `/analyze`; its inputs are in no tab."""

    def analyze(photo: bytes, detector: str = DEFAULT_DETECTOR, checkpoint: str = DEFAULT_CHECKPOINT) -> dict[str, Any]:
        """Find every face of a photo and read age, perceived gender, expression and 40 attributes from it.

        Args:
            photo: an image file (JPEG, PNG, WebP, ...). It is deleted as soon as it has been read.
            detector: "mtcnn" or "haar".
            checkpoint: a shipped one's name, or a repository on the Hub as user/name[@revision].

        Returns:
            {"width", "height", "faces": [...], "error": null}; a face has "box", "score", "landmarks", "attributes",
            "gender", "age", "expression" and "unsure".
        """
        try:
            if not photo:
                raise UnreadableImage("The file is empty or was uploaded too long ago: send it again.")
            report = engine.with_analyzer(lambda analyzer: analyzer(photo), checkpoint, detector)
            return {**report.to_dict(), "error": None}
        except FacekitError as error:
            raise gr.Error(str(error), print_exception=False) from None

    photo = photo_input()
    detector = gr.Textbox(DEFAULT_DETECTOR, label="detector", visible=False)
    checkpoint = gr.Textbox(DEFAULT_CHECKPOINT, label="checkpoint", visible=False)
    report = gr.JSON(label="report", visible=False)
    gr.Button(visible=False).click(
        analyze, [photo, detector, checkpoint], report, api_name="analyze", concurrency_limit=2, show_progress="hidden"
    )


@cache
def example_thumbnails() -> dict[str, str]:
    """Small copies of the example pictures as data URLs, by their name on the page."""
    return {name: _thumbnail(name) for name in EXAMPLE_FILES}


def _thumbnail(name: str) -> str:
    """A small copy of an example picture as a data URL."""
    with Image.open(EXAMPLES / EXAMPLE_FILES[name]) as image:
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 4
        small = image.crop((left, top, left + side, top + side)).resize((160, 160), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def data_url(path: Path, kind: str = "jpeg") -> str:
    """A picture file as a data URL."""
    return f"data:image/{kind};base64," + base64.b64encode(path.read_bytes()).decode()
