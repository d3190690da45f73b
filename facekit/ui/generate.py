"""The tab *Generate*: faces of people who do not exist, how they grew, and a quiz. And the same as an HTTP endpoint."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from facekit.errors import FacekitError, GenerationError
from facekit.images import MAX_BYTES
from facekit.ui.assets import asset
from facekit.ui.attributes import EXAMPLES, data_url
from facekit.ui.cards import card_html
from facekit.ui.engine import Engine
from facekit.ui.told import or_error

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facekit.analyze import FaceAnalyzer
    from facekit.growth import Growth

_MOST_PORTRAITS = 12
_PUBLIC_PORTRAIT = EXAMPLES / "astronaut.jpg"
"""The one photo of a person that is shipped: NASA's, in the public domain."""

_CHUNK = 8
"""Pictures of a walk that are drawn in one turn, so that others need not wait for all of them."""


def build(engine: Engine) -> None:
    """Add the tab's components to the Blocks that is being built."""
    gr.HTML(
        html_template=asset("generate.html"),
        js_on_load="window.facekit.generate.start(element, server, props);",
        server_functions=[*_server_functions(engine)],
        apply_default_css=False,
        max_bytes=MAX_BYTES,
        elem_id="facekit-generate",
    )
    _add_endpoint(engine)


def _server_functions(engine: Engine) -> list[Callable[..., Any]]:
    """What the tab's script calls. Drawing stands in the engine's line; a "wish" is what `drawing.Wish` reads."""

    async def generate_status(request: dict[str, Any]) -> dict[str, Any]:
        """Is the generator warm, and how many are ahead of `ticket`?"""
        engine.page_is_open.set()
        return _answer(_status, engine, request)

    def generate_about(request: dict[str, Any]) -> dict[str, Any]:
        """What the checkpoint can be asked for, what it learned from, and the log of its training."""
        return _answer(_about, engine, request)

    def generate_faces(request: dict[str, Any]) -> dict[str, Any]:
        """A wish to a sheet of faces."""
        return _answer(_faces, engine, request)

    def generate_read(request: dict[str, Any]) -> dict[str, Any]:
        """What the classifier reads from the faces of a wish."""
        return _answer(_read, engine, request)

    def generate_walk(request: dict[str, Any]) -> dict[str, Any]:
        """The next pictures of a walk, from the picture "first" on."""
        return _answer(_walk, engine, request)

    def generate_morph(request: dict[str, Any]) -> dict[str, Any]:
        """The pictures between two faces, as one sheet."""
        return _answer(_morph, engine, request)

    def generate_growth(request: dict[str, Any]) -> dict[str, Any]:
        """The sheets of all epochs."""
        return _answer(_growth_sheets, engine, request)

    def generate_gif(request: dict[str, Any]) -> dict[str, Any]:
        """A walk, a morph or the growth as an animated GIF."""
        return _answer(_gif, engine, request)

    def generate_portraits(request: dict[str, Any]) -> dict[str, Any]:
        """The faces of a photo, cut out for the quiz; nothing of it is kept."""
        return _answer(_portraits, engine, request)

    return [
        *(generate_status, generate_about, generate_faces, generate_read, generate_walk, generate_morph),
        *(generate_growth, generate_gif, generate_portraits),
    ]


def _answer(ask: Callable[[Engine, dict[str, Any]], dict[str, Any]], engine: Engine, request: object) -> dict[str, Any]:
    """What `ask` makes of a request, or one sentence as `or_error` gives it: a client can send anything."""

    def call() -> dict[str, Any]:
        if not isinstance(request, dict):
            raise GenerationError('A request is a JSON object: send one such as {"wish": {"seed": 7}}.')
        return ask(engine, request)

    return or_error(call)


