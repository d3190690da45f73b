"""Two runs beside each other in the tab *Collapse lab*, in a real browser."""

import re
from typing import Any

from tests.browser.lab import ROOT, run_to


def step_of(page: Any, side: str) -> int:
    words = page.inner_text(f"[data-side={side}] [data-part=step]")
    return int("".join(filter(str.isdigit, words)) or 0)


def test_a_copy_of_a_slow_run_is_slow(page: Any) -> None:
    page.click("[data-do=slow]")
    page.click("[data-do=run]")
    page.wait_for_function(f"Number(document.querySelector('{ROOT}').dataset.step) >= 2")
    page.click("[data-do=fork]")
    page.wait_for_function("document.querySelector('[data-side=right] [data-part=step]').textContent !== ''")
    page.wait_for_timeout(2500)
    assert 5 < step_of(page, "right") < 40, "five steps a second"


RANGES = """() => {
    const plain = CanvasRenderingContext2D.prototype.fillText;
    window.drawnTexts = new Map();
    CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
        drawnTexts.set(this.canvas, String(text));
        return plain.call(this, text, ...rest);
    };
}"""
"""Keeps the last text that was drawn on each canvas: of a chart, its last step."""


def test_the_charts_of_a_pair_share_their_steps(page: Any) -> None:
    page.evaluate(RANGES)
    run_to(page, 60)
    page.click("[data-do=fork]")
    page.wait_for_selector("[data-side=right]", state="visible")
    before = step_of(page, "left")
    page.click("[data-do=run]")
    page.wait_for_function(f"Number(document.querySelector('{ROOT}').dataset.step) > {before + 100}")
    page.click("[data-side-of=left]")
    page.click("[data-do=run]")
    page.wait_for_selector(f"{ROOT}[data-running=false]")
    page.wait_for_timeout(1000)
    ends = page.evaluate("""() => ["left", "right"].flatMap((side) => ["losses", "belief"].map(
        (name) => drawnTexts.get(document.querySelector(`[data-side=${side}] [data-part=${name}]`))))""")
    longest = max(step_of(page, "left"), step_of(page, "right"))
    assert step_of(page, "left") != step_of(page, "right"), "or nothing is shown here"
    assert [int(re.sub(r"\D", "", end)) for end in ends] == [longest] * 4
