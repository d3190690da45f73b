"""What the Collapse lab's tab answers its page, without a browser."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facekit.errors import LabError
from facekit.lab.faces import SIDE, sheet
from facekit.lab.room import Room
from facekit.plane import coordinates
from facekit.ui.lab import _gif, _server_functions


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


PORTRAITS = np.random.default_rng(0).integers(0, 256, (36, SIDE, SIDE, 3), np.uint8)
FACES = {"step": 7, "sheet": encoded(sheet(PORTRAITS))}
POINTS = {"step": 9, "points": encoded(coordinates(np.zeros((5, 2), np.float32)))}


def opened(url: str) -> Image.Image:
    kind, content = url.split(",", 1)
    assert kind == "data:image/gif;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


@pytest.mark.parametrize("frame", [FACES, POINTS])
def test_a_run_becomes_an_animation(frame: dict[str, Any]) -> None:
    picture = opened(_gif([frame, {**frame, "step": 30}]))
    assert picture.n_frames == 2 and picture.size == (384, 384)
    assert picture.info.get("comment", b"").startswith(b"Generated") == (frame is FACES)


def test_faces_are_seen_in_the_animation() -> None:
    shown = np.asarray(opened(_gif([FACES])).convert("RGB").resize((6, 6), Image.Resampling.BOX)).astype(int)
    wanted = PORTRAITS.reshape(6, 6, -1, 3).mean(2)
    assert np.abs(shown[1:] - wanted[1:]).mean() < 6  # the first row carries the step


@pytest.mark.parametrize(
    "frame",
    [
        {"step": "x", "points": POINTS["points"]},
        {"step": 1},
        {"step": 1, "points": "&"},
        {"step": 1, "points": encoded(b"\0" * 4 * 2000)},
        {"step": 1, "sheet": encoded(b"no picture")},
        {"step": 1, "sheet": encoded(b"\xff" * 2**19)},
        {"step": 1, "sheet": 5},
    ],
)
def test_what_is_no_frame_is_told(frame: dict[str, Any]) -> None:
    with pytest.raises(LabError, match="try again"):
        _gif([frame])


def test_nothing_to_animate_is_told() -> None:
    with pytest.raises(LabError, match="run it first"):
        _gif([])


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("lab_start", {"settings": 5}),
        ("lab_fork", {"changes": [1]}),
        ("lab_tell", {"side": "left", "command": {"do": "threads", "count": 40}}),
        ("lab_tell", {"side": "left", "command": 5}),
        ("lab_watch", {"since": "left"}),
    ],
)
def test_what_a_page_would_never_ask_is_told(name: str, request_: dict[str, Any]) -> None:
    ask = next(f for f in _server_functions(Room()) if f.__name__ == name)
    assert "again" in ask({"visitor": "v" * 20, **request_})["error"]


def test_the_data_is_shown_where_there_are_faces() -> None:
    data = next(f for f in _server_functions(Room()) if f.__name__ == "lab_data")
    picture = data({"data": "faces-32"})["sheet"]
    assert Image.open(io.BytesIO(base64.b64decode(picture.split(",")[1]))).size == (192, 192)
    assert "points" in data({"data": "ring"})["error"].lower()
    assert "data" in data({"data": "cats"})["error"]
