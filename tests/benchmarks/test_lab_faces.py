"""How fast a GAN of faces trains in the lab, breaks from its trained networks, and is mended: `make bench`."""

import time
from collections.abc import Callable

import pytest
import torch

from facekit.lab.eye import Eye
from facekit.lab.face_reading import FaceReading
from facekit.lab.face_run import FaceRun
from facekit.lab.settings import FACE_PRESETS, LabSettings

LEAST_STEPS = 25  # a second
TO_BREAK, TO_MEND, TO_FACES = 60.0, 120.0, 150.0
"""Seconds."""


@pytest.fixture(autouse=True)
def both_cores() -> None:
    torch.set_num_threads(2)


def start(name: str, seed: int = 0, size: int = 32) -> FaceRun:
    return FaceRun(LabSettings.read({**FACE_PRESETS[name].settings, "seed": seed, "data": f"faces-{size}"}))


def until(run: FaceRun, reached: Callable[[FaceReading], bool], limit: float) -> tuple[float, FaceReading]:
    """Seconds, readings and pictures included as on the page, until two readings in a row say so; infinite if never."""
    began, seen, next_reading, next_frame = time.perf_counter(), 0, 0.0, 0.0
    while True:
        run.step()
        now = time.perf_counter() - began
        if now >= next_frame:
            run.frame()
            next_frame = now + 1 / run.frames
        if now >= next_reading:
            reading, next_reading = run.reading(), now + run.pause
            seen = seen + 1 if reached(reading) else 0
            if seen == 2:
                return now, reading
            if now > limit:
                return float("inf"), reading


def told(seconds: float, reading: FaceReading) -> str:
    return (
        f"{seconds:6.1f} s {reading.state:9} {reading.effective:5.1f} of {reading.natural:.0f}, good {reading.good:.2f}"
    )


def test_steps_a_second() -> None:
    for size in (32, 64):
        run = start("healthy", size=size)
        for _ in range(10):
            run.step()
        began = time.perf_counter()
        for _ in range(100):
            run.step()
        rate = 100 / (time.perf_counter() - began)
        print(f"\nfaces of {size} pixels: {rate:.1f} steps a second")
        assert size == 64 or rate >= LEAST_STEPS


def test_how_long_the_instruments_look() -> None:
    eye, portraits = Eye(), start("healthy").faces.portraits[:128]
    for _ in range(3):
        eye.look(portraits)
    began = time.perf_counter()
    for _ in range(10):
        eye.look(portraits)
    milliseconds = (time.perf_counter() - began) / 10 / len(portraits) * 1000
    print(f"\n{milliseconds:.2f} ms a face")
    assert milliseconds < 1


def test_broken_and_mended_from_the_trained_networks() -> None:
    rows = []
    for seed in range(5):
        run = start("fast-generator", seed)
        first = run.reading()
        broken = until(run, lambda reading: reading.state == "collapsed", TO_BREAK)
        run.change(FACE_PRESETS["fast-generator"].remedy)
        mended = until(run, lambda reading: reading.state in ("healthy", "skewed"), TO_MEND)
        print(f"\nseed {seed}: {told(0, first)} -> {told(*broken)} -> {told(*mended)}", flush=True)
        rows.append((broken[0], mended[0]))
    assert all(broken <= TO_BREAK and mended <= TO_MEND for broken, mended in rows)


def test_faces_from_noise() -> None:
    run = start("healthy")
    found = until(run, lambda reading: reading.state == "healthy", TO_FACES)
    print(f"\nfrom noise: {told(*found)} after {run.steps} steps")
    assert found[0] <= TO_FACES


@pytest.mark.parametrize("name", FACE_PRESETS)
def test_what_each_preset_comes_to(name: str) -> None:
    """Prints the readings of 800 steps, and of 800 more with the remedy."""
    run = start(name)
    for _ in range(2):
        for _ in range(4):
            for _ in range(200):
                run.step()
            reading = run.reading()
            print(f"\n{name}, step {run.steps}: {told(0, reading)}", end="", flush=True)
        run.change(FACE_PRESETS[name].remedy)
