"""Faces in the tab *Collapse lab*, in a real browser: from the first second, broken, named, and repaired."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser.lab import ROOT, run_to, step, visit


@pytest.fixture
def page(browser: Any, server: Any) -> Iterator[Any]:
    """A visitor who has chosen faces."""
    one = visit(browser, server)
    one.set_default_timeout(150_000)
    one.click("[data-data=faces-32]")
    one.wait_for_selector(f"{ROOT}[data-samples=faces][data-state=running]")
    yield one
    one.goto("about:blank")  # leaves the seat
    one.context.close()


def colours(page: Any, name: str) -> int:
    """Different colours on a canvas: few where nothing is drawn."""
    return page.evaluate(
        """name => {
            const canvas = document.querySelector(`[data-side=left] [data-part=${name}]`);
            const image = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(image.data.buffer)).size;
        }""",
        name,
    )


def test_faces_from_the_first_second_broken_named_and_repaired(page: Any, artefacts: Path) -> None:
    page.select_option("[data-part=preset]", "fast-generator")
    page.wait_for_selector("[data-side=left][data-verdict=healthy]")  # before a step is made: trained networks
    page.screenshot(path=artefacts / "lab-faces-start.png", full_page=True)
    page.click("[data-do=run]")
    page.wait_for_selector("[data-side=left][data-verdict=collapsed]")
    words, meter = page.evaluate(
        "['verdict', 'effective'].map((n) => document.querySelector(`[data-side=left] [data-part=${n}]`).textContent)"
    )
    assert f"128 faces amount to {meter} different ones" in words, "the verdict quotes the meter"
    most = re.search(r"(\d+) % are (.+); in the data", words.replace("\u00a0", " "))
    assert most and f"{most[2]}" in page.inner_text("[data-side=left] [data-part=groups]"), "and the bars"
    page.screenshot(path=artefacts / "lab-faces-collapsed.png", full_page=True)
    page.click("[data-do=fork]")
    page.wait_for_selector("[data-side=right]", state="visible")
    page.click("[data-do=repair]")
    page.wait_for_selector("[data-side=right]:is([data-verdict=healthy], [data-verdict=skewed])")
    assert page.get_attribute("[data-side=left]", "data-verdict") == "collapsed" and step(page) > 50
    page.screenshot(path=artefacts / "lab-faces-side-by-side.png", full_page=True)


def test_the_data_can_be_looked_at(page: Any) -> None:
    page.click(".fk-lab-data summary")
    page.wait_for_selector(".fk-lab-data canvas", state="visible")
    assert colours(page, "data") > 500
    page.wait_for_function("document.querySelectorAll('[data-side=left] [data-part=groups] li').length >= 5")


def test_what_is_kept_of_a_run_on_faces(page: Any) -> None:
    run_to(page, 30)
    with page.expect_download() as gif:
        page.click("[data-save=gif]")
    picture = Image.open(gif.value.path())
    assert picture.format == "GIF" and picture.n_frames >= 3 and len(picture.convert("RGB").getcolors(2**18)) > 50
    with page.expect_download() as table:
        page.click("[data-save=csv]")
    rows = list(csv.DictReader(io.StringIO(Path(table.value.path()).read_text())))
    assert {"loss_generator", "effective", "total_variation"} <= rows[0].keys()
    assert any(row["total_variation"] for row in rows)


def test_from_faces_to_points_and_back(page: Any) -> None:
    page.click("[data-data=ring]")
    page.wait_for_selector(f"{ROOT}[data-samples=points]")
    run_to(page, 50)
    assert "modes reached" in page.inner_text("[data-side=left] [data-part=modes]")
    assert page.locator("[data-setting=start]").count() == 0
    page.click("[data-data=faces-64]")
    page.wait_for_selector(f"{ROOT}[data-samples=faces][data-state=running]")
    page.select_option("[data-setting=start]", "trained")
    page.wait_for_selector("[data-side=left][data-verdict=healthy]")
    run_to(page, 1)
    assert colours(page, "plane") > 100


def test_the_lesson_ends_on_faces(page: Any, artefacts: Path) -> None:
    page.select_option("[data-part=preset]", "fast-generator")
    page.click("[data-part=lesson-open]")
    page.click("[data-lesson-step='4']")
    page.click("[data-do=run]")
    page.wait_for_selector("[data-side=left][data-verdict=collapsed]")
    page.click("[data-do=run]")
    page.wait_for_selector(f"{ROOT}[data-running=false]")
    shares = page.eval_on_selector_all(
        "[data-side=left] [data-part=groups] li",
        "all => all.map((li) => [li.dataset.group, parseInt(li.querySelector('b').textContent)])",
    )
    wrong = min(shares, key=lambda pair: pair[1])[0]
    page.select_option("[data-part=lesson-answer]", wrong)
    assert page.get_attribute("[data-part=lesson-check]", "data-done") == "false"
    page.select_option("[data-part=lesson-answer]", max(shares, key=lambda pair: pair[1])[0])
    page.wait_for_selector("[data-part=lesson-check][data-done=true]")
    page.screenshot(path=artefacts / "lab-faces-lesson.png", full_page=True)
