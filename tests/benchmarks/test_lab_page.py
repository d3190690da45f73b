"""How fast the lab is with its page open in Chromium, browser and training on the same cores: `make bench`."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import browser, launch, playwright, start  # noqa: F401  # fixtures
from tests.browser.test_lab_page import ROOT, step, visit

WATCHED = 15.0  # seconds
LEAST_STEPS, LEAST_PICTURES = 25, 20
"""A second: of faces of 32 pixels, and of the plane's cloud."""
TO_BREAK, TO_MEND, TO_FACES = 60.0, 120.0, 150.0
"""Seconds."""


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Iterator[Any]:  # noqa: F811
    """A visitor of a page that may use every core."""
    process, server = start(tmp_path / "uploads", tmp_path / "log.txt", OMP_NUM_THREADS="")
    one = visit(browser, server)
    one.set_default_timeout(1000 * TO_FACES)
    yield one
    one.context.close()
    process.terminate()
    process.wait(20)


def faces(page: Any, preset: str) -> None:
    """Choose a preset of faces and wait until its run may start."""
    page.click("[data-data=faces-32]")
    page.wait_for_selector(f"{ROOT}[data-samples=faces][data-state=running]")
    page.select_option("[data-part=preset]", preset)
    page.wait_for_selector(f"{ROOT}[data-state=running][data-step='0']")


def seconds_until(page: Any, *states: str) -> float:
    began = time.monotonic()
    page.wait_for_selector("[data-side=left]:is(" + ", ".join(f"[data-verdict={one}]" for one in states) + ")")
    return time.monotonic() - began


def test_faces_from_noise(page: Any) -> None:
    faces(page, "healthy")
    page.click("[data-do=run]")
    page.wait_for_timeout(3000)
    before = step(page)
    page.wait_for_timeout(1000 * WATCHED)
    rate = (step(page) - before) / WATCHED
    needed = 3 + WATCHED + seconds_until(page, "healthy")
    print(
        f"\nfaces of 32 pixels, page open: {rate:.1f} steps a second; healthy after {needed:.0f} s, step {step(page)}"
    )
    assert rate >= LEAST_STEPS and needed <= TO_FACES


@pytest.mark.parametrize("attempt", range(3))
def test_faces_broken_and_mended(page: Any, attempt: int) -> None:
    faces(page, "fast-generator")
    page.click("[data-do=run]")
    broken = seconds_until(page, "collapsed")
    page.click("[data-do=repair]")
    mended = seconds_until(page, "healthy", "skewed")
    print(f"\nattempt {attempt}: collapsed after {broken:.1f} s, mended after {mended:.1f} s more")
    assert broken <= TO_BREAK and mended <= TO_MEND


def test_pictures_of_the_plane(page: Any) -> None:
    page.click("[data-do=run]")
    page.wait_for_timeout(3000)
    drawn = page.evaluate(
        """seconds => new Promise((done) => {
            let drawn = 0;
            const watch = new MutationObserver(() => { drawn += 1; });
            watch.observe(document.querySelector('[data-side=left] [data-part=step]'), { childList: true });
            setTimeout(() => { watch.disconnect(); done(drawn); }, 1000 * seconds);
        })""",
        WATCHED,
    )
    print(f"\nring of 8, page open: {drawn / WATCHED:.1f} pictures a second")
    assert drawn / WATCHED >= LEAST_PICTURES
