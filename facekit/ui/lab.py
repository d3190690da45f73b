"""The tab *Collapse lab*: GANs that train while a class watches, break as told, and are repaired."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image, ImageDraw

from facekit.errors import LabError
from facekit.lab.room import Room
from facekit.lab.settings import PRESETS, LabSettings
from facekit.plane import MIXTURES, REACH, UNIT, coordinates
from facekit.ui.assets import asset
from facekit.ui.told import or_error

_REAL = 400  # points
_MOST_FRAMES, _MOST_POINTS = 120, 1024
_FRAME_SIDE = 360  # pixels
_FRAME_MILLISECONDS = 100


def build(room: Room) -> None:
    """Add the tab's components to the Blocks that is being built."""
    gr.HTML(
        html_template=asset("lab.html"),
        js_on_load="window.facekit.lab.start(element, server, props);",
        server_functions=[*_server_functions(room)],
        apply_default_css=False,
        presets={name: {"settings": dict(p.settings), "remedy": dict(p.remedy)} for name, p in PRESETS.items()},
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
        return or_error(lambda: room.fork(_visitor(request), dict(request.get("changes") or {})))

    def lab_watch(request: dict[str, Any]) -> dict[str, Any]:
        """What the runs have shown since."""
        return or_error(lambda: _watch(room, request))

    def lab_leave(request: dict[str, Any]) -> dict[str, Any]:
        """End the run on one "side", or both where none is named."""
        return or_error(lambda: _leave(room, request))

    def lab_gif(request: dict[str, Any]) -> dict[str, Any]:
        """An animated GIF of the "frames" that the page remembers, as a data URL."""
        return or_error(lambda: {"gif": _gif(list(request.get("frames") or [])[:_MOST_FRAMES])})

    return [lab_start, lab_tell, lab_fork, lab_watch, lab_leave, lab_gif]


def _visitor(request: dict[str, Any]) -> str:
    name = str(request.get("visitor") or "")
    if not 16 <= len(name) <= 64:
        raise LabError("This page has lost its name: load it again.")
    return name


def _start(room: Room, request: dict[str, Any]) -> dict[str, Any]:
    visitor, settings = _visitor(request), LabSettings.read(request.get("settings") or {})
    ahead = room.enter(visitor)
    if not ahead:
        room.stop(visitor, "right")
        room.start(visitor, "left", settings)
    return {"ahead": ahead}


def _tell(room: Room, request: dict[str, Any]) -> None:
    command = dict(request.get("command") or {})
    room.tell(_visitor(request), str(request.get("side")), command)


def _watch(room: Room, request: dict[str, Any]) -> dict[str, Any]:
    since = {str(side): int(count) for side, count in dict(request.get("since") or {}).items()}
    visitor = _visitor(request)
    sides = room.watch(visitor, since)
    return {"ahead": room.enter(visitor), "sides": {side: _sent(news) for side, news in sides.items()}}


def _sent(news: dict[str, Any]) -> dict[str, Any]:
    """What a run has sent, as JSON: bytes as base64, and no snapshots, which are for other processes."""
    events = [
        {key: base64.b64encode(value).decode() if isinstance(value, bytes) else value for key, value in event.items()}
        for event in news["events"]
        if event["kind"] != "snapshot"
    ]
    return {"events": events, "next": news["next"]}


def _leave(room: Room, request: dict[str, Any]) -> None:
    if request.get("side"):
        room.stop(_visitor(request), str(request["side"]))
    else:
        room.leave(_visitor(request))


def _gif(frames: list[dict[str, Any]]) -> str:
    """Points as dots, a picture a frame.

    Raises:
        LabError: there are none, or they are no frames.
    """
    pictures = []
    for frame in frames:
        try:
            points = np.frombuffer(base64.b64decode(str(frame["points"]), validate=True), "<i2").reshape(-1, 2) / UNIT
            caption = f"step {int(frame['step'])}"
            if len(points) > _MOST_POINTS:
                raise ValueError(len(points))
        except (ValueError, KeyError, TypeError):
            raise LabError("The frames did not arrive whole: try again.") from None
        picture = Image.new("RGB", (_FRAME_SIDE, _FRAME_SIDE), "#f6f6f3")
        draw = ImageDraw.Draw(picture)
        for x, y in (points * (1, -1) + REACH) * _FRAME_SIDE / (2 * REACH):
            draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill="#c2541b")
        draw.text((8, 6), caption, fill="#1b1f1d")
        pictures.append(picture.quantize(16))
    if not pictures:
        raise LabError("There is nothing to save yet: run it first.")
    file = io.BytesIO()
    pictures[0].save(
        file, "GIF", save_all=True, append_images=pictures[1:], duration=_FRAME_MILLISECONDS, loop=0, optimize=False
    )
    return "data:image/gif;base64," + base64.b64encode(file.getvalue()).decode()
