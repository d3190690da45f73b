"""How the generator learned, in the tab *Generate*, in a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.test_generate_page import drawn, pictures, state_of, visit


@pytest.fixture
def page(browser: Any, server: Any) -> Iterator[Any]:
    """A visitor with a wide screen."""
    one = visit(browser, server)
    yield one
    one.context.close()


def test_how_it_learned(page: Any, artefacts: Path) -> None:
    page.locator("[data-part=growth]").scroll_into_view_if_needed()
    page.wait_for_selector("[data-part=growth][data-state=ready]")
    slider = page.locator("[data-part=epoch]")
    last = int(page.get_attribute("[data-part=growth]", "data-epoch"))
    assert last >= 1 and int(slider.get_attribute("max")) == last
    grown = pictures(page, "[data-part=growth-sheet]")
    assert len(grown) == 36
    slider.fill("0")
    assert page.get_attribute("[data-part=growth]", "data-epoch") == "0"
    noise = pictures(page, "[data-part=growth-sheet]")
    assert not set(noise) & set(grown)
    page.wait_for_function("new URLSearchParams(location.search).get('generate').includes('epoch')")
    assert state_of(page)["epoch"] == 0
    marker = page.locator("[data-chart=losses] .marker")
    at_start = float(marker.get_attribute("x1"))
    page.click("[data-part=growth-play]")
    page.wait_for_function(f"document.querySelector('[data-part=growth]').dataset.epoch === '{last}'")
    assert pictures(page, "[data-part=growth-sheet]") == grown
    assert float(marker.get_attribute("x1")) > at_start + 50, "the marker follows"
    assert re.search(r"loss of the generator\s*\d", page.inner_text("[data-chart=losses] figcaption"))
    chart = page.locator("[data-chart=losses] svg").bounding_box()
    page.mouse.click(chart["x"] + 45, chart["y"] + 40)
    assert page.get_attribute("[data-part=growth]", "data-epoch") == "0", "a press on a curve goes there"
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("[data-part=growth]", "data-epoch") == "1"
    page.locator("[data-part=growth]").screenshot(path=artefacts / "generate-growth.png")


def test_new_faces_by_an_early_epoch(browser: Any, server: Any, artefacts: Path) -> None:
    page = visit(browser, server, {"seed": 7, "checkpoint": "dcgan-faces"})
    panel = page.locator("[data-part=growth]")
    panel.scroll_into_view_if_needed()
    last = pictures(page, "[data-part=grid]")
    names = page.eval_on_selector_all("[data-part=growth-kept] button", "all => all.map(one => one.dataset.checkpoint)")
    assert names[-1] == "dcgan-faces" and names[0] == "dcgan-faces@epoch-1"
    assert page.is_disabled(f'[data-checkpoint="{names[-1]}"]')
    drawn(page, lambda: page.click(f'[data-checkpoint="{names[1]}"]'))
    assert not set(pictures(page, "[data-part=grid]")) & set(last)
    assert page.get_attribute("[data-part=growth]", "data-epoch") == names[1].split("-")[-1]
    assert state_of(page)["checkpoint"] == names[1]
    page.screenshot(path=artefacts / "generate-early.png", full_page=True)
    page.reload()
    page.wait_for_selector(f'[data-checkpoint="{names[1]}"]:disabled')
    page.wait_for_selector(".fk-gen[data-state=ready]")
    drawn(page, lambda: page.click(f'[data-checkpoint="{names[-1]}"]'))
    assert pictures(page, "[data-part=grid]") == last
    page.context.close()


def test_a_link_to_an_early_epoch_shows_its_growth_there(browser: Any, server: Any) -> None:
    page = visit(browser, server, {"seed": 7, "checkpoint": "dcgan-faces@epoch-3"})
    assert page.get_attribute("[data-part=growth]", "data-epoch") == "3"
    assert page.inner_text("[data-part=growth-kept] [aria-current]") == "epoch 3"
    page.context.close()


def test_curves_show_what_the_log_has(page: Any) -> None:
    log = [{"epoch": e, "discriminator": 1.2, "generator": 1.0 + e, "vendi": 5.0 * e, "frechet": None} for e in (1, 2)]
    log[1] |= {"recall": 0.25, "frechet": 12.5}
    charts = page.evaluate("log => window.facekit.growthCharts(log)", log)
    assert [chart["key"] for chart in charts] == ["losses", "vendi", "recall", "frechet"]
    assert charts[3]["series"][0]["values"] == [[2, 12.5]]
    told = page.evaluate(
        """log => {
            const chart = window.facekit.growthChart(window.facekit.growthCharts(log)[1], 2, 400, 140, () => {});
            chart.mark(2); return [chart.textContent, chart.querySelector("svg").getAttribute("aria-label")]; }""",
        log,
    )
    assert "effectively different faces 10" in told[0] and told[1] == "effectively different faces from 5 to 10"
