"""The tab *Collapse lab*: GANs that train while a class watches, break as told, and are repaired."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from functools import cache
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image, ImageDraw

from facekit.errors import ImageError, LabError
from facekit.images import read_image
from facekit.lab.faces import Faces, sheet
from facekit.lab.room import Room
from facekit.lab.settings import PRESETS, LabSettings
from facekit.plane import MIXTURES, REACH, UNIT, coordinates
from facekit.portraits import GENERATED
from facekit.ui.assets import asset
from facekit.ui.told import or_error

_REAL = 400  # points
_MOST_FRAMES, _MOST_POINTS, _MOST_SHEET = 120, 1024, 2**18  # bytes of a sheet
_FRAME_SIDE = 384  # pixels
_FRAME_MILLISECONDS = 100


def build(room: Room) -> None:
    """Add the tab's components to the Blocks that is being built."""
    gr.HTML(
        html_template=asset("lab.html"),
        js_on_load="window.facekit.lab.start(element, server, props);",
        server_functions=[*_server_functions(room)],
        apply_default_css=False,
        presets={
            kind: {name: {"settings": dict(one.settings), "remedy": dict(one.remedy)} for name, one in presets.items()}
            for kind, presets in PRESETS.items()
        },
        defaults=LabSettings().model_dump(),
        real={name: _real(name) for name in MIXTURES},
        elem_id="facekit-lab",
    )


def _real(name: str) -> str:
    """Points of the data as they are shown, in base64."""
    return base64.b64encode(coordinates(MIXTURES[name].draw(_REAL, np.random.default_rng(1)))).decode()


def _server_functions(room: Room) -> list[Callable[..., Any]]:
    """What the tab's script calls. Each request names its "visitor", a random text that only its page knows."""

    def lab_start(request: dict[str, Any]) -> dict[str, Any]:
        """Start the run of the "settings" on the left, or say how many are "ahead"."""
        return or_error(lambda: _start(room, request))

    def lab_tell(request: dict[str, Any]) -> dict[str, Any]:
        """Give a "command" to the run on one "side"."""
        return or_error(lambda: _tell(room, request))

    def lab_fork(request: dict[str, Any]) -> dict[str, Any]:
        """Put a copy of the left run on the right, with "changes"."""
        return or_error(lambda: room.fork(_visitor(request), _mapping(request, "changes")))

    def lab_watch(request: dict[str, Any]) -> dict[str, Any]:
        """What the runs have shown since."""
        return or_error(lambda: _watch(room, request))

    def lab_leave(request: dict[str, Any]) -> dict[str, Any]:
        """End the run on one "side", or both where none is named."""
        return or_error(lambda: _leave(room, request))

    def lab_data(request: dict[str, Any]) -> dict[str, Any]:
        """A picture of some of the portraits in the "data", as a data URL."""
        return or_error(lambda: {"sheet": _data_sheet(LabSettings.read({"data": request.get("data")}))})

    def lab_gif(request: dict[str, Any]) -> dict[str, Any]:
        """An animated GIF of the "frames" that the page remembers, as a data URL."""
        return or_error(lambda: {"gif": _gif(list(request.get("frames") or [])[:_MOST_FRAMES])})

    return [lab_start, lab_tell, lab_fork, lab_watch, lab_leave, lab_data, lab_gif]


def _visitor(request: dict[str, Any]) -> str:
    name = str(request.get("visitor") or "")
    if not 16 <= len(name) <= 64:
        raise LabError("This page has lost its name: load it again.")
    return name


def _mapping(request: dict[str, Any], name: str) -> dict[str, Any]:
    found = request.get(name) or {}
    if not isinstance(found, dict):
        raise LabError(f"The {name} of this request are no names with values: load the page again.")
    return found


