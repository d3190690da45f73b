"""How surely and how fast the presets of the lab break a GAN of points, and their remedies mend it: `make bench`."""

import math
import time
from collections.abc import Callable
from itertools import takewhile

import numpy as np
import pytest

from facekit.lab.plane_gan import LATENT, PlaneGan
from facekit.lab.plane_run import SHOWN, PlaneRun
from facekit.lab.settings import POINT_PRESETS, LabSettings
from facekit.plane import MIXTURES

SEEDS = 20
SECONDS = 10.0
HELD = 5
"""Readings in a row, the last ones, that must see the same before it counts."""
SETTLED = 300
"""Steps before which no reading counts."""

Reading = tuple[float, int]
"""Seconds of training, and the modes that were there."""


def watch(run: PlaneRun, seconds: float, until: Callable[[list[Reading]], bool] = lambda _: False) -> list[Reading]:
    """Train for so long, with frames and readings as often as on the page, or until the readings are enough."""
    began, found = time.perf_counter(), list[Reading]()
    now = next_frame = next_reading = 0.0
    while now < seconds and not until(found):
        run.step()
        now = time.perf_counter() - began
        if now >= next_frame:
            run.frame()
            next_frame = now + 1 / run.frames
        if now >= next_reading and run.steps >= SETTLED:
            found.append((now, run.reading().modes))
            next_reading = now + run.pause
    return found


def held_since(found: list[Reading], fewest: int, most: int) -> float:
    """Seconds until the modes were `fewest` to `most` and stayed so to the end; infinite if for less than `HELD`."""
    held = list(takewhile(lambda one: fewest <= one[1] <= most, reversed(found)))
    return held[-1][0] if len(held) >= HELD else math.inf


def break_and_mend(seed: int, data: str, few: int, enough: int, seconds: float) -> tuple[float, float, int]:
    """Seconds until a preset has left at most `few` modes, and from its remedy until `enough` are there to stay; and
    the modes of the last reading. The remedy trains for `seconds`, however soon they are there."""
    preset = POINT_PRESETS["fast-generator"]
    run = PlaneRun(LabSettings.read({**preset.settings, "seed": seed, "data": data}))
    broken = watch(run, SECONDS, lambda found: held_since(found, 0, few) < math.inf)
    run.change(preset.remedy)
    mended = watch(run, seconds)
    return held_since(broken, 0, few), held_since(mended, enough, len(run.mixture.centres)), mended[-1][1]


@pytest.mark.parametrize(("data", "few", "enough", "seconds"), [("ring", 2, 8, SECONDS), ("grid", 7, 22, 3 * SECONDS)])
def test_the_modes_go_and_come_back_to_stay(data: str, few: int, enough: int, seconds: float) -> None:
    rows = [break_and_mend(seed, data, few, enough, seconds) for seed in range(SEEDS)]
    print(f"\n{data}, generator too fast, then its remedy\nseed  broken after s  {enough} back for good, s  at last")
    for seed, (broken, mended, last) in enumerate(rows):
        print(f"{seed:4}  {broken:14.2f}  {mended:19.2f}  {last:7}")
    assert sum(max(broken, mended) < math.inf for broken, mended, _ in rows) >= SEEDS - 1


@pytest.mark.parametrize("name", POINT_PRESETS)
def test_what_each_preset_comes_to(name: str) -> None:
    """Prints the states of 3,000 steps and of 4,000 more with the remedy, for three seeds."""
    preset, rows = POINT_PRESETS[name], []
    for seed in range(3):
        run = PlaneRun(LabSettings.read({**preset.settings, "seed": seed}))
        seen: list[str] = []
        for steps in (3000, 4000):
            for _ in range(steps):
                run.step()
            reading = run.reading()
            seen.append(f"{reading.state} {reading.modes}/{reading.of} {reading.effective:.1f}")
            run.change(preset.remedy)
        rows.append(" -> ".join(seen))
    print(f"\n{name}\n" + "\n".join(rows))


def test_steps_a_second() -> None:
    points = MIXTURES["ring"]
    for settings in ({}, {"r1": 0.1}, {"r1": 0.1, "minibatch_std": True}, {"loss": "wasserstein"}):
        random = np.random.default_rng(0)
        gan = PlaneGan(LabSettings.read(settings), lambda count, random=random: points.draw(count, random))
        for _ in range(100):
            gan.step()
        began = time.perf_counter()
        for _ in range(500):
            gan.step()
        print(f"{500 / (time.perf_counter() - began):5.0f} steps a second {settings}")
    assert gan.draw(np.zeros((SHOWN, LATENT), np.float32)).shape == (SHOWN, 2)
