"""Runs are processes: they obey, they are bounded, and they end when nobody watches."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from facekit.errors import LabError
from facekit.lab.plane_run import FIELD, SHOWN
from facekit.lab.room import Room, RoomFull
from facekit.lab.settings import LabSettings
from facekit.plane import UNIT


@pytest.fixture
def room() -> Iterator[Room]:
    one = Room(seats=2, patience=60)
    yield one
    for visitor in ("ada", "bea", "cleo"):
        one.leave(visitor)


def watch(room: Room, visitor: str, until: Callable[[dict[str, Any]], bool], side: str = "left") -> dict[str, Any]:
    """The first event that is waited for."""
    since, end = {side: 0}, time.monotonic() + 60
    while time.monotonic() < end:
        news = room.watch(visitor, since).get(side, {"events": [], "next": 0})
        since = {side: news["next"]}
        for event in news["events"]:
            if until(event):
                return event
    raise AssertionError("it did not come")


def state(room: Room, visitor: str = "ada") -> dict[str, Any]:
    return room.watch(visitor, {"left": 0})["left"]["events"]


def test_a_run_obeys(room: Room) -> None:
    room.start("ada", "left", LabSettings())
    frame = watch(room, "ada", lambda event: event["kind"] == "frame")
    assert frame["step"] == 0 and len(frame["points"]) == SHOWN * 2 * 2 and len(frame["field"]) == FIELD * FIELD
    assert np.abs(np.frombuffer(frame["points"], "<i2") / UNIT).max() < 3
    room.tell("ada", "left", {"do": "step"})
    step = watch(room, "ada", lambda event: event["kind"] == "frame" and event["step"] == 1)
    assert set(step["figures"]) == {"discriminator", "generator", "real", "fake"}
    room.tell("ada", "left", {"do": "run"})
    watch(room, "ada", lambda event: event["kind"] == "snapshots" and event["steps"][-1] >= 200)
    room.tell("ada", "left", {"do": "pause"})
    watch(room, "ada", lambda event: event["kind"] == "state" and not event["running"] and event["settings"])
    room.tell("ada", "left", {"do": "rewind", "step": 110})
    assert watch(room, "ada", lambda event: event["kind"] == "rewound")["step"] == 100
    room.tell("ada", "left", {"do": "change", "settings": {"r1": 0.5}})
    watch(room, "ada", lambda event: event["kind"] == "state" and event["settings"]["r1"] == 0.5)
    for wrong in ({"do": "dance"}, {}, {"do": "rewind", "step": "x"}, {"do": "change"}):
        room.tell("ada", "left", wrong)
        watch(room, "ada", lambda event: event["kind"] == "error")
    room.tell("ada", "left", {"do": "change", "settings": {"r1": -1}})
    assert watch(room, "ada", lambda event: event["kind"] == "error" and "r1" in event["text"])


def test_slow_motion_is_slow(room: Room) -> None:
    room.start("ada", "left", LabSettings())
    room.tell("ada", "left", {"do": "speed", "steps": 5})
    room.tell("ada", "left", {"do": "run"})
    watch(room, "ada", lambda event: event["kind"] == "frame" and event["step"] == 2)
    began = time.monotonic()
    watch(room, "ada", lambda event: event["kind"] == "frame" and event["step"] == 7)
    assert 0.8 < time.monotonic() - began < 5


def test_a_copy_goes_on_beside_with_one_switch_changed(room: Room) -> None:
    room.start("ada", "left", LabSettings(seed=4))
    room.tell("ada", "left", {"do": "run"})
    watch(room, "ada", lambda event: event["kind"] == "frame" and event["step"] > 30)
    room.tell("ada", "left", {"do": "pause"})
    at = watch(room, "ada", lambda event: event["kind"] == "state" and not event["running"])
    room.fork("ada", {"r1": 0.7})
    left = [event for event in state(room) if event["kind"] == "frame"][-1]
    right = watch(room, "ada", lambda event: event["kind"] == "frame", "right")
    assert right["step"] == left["step"] and right["points"] == left["points"]
    told = watch(room, "ada", lambda event: event["kind"] == "state", "right")["settings"]
    assert told == at["settings"] | {"r1": 0.7} and room.running == 2


def test_seats_are_bounded_and_who_waits_sees_the_line(room: Room) -> None:
    room.start("ada", "left", LabSettings())
    assert (room.enter("bea"), room.enter("cleo")) == (0, 1)
    with pytest.raises(LabError, match="wait for your turn"):
        room.start("cleo", "left", LabSettings())
    room.leave("ada")
    assert room.enter("cleo") == 0 and room.running == 0


def test_the_line_has_an_end() -> None:
    room = Room(seats=1)
    for i in range(101):
        room.enter(f"visitor {i}")
    with pytest.raises(RoomFull):
        room.enter("one more")


def test_who_leaves_or_falls_silent_ends_the_run() -> None:
    room = Room(seats=1, patience=1.0)
    room.start("ada", "left", LabSettings())
    room.tell("ada", "left", {"do": "run"})
    process = room._line["ada"].runs["left"].process
    assert process.is_alive()
    end = time.monotonic() + 20
    while process.is_alive() and time.monotonic() < end:
        time.sleep(0.1)
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    assert room.enter("bea") == 0
    with pytest.raises(LabError, match="no such run"):
        room.tell("ada", "left", {"do": "run"})


def test_there_are_two_sides(room: Room) -> None:
    with pytest.raises(LabError, match="left, right"):
        room.start("ada", "middle", LabSettings())
    with pytest.raises(LabError, match="no such run"):
        room.fork("ada", {})