def _start(room: Room, request: dict[str, Any]) -> dict[str, Any]:
    visitor, settings = _visitor(request), LabSettings.read(_mapping(request, "settings"))
    ahead = room.enter(visitor)
    if not ahead:
        room.stop(visitor, "right")
        room.start(visitor, "left", settings)
    return {"ahead": ahead}


def _tell(room: Room, request: dict[str, Any]) -> None:
    room.tell(_visitor(request), str(request.get("side")), request.get("command"))


def _watch(room: Room, request: dict[str, Any]) -> dict[str, Any]:
    since = {side: count for side, count in _mapping(request, "since").items() if isinstance(count, int)}
    visitor = _visitor(request)
    sides = room.watch(visitor, since)
    return {"ahead": room.enter(visitor), "sides": {side: _sent(news) for side, news in sides.items()}}


def _sent(news: dict[str, Any]) -> dict[str, Any]:
    """What a run has sent, as JSON: bytes as base64."""
    events = [
        {key: base64.b64encode(value).decode() if isinstance(value, bytes) else value for key, value in event.items()}
        for event in news["events"]
    ]
    return {"events": events, "next": news["next"]}


def _leave(room: Room, request: dict[str, Any]) -> None:
    if request.get("side"):
        room.stop(_visitor(request), str(request["side"]))
    else:
        room.leave(_visitor(request))


@cache
def _data_sheet(settings: LabSettings) -> str:
    """As many portraits as a run shows of its own."""
    if not settings.portrait_size:
        raise LabError("Points need no picture of the data: load the page again.")
    faces = Faces.read(settings.portrait_size)
    return _data_url(sheet(faces.portraits), "jpeg")


def _gif(frames: list[dict[str, Any]]) -> str:
    """Points as dots, portraits as they are, a picture a frame.

    Raises:
        LabError: there are none, or they are no frames.
    """
    pictures = [_picture(frame) for frame in frames]
    if not pictures:
        raise LabError("There is nothing to save yet: run it first.")
    file = io.BytesIO()
    how: dict[str, Any] = {"duration": _FRAME_MILLISECONDS, "loop": 0, "optimize": False}
    if "sheet" in frames[0]:
        how["comment"] = GENERATED
    pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:], **how)
    return _data_url(file.getvalue(), "gif")


def _picture(frame: dict[str, Any]) -> Image.Image:
    """What one frame showed, with its step written on it.

    Raises:
        LabError: it is no frame.
    """
    try:
        caption = f"step {int(frame['step'])}"
        picture = _portraits(frame["sheet"]) if "sheet" in frame else _dots(frame["points"])
    except (ValueError, KeyError, TypeError, ImageError):
        raise LabError("The frames did not arrive whole: try again.") from None
    ImageDraw.Draw(picture).text((8, 6), caption, fill="#1b1f1d", stroke_width=2, stroke_fill="#f6f6f3")
    return picture.quantize(256 if "sheet" in frame else 16)


def _portraits(sheet: Any) -> Image.Image:
    """Raises ValueError or ImageError where this is no small picture."""
    encoded = base64.b64decode(str(sheet), validate=True)
    if len(encoded) > _MOST_SHEET:
        raise ValueError(len(encoded))
    return Image.fromarray(read_image(encoded)).resize((_FRAME_SIDE, _FRAME_SIDE), Image.Resampling.NEAREST)


def _dots(points: Any) -> Image.Image:
    """Raises ValueError where these are no points."""
    places = np.frombuffer(base64.b64decode(str(points), validate=True), "<i2").reshape(-1, 2) / UNIT
    if len(places) > _MOST_POINTS:
        raise ValueError(len(places))
    picture = Image.new("RGB", (_FRAME_SIDE, _FRAME_SIDE), "#f6f6f3")
    draw = ImageDraw.Draw(picture)
    for x, y in (places * (1, -1) + REACH) * _FRAME_SIDE / (2 * REACH):
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill="#c2541b")
    return picture


def _data_url(encoded: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(encoded).decode()}"
