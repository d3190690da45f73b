"""The tab *Models*: checkpoints to look at, load and compare, shipped ones and those of the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import gradio as gr

from facekit.images import MAX_BYTES
from facekit.ui.assets import asset
from facekit.ui.attributes import EXAMPLE_FILES, EXAMPLES, data_url, example_thumbnails
from facekit.ui.cards import card_html
from facekit.ui.engine import Engine
from facekit.ui.told import or_error
from facekit.ui.visitor import SIGN_IN, name_of_visitor

if TYPE_CHECKING:
    from facekit.analyze import FaceAnalyzer
    from facekit.generate import FaceGenerator

_ROUNDS: Final = 5
_FACES: Final = ("portrait", "several")
"""The examples that checkpoints are compared on where there is no photo."""


def build(engine: Engine) -> None:
    """Add the tab's components to the Blocks that is being built."""
    if SIGN_IN:
        gr.LoginButton(visible=False)  # adds the routes; the tab's own link speaks the visitor's language
    gr.HTML(
        html_template=asset("models.html"),
        js_on_load="window.facekit.models.start(element, server, props);",
        server_functions=[*_server_functions(engine)],
        apply_default_css=False,
        thumbnails={name: url for name, url in example_thumbnails().items() if name in _FACES},
        max_bytes=MAX_BYTES,
        sign_in=SIGN_IN,
        elem_id="facekit-models",
    )


def _server_functions(engine: Engine) -> list[Callable[..., Any]]:
    """What the tab's script calls, past Gradio's queue: `Engine.turns` and `Shelf` bound them instead."""

    def models_shipped(request: dict[str, Any]) -> dict[str, Any]:
        """The checkpoints inside the package, and as whom the visitor is signed in."""
        from facekit.ui.gallery import shipped_entries

        return or_error(lambda: {"entries": shipped_entries(), "visitor": name_of_visitor()})

    def models_listed(request: dict[str, Any]) -> dict[str, Any]:
        """The names that the configured organisation or collection offers."""
        from facekit.ui.listing import listed

        return or_error(lambda: {"listed": listed()})

    def models_pulls(request: dict[str, Any]) -> dict[str, Any]:
        """The open pull requests of a repository."""
        from facekit.ui.listing import pull_requests

        return or_error(lambda: {"pulls": pull_requests(_name(request, "repository"))})

    def models_open(request: dict[str, Any]) -> dict[str, Any]:
        """Fetch a checkpoint, read it, time it, and say what it is."""
        return or_error(lambda: _open(engine, request))

    def models_card(request: dict[str, Any]) -> dict[str, Any]:
        """The card of a checkpoint as HTML."""
        return or_error(lambda: _card(engine, request))

    def models_compare(request: dict[str, Any]) -> dict[str, Any]:
        """What two checkpoints read from the same photo."""
        return or_error(lambda: _compare(engine, request))

    async def models_status(request: dict[str, Any]) -> dict[str, Any]:
        """Is the engine warm, and how many are ahead of `ticket`?"""
        return {"state": engine.state, "ahead": engine.turns.ahead(str(request.get("ticket", "")))}

    async def models_example(request: dict[str, Any]) -> str:
        """One of the photos to compare on, as a data URL."""
        return data_url(EXAMPLES / EXAMPLE_FILES[request["name"]])

    return [
        *(models_shipped, models_listed, models_pulls, models_open),
        *(models_card, models_compare, models_status, models_example),
    ]


def _open(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    from facekit.shipped import CLASSIFIER
    from facekit.ui.gallery import entry, kind_of

    name, folder = _found(engine, _name(request, "name"), anew=bool(request.get("anew")))
    kind, ticket, known = kind_of(folder), str(request.get("ticket") or "") or None, engine.shelf.speeds
    if kind is CLASSIFIER:
        speed = engine.with_analyzer(lambda one: known.get(folder) or _time_a_face(one), name, ticket=ticket)
    else:
        speed = engine.with_generator(lambda one: known.get(folder) or _time_a_sample(one), name, ticket)
    known[folder] = speed
    return {"entry": entry(name, folder, kind) | {"milliseconds": speed}}


def _found(engine: Engine, text: str, *, anew: bool) -> tuple[str, Path]:
    """The name and folder of a checkpoint of either kind by what a visitor wrote or pasted.

    Raises:
        UnknownName, CheckpointError, Busy: as `Shelf.find`; of a repository that is of neither kind, what it lacks to
            be a classifier.
    """
    from facekit.errors import CheckpointNotFound, UnknownName
    from facekit.hub import parse_address
    from facekit.shipped import CLASSIFIER, GENERATOR, shipped

    address = None if text in (*shipped(), *shipped(GENERATOR)) else parse_address(text)
    name = text if address is None else str(address)
    try:
        return name, engine.shelf.find(name, CLASSIFIER, anew=anew)
    except (CheckpointNotFound, UnknownName) as refused:
        try:
            return name, engine.shelf.find(name, GENERATOR, anew=anew)
        except (CheckpointNotFound, UnknownName):
            raise refused from None


def _time_a_face(analyzer: FaceAnalyzer) -> float:
    """Milliseconds for one crop, the median of a few."""
    import numpy as np

    width, height = analyzer.framing.size
    crop = np.full((1, height, width, 3), 128, np.uint8)
    return _time(lambda: analyzer.predict(crop))


def _time_a_sample(generator: FaceGenerator) -> float:
    """Milliseconds for one face, the median of a few."""
    return _time(lambda: generator.sample(1, seed=0))


def _time(run: Callable[[], object]) -> float:
    run()
    took = []
    for _ in range(_ROUNDS):
        start = perf_counter()
        run()
        took.append(1000 * (perf_counter() - start))
    return round(median(took), 1)


def _card(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    from facekit.checkpoints import read_card

    _, folder = _found(engine, _name(request, "name"), anew=False)
    return {"card": card_html(read_card(folder))}


def _compare(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    """`{"first", "second", "gate"}`, the first two as `render.report_view`: the detector is the same, so the faces are,
    too. The gate's verdict on the second, or `None`."""
    from facekit.images import read_image, shown_otherwise
    from facekit.ui.gallery import gate_between
    from facekit.ui.render import bytes_from_url, report_view

    photo = bytes_from_url(str(request.get("photo", "")), MAX_BYTES)
    pixels, wanted = read_image(photo), bool(request.get("preview")) or shown_otherwise(photo)
    ticket = str(request.get("ticket") or "") or None

    def answer(place: str, preview: bool) -> tuple[dict[str, Any], str]:
        return engine.with_analyzer(
            lambda one: (report_view(one, pixels, one(pixels), preview), one.checkpoint.digest),
            _name(request, place),
            ticket=ticket,
        )

    (first, old), (second, new) = answer("first", wanted), answer("second", False)
    return {"first": first, "second": second, "gate": gate_between(old, new)}


def _name(request: dict[str, Any], key: str) -> str:
    return str(request.get(key) or "").strip()[:300]
