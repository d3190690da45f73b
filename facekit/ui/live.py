"""The tab *Live*: the visitor's own camera picture, with what is read from each face drawn over it in the browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from facekit.errors import VideoError
from facekit.ui.assets import asset
from facekit.ui.audience import MAX_FRAME_BYTES, Audience
from facekit.ui.engine import Engine
from facekit.ui.told import or_error


def build(engine: Engine) -> None:
    """Add the tab's components to the Blocks that is being built."""
    gr.HTML(
        html_template=asset("live.html"),
        js_on_load="window.facekit.live.start(element, server, props);",
        server_functions=[*_server_functions(engine, Audience(engine))],
        apply_default_css=False,
        elem_id="facekit-live",
    )


def _server_functions(engine: Engine, audience: Audience) -> list[Callable[..., Any]]:
    """What the tab's script calls, past Gradio's queue: `Audience` bounds size, rate and number."""

    async def live_status(request: dict[str, Any]) -> dict[str, Any]:
        """Is the engine warm?"""
        return {"state": engine.state, "failure": engine.failure}

    def live_frame(request: dict[str, Any]) -> dict[str, Any]:
        """A "frame" of "viewer" at "time" to the faces in it; "expression" only if it is asked for."""
        return or_error(lambda: _look(audience, _fields(request)))

    async def live_leave(request: dict[str, Any]) -> None:
        """Forget "viewer"."""
        audience.leave(str(_fields(request).get("viewer")))

    return [live_status, live_frame, live_leave]


def _fields(request: Any) -> dict[str, Any]:
    """What was sent, where it is an object: anybody may send anything."""
    return request if isinstance(request, dict) else {}


def _look(audience: Audience, request: dict[str, Any]) -> dict[str, Any]:
    from facekit.ui.render import bytes_from_url

    viewer, time = str(request.get("viewer") or ""), request.get("time")
    frame = bytes_from_url(str(request.get("frame", "")), MAX_FRAME_BYTES)
    try:
        if not 16 <= len(viewer) <= 64 or not isinstance(time, int | float):
            raise VideoError
        report = audience.look(viewer, frame, time)
    except VideoError:
        raise VideoError("This page has lost its place in the video: load it again.") from None
    if report is None:
        return {"skipped": True}
    answer = report.to_dict()
    if not request.get("expression"):
        for face in answer["faces"]:
            face["expression"] = None
            face["unsure"] = [name for name in face["unsure"] if name != "expression"]
    return {**answer, "milliseconds": round(sum(report.milliseconds.values()), 1)}
