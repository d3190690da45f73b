"""audience: viewers share the machine, one frame each at a time, and are forgotten when they go."""

import asyncio
import base64
import io
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from facekit.errors import FacekitError, ImageTooLarge, UnreadableImage, VideoError
from facekit.ui.audience import Audience, AudienceFull
from facekit.ui.engine import Engine
from facekit.ui.live import _server_functions

ANNA, BERT = "a" * 16, "b" * 16


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def jpeg(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="module")
def frame(astronaut: np.ndarray) -> bytes:
    return jpeg(astronaut)


def functions(engine: Engine, audience: Audience) -> dict[str, Callable[..., Any]]:
    return {one.__name__: one for one in _server_functions(engine, audience)}


def test_each_viewer_has_numbers_of_their_own(engine: Engine, frame: bytes) -> None:
    audience = Audience(engine)
    for _ in range(3):
        for viewer in (ANNA, BERT):
            report = audience.look(viewer, frame, time.monotonic())
            assert report is not None and [face.track for face in report.faces] == [1]
    assert audience.watching == 2
    audience.leave(ANNA)
    audience.leave("nobody")
    assert audience.watching == 1


def test_a_second_frame_meanwhile_is_skipped(engine: Engine, frame: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    audience, entered, go_on = Audience(engine), Event(), Event()
    whole = engine.with_analyzer

    def slow(*work: Any, **names: str) -> Any:
        entered.set()
        assert go_on.wait(20)
        return whole(*work, **names)

    monkeypatch.setattr(engine, "with_analyzer", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(audience.look, ANNA, frame, 1.0)
        assert entered.wait(20)
        assert audience.look(ANNA, frame, 2.0) is None
        go_on.set()
        report = first.result(60)
    assert report is not None and len(report.faces) == 1


def test_seats_are_limited_and_freed(engine: Engine, frame: bytes) -> None:
    audience = Audience(engine, seats=1, patience=0.4)
    audience.look(ANNA, frame, 1.0)
    with pytest.raises(AudienceFull, match="try again"):
        audience.look(BERT, frame, 1.0)
    deadline = time.monotonic() + 20
    while audience.watching and time.monotonic() < deadline:
        time.sleep(0.05)
    assert audience.look(BERT, frame, 2.0) is not None


def test_a_viewer_cannot_send_too_fast(engine: Engine, frame: bytes) -> None:
    audience = Audience(engine)
    small = jpeg(np.zeros((32, 32, 3), np.uint8))
    audience.look(ANNA, small, 0.0)
    started = time.monotonic()
    for i in range(1, 11):
        audience.look(ANNA, small, float(i))
    assert time.monotonic() - started > 10 / 45


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"x" * 500_000, ImageTooLarge),
        (jpeg(np.zeros((20, 2000, 3), np.uint8)), ImageTooLarge),
        (b"no picture", UnreadableImage),
    ],
)
def test_frames_are_bounded(engine: Engine, content: bytes, error: type[FacekitError], frame: bytes) -> None:
    audience = Audience(engine)
    with pytest.raises(error):
        audience.look(ANNA, content, 0.0)
    assert audience.look(ANNA, frame, 0.0) is not None, "the seat is free again"


def test_networks_use_one_core_for_frames_and_all_of_them_for_photos(engine: Engine, frame: bytes) -> None:
    threads, seen = torch.get_num_threads(), []
    audience = Audience(engine)
    audience.look(ANNA, frame, 0.0)
    live = audience._viewers[ANNA].live
    assert live is not None
    audience._viewers[ANNA].live = lambda *_: seen.append(torch.get_num_threads())  # type: ignore[assignment]
    audience.look(ANNA, frame, 1.0)
    assert seen == [1]
    assert torch.get_num_threads() == threads


def test_what_the_page_is_sent(engine: Engine, frame: bytes) -> None:
    audience = Audience(engine)
    ask = functions(engine, audience)
    request = {"viewer": ANNA, "time": 1, "frame": "data:image/jpeg;base64," + base64.b64encode(frame).decode()}
    answer = ask["live_frame"](request)
    [face] = answer["faces"]
    assert (answer["width"], answer["height"], face["track"]) == (512, 512, 1)
    assert face["expression"] is None and "expression" not in face["unsure"], "only sent when it is asked for"
    assert ask["live_frame"](request | {"expression": True, "time": 2})["faces"][0]["expression"]["label"]
    lost: list[dict[str, Any]] = [{"viewer": "me"}, {"viewer": None}, {"viewer": ["a"] * 99}]
    lost += [{"time": time} for time in (None, "1", [2], 0.5, 10**400, float("nan"), float("inf"))]
    for wrong in lost:
        answer = ask["live_frame"](request | wrong)
        assert (answer["kind"], answer["error"][-15:]) == (VideoError.__name__, " load it again."), wrong
    assert ask["live_frame"](request | {"frame": "data:nonsense"})["kind"] == "UnreadableImage"


@pytest.mark.parametrize("sent", [None, "text", 7, [1, 2], {}])
def test_what_is_no_request_is_told(engine: Engine, sent: Any) -> None:
    ask = functions(engine, Audience(engine))
    assert ask["live_frame"](sent)["error"]
    assert asyncio.run(ask["live_leave"](sent)) is None


def test_a_bomb_is_not_decoded(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    Image.new("1", (6000, 6000)).save(file, "PNG")
    assert len(file.getvalue()) < 20_000
    monkeypatch.setattr("facekit.ui.audience.read_image", lambda _: pytest.fail("decoded"))
    with pytest.raises(ImageTooLarge, match="1280 pixels"):
        Audience(engine).look(ANNA, file.getvalue(), 0.0)


def test_an_analyzer_is_shared(engine: Engine, frame: bytes) -> None:
    audience = Audience(engine)
    audience.look(ANNA, frame, 0.0)
    audience.look(BERT, frame, 0.0)
    analyzers = {id(viewer.live.analyzer) for viewer in audience._viewers.values() if viewer.live}
    assert len(analyzers) == 1
    assert engine.with_analyzer(id) in analyzers
