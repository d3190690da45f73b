"""The projector layout of the tab *Collapse lab*, in a real browser: everything that matters on one screen."""

import json
import urllib.parse
from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab import OUTSIDE, ROOT, Visit

SEEN = ("run", "fork", "transport", "plane", "verdict", "effective", "losses", "belief")


@pytest.mark.parametrize("beside", [None, {"minibatch_std": True}], ids=["one", "two"])
@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080), (1024, 768)])
def test_the_picture_the_verdict_and_the_buttons_are_on_one_screen(
    visit_lab: Visit,
    artefacts: Path,
    width: int,
    height: int,
    language: str,
    beside: dict[str, Any] | None,
) -> None:
    state = {"preset": "fast-generator", "projector": True} | ({"beside": beside} if beside else {})
    path = f"/?lang={language}&lab=" + urllib.parse.quote(json.dumps(state))
    page = visit_lab(path, viewport={"width": width, "height": height})
    page.click("[data-do=run]")
    page.wait_for_selector("[data-side=left][data-verdict=collapsed]")
    page.click("[data-do=run]")
    page.wait_for_selector(f"{ROOT}[data-running=false]")
    page.screenshot(path=artefacts / f"lab-projector-{width}-{language}-{2 if beside else 1}.png")
    assert page.evaluate(OUTSIDE, SEEN) == []
    assert page.locator("[data-part=plane]:visible").count() == (2 if beside else 1)
    sizes = page.evaluate("""() => [getComputedStyle(document.querySelector("[data-part=verdict]")).fontSize,
        document.querySelector("[data-part=plane]").clientWidth]""")
    assert float(sizes[0][:-2]) >= 20 and sizes[1] >= 0.29 * height, "large enough to be read from the last row"
    page.click("[data-do=projector]")
    assert page.is_visible("#facekit-tabs button[data-tab-id=lab]") and page.is_visible(".fk-brand")


def test_the_picture_is_in_sight_beside_the_lesson(visit_lab: Visit) -> None:
    state = {"data": "faces-32", "preset": "fast-generator", "projector": True, "lesson": 5}
    page = visit_lab("/?lab=" + urllib.parse.quote(json.dumps(state)), viewport={"width": 1280, "height": 720})
    page.wait_for_selector("[data-part=lesson-answer]")
    assert page.evaluate(OUTSIDE, ["lesson-answer", "run", "plane", "verdict", "effective"]) == []