def _status(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    return {"state": engine.drawing, "ahead": engine.turns.ahead(str(request.get("ticket", "")))}


def _ticket(request: dict[str, Any]) -> str:
    return str(request.get("ticket") or secrets.token_hex(8))[:64]


def _about(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    from facekit.checkpoints import read_card
    from facekit.growth import attribute_shares, photos, told_shares
    from facekit.shipped import EPOCH, GENERATOR, home_of, kept_epochs, shipped
    from facekit.ui.drawing import FRAMES, Wish

    wish = Wish.read(request.get("wish"))
    network = engine.with_generator(lambda generator: generator.generator, wish.checkpoint, _ticket(request))
    name = wish.checkpoint or GENERATOR.default
    folder = home_of(engine.shelf.find(name, GENERATOR))
    growth = growth_of(folder)
    return {
        "checkpoint": name,
        "checkpoints": list(dict.fromkeys([*shipped(GENERATOR), name])),
        "attributes": list(network.attributes),
        "shares": {
            **(told_shares(growth.training) if growth else {}),
            **attribute_shares(network.combinations, network.attributes),
        },
        "frames": FRAMES,
        "card": card_html(read_card(folder)),
        "growth": growth
        and {
            "epochs": [epoch for epoch, _ in growth.sheets],
            "kept": [[epoch, f"{folder.name}@{EPOCH}{epoch}"] for epoch in kept_epochs(folder)],
            "size": growth.size,
            "shown": growth.shown,
            "log": list(growth.log),
            "photos": photos(growth.training, growth.log),
        },
    }


@cache
def growth_of(folder: Path) -> Growth | None:
    """What the generator in `folder` keeps of its training."""
    from facekit.growth import read_growth

    return read_growth(folder)


def _faces(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    from facekit.ui.drawing import Wish, draw_faces, sheet, url

    wish = Wish.read(request.get("wish"))
    pictures, rows = engine.with_generator(partial(draw_faces, wish=wish), wish.checkpoint, _ticket(request))
    return {"sheet": url(sheet(pictures)), "size": pictures.shape[1], "rows": (rows > 0.5).int().tolist()}


def _read(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    from facekit.labels import ATTRIBUTES
    from facekit.portraits import crops_around
    from facekit.ui.drawing import Wish, draw_faces

    wish = Wish.read(request.get("wish"))
    pictures, names = engine.with_generator(
        lambda generator: (draw_faces(generator, wish)[0], generator.attributes), wish.checkpoint, _ticket(request)
    )
    answers = engine.with_analyzer(
        lambda analyzer: analyzer.predict(crops_around(pictures, analyzer.framing)).attributes, ticket=_ticket(request)
    )
    if answers is None:
        raise GenerationError("The default network reads no attributes, so that these faces cannot be described.")
    columns = [ATTRIBUTES.index(name) for name in names]
    return {"read": answers[:, columns].round(3).tolist()}


def _walk(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    from facekit.ui.drawing import FRAMES, sheet, url

    first = request.get("first", 0)
    if not isinstance(first, int) or not 0 <= first < FRAMES:
        raise GenerationError(f"A walk has the pictures 0 to {FRAMES - 1}: start it again.")
    return {"sheets": [url(sheet(frame), "WEBP", quality=88, method=2) for frame in _walk_from(engine, request, first)]}


def _walk_from(engine: Engine, request: dict[str, Any], first: int) -> list[NDArray[np.uint8]]:
    """A chunk of a walk's pictures."""
    from facekit.ui.drawing import Wish, draw_walk

    wish, chunk = Wish.read(request.get("wish")), range(first, first + _CHUNK)
    return engine.with_generator(lambda one: draw_walk(one, wish, chunk), wish.checkpoint, _ticket(request))


def _morph(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    from facekit.ui.drawing import sheet, url

    pictures = _morphed(engine, request)
    return {"sheet": url(sheet(pictures)), "size": pictures.shape[1]}


def _morphed(engine: Engine, request: dict[str, Any]) -> NDArray[np.uint8]:
    from facekit.ui.drawing import Wish, draw_morph

    start, end = Wish.read(request.get("from")), Wish.read(request.get("to"))
    return engine.with_generator(lambda one: draw_morph(one, start, end), start.checkpoint, _ticket(request))


def _growth(engine: Engine, request: dict[str, Any]) -> Growth:
    """The growth of the checkpoint of a wish, which need not be loaded for it."""
    from facekit.shipped import GENERATOR, home_of
    from facekit.ui.drawing import Wish

    name = Wish.read(request.get("wish")).checkpoint or GENERATOR.default
    growth = growth_of(home_of(engine.shelf.find(name, GENERATOR)))
    if growth is None:
        raise GenerationError(f"{name} keeps no pictures of its training: choose another checkpoint.")
    return growth


def _growth_sheets(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    return {"sheets": [data_url(path, "webp") for _, path in _growth(engine, request).sheets]}


def _gif(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    from facekit.ui.drawing import FRAMES, gif, growth_frames, sheet

    kind = str(request.get("kind"))
    if kind == "growth":
        return {"gif": gif(kind, growth_frames(_growth(engine, request)))}
    if kind == "walk":
        frames = []
        for first in range(0, FRAMES, _CHUNK):
            frames += _walk_from(engine, request, first)
        return {"gif": gif(kind, [sheet(frame) for frame in frames])}
    if kind == "morph":
        pictures = [sheet(picture[None]) for picture in _morphed(engine, request)]
        return {"gif": gif(kind, pictures + pictures[-2:0:-1])}  # there and back
    raise GenerationError(f"There is no animation {kind!r}: choose walk, morph or growth.")


def _portraits(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    """Portraits as generators draw them, from the largest faces of a photo; found by landmarks, or not at all."""
    size = request.get("size", 64)
    if size not in (32, 64, 128):
        raise GenerationError(f"Portraits of {size} pixels are not made here: choose 32, 64 or 128.")

    def cut(analyzer: FaceAnalyzer) -> list[NDArray[np.uint8]]:
        from facekit.align import crop_face
        from facekit.images import read_image
        from facekit.portraits import portrait
        from facekit.ui.render import bytes_from_url

        photo = None if request.get("example") else bytes_from_url(str(request.get("photo", "")), MAX_BYTES)
        pixels = read_image(_PUBLIC_PORTRAIT if photo is None else photo)
        found = analyzer.detector(pixels)
        area = (found.boxes[:, 2] - found.boxes[:, 0]) * (found.boxes[:, 3] - found.boxes[:, 1])
        largest = area.argsort()[::-1][:_MOST_PORTRAITS]
        return [portrait(crop_face(pixels, found.landmarks[i]), size) for i in largest]

    faces = engine.with_analyzer(cut, ticket=_ticket(request))
    from PIL import Image

    from facekit.ui.drawing import url

    return {"portraits": [url(Image.fromarray(face)) for face in faces]}


def _add_endpoint(engine: Engine) -> None:
    """The HTTP endpoint `/generate`; its inputs are in no tab."""

    def generate(
        count: float = 16, seed: float = 0, attributes: str = "{}", truncation: float = 0, checkpoint: str = ""
    ) -> dict[str, Any]:
        """Draw faces of people who do not exist.

        Args:
            count: how many, 1 to 64.
            seed: a whole number from 0 on; the same seed gives the same faces.
            attributes: a JSON object, attribute to whether the faces have it, such as {"Smiling": true}.
            truncation: from 0.1 on: the smaller, the more ordinary and alike; 0 for none.
            checkpoint: the name of a shipped generator; empty for the default.

        Returns:
            {"seed", "checkpoint", "faces": [{"index", "attributes", "picture"}], "error": null}; pictures are PNG
            data URLs, "attributes" what was asked of the network for each face.
        """
        try:
            return _api_faces(engine, count, seed, attributes, truncation, checkpoint)
        except FacekitError as error:
            raise gr.Error(str(error), print_exception=False) from None

    inputs = [
        gr.Number(16, label="count", visible=False),  # as it was sent: `Wish` says what does not fit
        gr.Number(0, label="seed", visible=False),
        gr.Textbox("{}", label="attributes", visible=False),
        gr.Number(0, label="truncation", visible=False),
        gr.Textbox("", label="checkpoint", visible=False),
    ]
    faces = gr.JSON(label="faces", visible=False)
    gr.Button(visible=False).click(
        generate, inputs, faces, api_name="generate", concurrency_limit=2, show_progress="hidden"
    )


def _api_faces(
    engine: Engine, count: float, seed: float, attributes: str, truncation: float, checkpoint: str
) -> dict[str, Any]:
    from PIL import Image

    from facekit.portraits import generated_note
    from facekit.shipped import GENERATOR
    from facekit.ui.drawing import Wish, draw_faces, url

    try:
        chosen = json.loads(attributes or "{}")
    except ValueError:
        raise GenerationError('attributes is not JSON: write it as {"Smiling": true}.') from None
    fields = {"count": count, "seed": seed, "attributes": chosen, "checkpoint": checkpoint or ""}
    wish = Wish.read(fields | {"truncation": truncation or None})
    (pictures, rows), names = engine.with_generator(
        lambda generator: (draw_faces(generator, wish), generator.attributes), wish.checkpoint
    )
    faces = [
        {
            "index": i,
            "attributes": dict(zip(names, row, strict=True)),
            "picture": url(Image.fromarray(picture), pnginfo=generated_note()),
        }
        for i, (picture, row) in enumerate(zip(pictures, (rows > 0.5).tolist(), strict=True))
    ]
    return {"seed": wish.seed, "checkpoint": checkpoint or GENERATOR.default, "faces": faces, "error": None}
