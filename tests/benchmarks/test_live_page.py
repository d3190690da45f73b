"""The live tab in Chromium, whose camera plays a clip made from a real photo; browser and server share the cores.

`make bench` prints the figures. FACEKIT_LIVE_MINUTES=10 watches the memory of the server for that long.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.browser.conftest import artefacts, launch, playwright, start  # noqa: F401  # fixtures
from tests.browser.test_live_page import ROOT, camera, clip, visit  # noqa: F401
from tests.browser.test_live_page import start as begin

LEAST_PICTURES, LEAST_ANALYSES, MOST_LATENCY = 19, 20, 80
"""A second, a second (the camera gives 20 pictures or more), and milliseconds."""

LEAST_OF_FOUR = 5  # analyses a second, each
MOST_GROWTH = 30  # megabytes
WATCHED = 10  # seconds


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Any]:
    """A page that may use every core, and its process."""
    process, server = start(tmp_path / "uploads", tmp_path / "log.txt", OMP_NUM_THREADS="")
    yield server, process
    process.terminate()
    process.wait(20)


def megabytes(pid: int) -> float:
    """Memory that a process has for itself."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def figures(page: Any) -> dict[str, float]:
    """What the page measures: pictures and analyses a second, and milliseconds from a frame to its labels."""
    shown = page.eval_on_selector(ROOT, "root => ({ ...root.dataset })")
    return {name: float(shown[name]) for name in ("pictures", "analyses", "latency")}


def watch(page: Any, seconds: int) -> dict[str, float]:
    """The medians of what the page measures, looked at once a second."""
    seen = []
    for _ in range(seconds):
        page.wait_for_timeout(1000)
        seen.append(figures(page))
    return {name: median(one[name] for one in seen) for name in seen[0]}


def test_one_viewer(camera: Any, served: Any) -> None:  # noqa: F811
    page = visit(camera, served[0])
    begin(page)
    page.wait_for_timeout(8000)  # the generator and the lab warm up, too
    found = watch(page, WATCHED)
    print(f"\none viewer: {found}")
    assert found["pictures"] >= LEAST_PICTURES
    assert found["analyses"] >= LEAST_ANALYSES
    assert found["latency"] <= MOST_LATENCY


def test_four_viewers(camera: Any, served: Any) -> None:  # noqa: F811
    server, process = served
    pages = [visit(camera, server) for _ in range(4)]
    for page in pages:
        begin(page)
    pages[0].wait_for_timeout(8000)
    before = megabytes(process.pid)
    minutes = float(os.environ.get("FACEKIT_LIVE_MINUTES", "0.5"))
    found = [watch(page, max(1, round(60 * minutes / 4))) for page in pages]
    growth = megabytes(process.pid) - before
    print(f"\nfour viewers, {minutes} minutes: {found}; memory {before:.0f} MB, {growth:+.1f} MB")
    assert all(one["analyses"] >= LEAST_OF_FOUR for one in found)
    assert growth <= MOST_GROWTH
