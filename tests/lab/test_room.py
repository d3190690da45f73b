"""Runs are processes: they obey, they are bounded, and they end when nobody watches."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facekit.errors import LabError
from facekit.lab.commands import read_command
from facekit.lab.plane_run import FIELD, SHOWN
from facekit.lab.room import SIDES, Room, RoomFull, _Run
from facekit.lab.settings import LabSettings
from facekit.lab.worker import work
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
    room.tell("ada", "left", {"do": "change", "settings": {"r1": -1}})
    assert watch(room, "ada", lambda event: event["kind"] == "error" and "r1" in event["text"])


@pytest.mark.parametrize(
    "wrong",
    [
        *({"do": "dance"}, {}, {"do": ["run"]}, 5, None, {"do": "threads", "count": 40}, {"do": "copy"}),
        *({"do": "rewind", "step": "x"}, {"do": "rewind"}, {"do": "change"}, {"do": "change", "settings": 5}),
        {"do": "change", "settings": {"loss": "x" * 5000}},
        {"do": "rewind", "step": 5, "settings": 5},
        *({"do": "speed"}, *({"do": "speed", "steps": steps} for steps in ("5", 1e-300, 0, -1, 1e9, float("nan")))),
    ],
)
def test_what_a_page_may_not_say_is_told_in_a_sentence(wrong: Any) -> None:
    with pytest.raises(LabError, match=r"^[A-Z].*: .*\.$"):
        read_command(wrong)
    with pytest.raises(LabError, match=r"^(?!There is no such run)"):
        Room().tell("ada", "left", wrong)


def test_a_run_survives_whatever_comes_through_its_pipe(room: Room) -> None:
    room.start("ada", "left", LabSettings())
    run = room._line["ada"].runs["left"]
    wrongs = (5, {}, {"do": "change", "settings": 5}, {"do": "speed", "steps": 1e-300}, {"do": "threads", "count": "x"})
    told: list[str] = []

    def all_told(event: dict[str, Any]) -> bool:
        told.extend([event["text"]] if event["kind"] == "error" else [])
        return len(told) == len(wrongs)

    for wrong in wrongs:
        run.pipe.send(wrong)
    watch(room, "ada", all_told)
    room.tell("ada", "left", {"do": "step"})
    watch(room, "ada", lambda event: event["kind"] == "frame" and event["step"] == 1)


def test_a_run_that_dies_tells_its_page(room: Room) -> None:
    room.start("ada", "left", LabSettings(r1=0.5))
    room.tell("ada", "left", {"do": "run"})
    watch(room, "ada", lambda event: event["kind"] == "state" and event["running"])
    room._line["ada"].runs["left"].process.kill()
    assert "has ended" in watch(room, "ada", lambda event: event["kind"] == "error")["text"]
    last = state(room)[-1]
    assert last["kind"] == "state" and not last["running"] and last["settings"]["r1"] == 0.5
    with pytest.raises(LabError, match="start it again"):
        room.fork("ada", {})


def test_a_run_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = multiprocessing.Pipe()
    monkeypatch.setenv("FACEKIT_LAB_FACES", str(tmp_path))
    work(there, LabSettings(data="faces-32"))
    told = here.recv()
    assert told["kind"] == "error" and "lab-faces" in told["text"]
    run = _Run(None, here, {"kind": "state", "running": True})
    run.take(told)
    run.end()
    assert [event for _, event in run.events] == [told, {"kind": "state", "running": False, "ended": True}]


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


def test_a_flood_of_commands_keeps_nobody_waiting(room: Room) -> None:
    """Where a run takes nothing in its visitor is told, others start, and later it hears of its share of the cores."""
    room.start("ada", "left", LabSettings())
    watch(room, "ada", lambda event: event["kind"] == "state")
    run = room._line["ada"].runs["left"]
    os.kill(run.process.pid, signal.SIGSTOP)
    longest = {"do": "change", "settings": {"r1": 0.5, **{f"none{i}": "x" * 50 for i in range(28)}}}
    asked: list[Exception] = []

    def flood() -> None:
        try:
            for _ in range(100_000):
                room.tell("ada", "left", longest)
        except LabError as error:
            asked.append(error)

    def others() -> None:
        flood()
        room.start("bea", "left", LabSettings())

    try:
        thread = threading.Thread(target=others, daemon=True)
        thread.start()
        thread.join(30)
        assert not thread.is_alive() and "much to do already" in str(asked[0])
        told = run.threads
        assert told == (os.cpu_count() or 1), "of the time when it ran alone"
    finally:
        os.kill(run.process.pid, signal.SIGCONT)
    end = time.monotonic() + 30
    while run.threads == told and time.monotonic() < end:
        time.sleep(0.1)
    assert run.threads == (os.cpu_count() or 1) // 2


def test_both_runs_go_back_to_the_same_step(room: Room) -> None:
    room.start("ada", "left", LabSettings())
    room.tell("ada", "left", {"do": "run"})
    watch(room, "ada", lambda event: event["kind"] == "snapshots" and event["steps"][-1] >= 200)
    room.tell("ada", "left", {"do": "pause"})
    watch(room, "ada", lambda event: event["kind"] == "state" and not event["running"] and event["settings"])
    room.fork("ada", {"r1": 0.7})
    for side, settings in zip(SIDES, ({}, {"r1": 0.7}), strict=True):
        room.tell("ada", side, {"do": "rewind", "step": 100, "settings": settings})
        assert watch(room, "ada", lambda event: event["kind"] == "rewound", side)["step"] == 100
    shown = [watch(room, "ada", lambda event: event.get("step") == 100 and "points" in event, side) for side in SIDES]
    assert shown[0]["points"] == shown[1]["points"]
    for side in SIDES:
        room.tell("ada", side, {"do": "step"})
        watch(room, "ada", lambda event: event["kind"] == "frame" and event["step"] == 101, side)
    news = room.watch("ada", {"left": 0, "right": 0})
    told = [[event for event in news[side]["events"] if event["kind"] == "state"][-1]["settings"] for side in SIDES]
    assert told[1] == told[0] | {"r1": 0.7}, "what was changed beside is not forgotten"


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
