"""How surely and how fast the presets of the lab break a GAN of points, and their remedies mend it: `make bench`."""

import time

import numpy as np
import pytest

from facekit.lab.plane_gan import LATENT, PlaneGan
from facekit.lab.plane_run import SHOWN, PlaneRun
from facekit.lab.settings import POINT_PRESETS, LabSettings
from facekit.plane import MIXTURES

SEEDS = 20
SECONDS = 10.0
HELD = 5
"""Looks in a row, `EVERY` steps apart, that must see the same before it counts."""
EVERY = 50


def seconds_until(run: PlaneRun, fewest: int, most: int) -> float:
    """Seconds of training until the run has `fewest` to `most` modes in `HELD` looks in a row; infinite if too many.

    The looks themselves are not counted.
    """
    spent, seen = 0.0, 0
    while spent < SECONDS:
        began = time.perf_counter()
        for _ in range(EVERY):
            run.step()
        spent += time.perf_counter() - began
        seen = seen + 1 if fewest <= run.mixture.coverage(run.points()).modes <= most and run.steps >= 300 else 0
        if seen == HELD:
            return spent
    return float("inf")


def table(name: str, rows: list[tuple[float, float]]) -> str:
    lines = [f"\n{name}", "seed  broken after s  repaired after s"]
    lines += [f"{seed:4}  {broken:14.2f}  {repaired:16.2f}" for seed, (broken, repaired) in enumerate(rows)]
    return "\n".join(lines)


def test_the_ring_breaks_and_is_repaired_within_ten_seconds() -> None:
    preset = POINT_PRESETS["fast-generator"]
    rows = []
    for seed in range(SEEDS):
        run = PlaneRun(LabSettings.read({**preset.settings, "seed": seed}))
        broken = seconds_until(run, 0, 2)
        run.change(preset.remedy)
        rows.append((broken, seconds_until(run, 8, 8)))
    print(table("ring of 8, generator too fast, then its remedy", rows))
    assert sum(max(row) <= SECONDS for row in rows) >= 19


def test_the_grid_is_covered_with_the_remedy() -> None:
    preset = POINT_PRESETS["fast-generator"]
    found = []
    for seed in range(SEEDS):
        run = PlaneRun(LabSettings.read({**preset.settings, "seed": seed, "data": "grid"}))
        for _ in range(400):
            run.step()
        run.change(preset.remedy)
        began, most = time.perf_counter(), 0
        while time.perf_counter() - began < 2 * SECONDS and most < 25:
            for _ in range(EVERY):
                run.step()
            most = max(most, run.mixture.coverage(run.points()).modes)
        found.append(most)
    print(f"\ngrid of 25, modes reached within {2 * SECONDS:.0f} s of the remedy: {found}")
    assert sum(modes >= 22 for modes in found) >= 19


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
