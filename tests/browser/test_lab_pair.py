"""Two runs beside each other in the tab *Collapse lab*, in a real browser."""

import json
from typing import Any
from urllib.parse import quote

import psutil
import pytest

from tests.browser.lab import OUTSIDE, ROOT, Visit, pace, run_to

PAIR = {"preset": "fast-generator", "beside": {"minibatch_std": True}}


def step_of(page: Any, side: str) -> int:
    words = page.inner_text(f"[data-side={side}] [data-part=step]")
    return int("".join(filter(str.isdigit, words)) or 0)


def test_a_copy_of_a_slow_run_is_slow(page: Any) -> None:
    page.click("[data-do=slow]")
    page.click("[data-do=run]")
    page.wait_for_function(f"Number(document.querySelector('{ROOT}').dataset.step) >= 2")
    page.click("[data-do=fork]")
    page.wait_for_function("document.querySelector('[data-side=right] [data-part=step]').textContent !== ''")
    assert 2 < pace(page, lambda: step_of(page, "right")) < 8, "five steps a second"


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
    page.wait_for_function("""() => {
        const part = (side, name) => document.querySelector(`[data-side=${side}] [data-part=${name}]`);
        const of = (text) => Number(text.replace(/\\D/g, "")), sides = ["left", "right"];
        const [left, right] = sides.map((side) => of(part(side, "step").textContent));
        const ends = sides.flatMap((side) => ["losses", "belief"].map((name) => of(drawnTexts.get(part(side, name)))));
        return left !== right && ends.every((end) => end === Math.max(left, right));
    }""")


def switched(page: Any, side: str) -> bool:
    """Whether the recipe of this side has r1 on."""
    page.click(f"[data-side-of={side}]")
    return page.get_attribute("[data-remedy=r1]", "aria-checked") == "true"


def test_what_differs_between_a_pair_outlives_a_rewind_and_a_new_start(page: Any) -> None:
    page.select_option("[data-part=preset]", "fast-generator")
    run_to(page, 210)
    page.click("[data-do=fork]")
    page.wait_for_selector("[data-side-of=right][aria-pressed=true]")
    page.click("[data-remedy=r1]")
    page.wait_for_selector("[data-remedy=r1][aria-checked=true]")
    for step in (100, 0):  # before there was a copy
        page.locator("[data-part=rewind]").fill("1" if step else "0")
        for side in ("left", "right"):
            page.wait_for_function(f"""/step {step}$/.test(
                document.querySelector("[data-side={side}] [data-part=step]").textContent)""")
        page.wait_for_timeout(500)
        assert (switched(page, "left"), switched(page, "right")) == (False, True)
    page.click("[data-side-of=left]")
    page.click("[data-remedy=pack]")
    page.click("[data-do=step]")
    page.wait_for_selector(f"{ROOT}[data-step='1']")
    for begin in ("[data-do=reset]", "seed"):
        if begin == "seed":
            page.click("summary[data-t='lab.details']")
            page.fill("[data-setting=seed]", "9")
            page.keyboard.press("Tab")
        else:
            page.click(begin)
        page.wait_for_function(f"document.querySelector('{ROOT}').dataset.state === 'running'")
        page.wait_for_function("""["left", "right"].every((side) => / 0$/.test(
            document.querySelector(`[data-side=${side}] [data-part=step]`).textContent))""")
        assert (switched(page, "right"), switched(page, "left")) == (True, False), "each with its own settings"
        assert page.get_attribute("[data-remedy=pack]", "aria-checked") == "true"


def test_what_ended_a_run_is_shown_until_another_starts(page: Any, server: Any) -> None:
    run_to(page, 10)
    for child in psutil.Process(server.process).children(recursive=True):
        if "forkserver" in " ".join(child.cmdline()) and not child.children():
            child.kill()
    verdict = page.locator("[data-side=left] [data-part=verdict]")
    page.wait_for_selector("[data-side=left][data-verdict=error]")
    words = verdict.inner_text()
    assert "has ended" in words
    page.click("[data-do=step]")
    page.wait_for_selector("[data-part=hint]:not([hidden])")
    page.set_viewport_size({"width": 1300, "height": 900})  # drawn once more
    page.wait_for_timeout(500)
    assert verdict.inner_text() == words
    page.click("[data-do=reset]")
    page.wait_for_selector("[data-side=left]:not([data-verdict=error])")
    run_to(page, 5)


def test_a_second_press_at_once_takes_the_first_back(page: Any) -> None:
    run_to(page, 20)
    page.click("[data-do=reset]")
    page.wait_for_function(f"document.querySelector('{ROOT}').dataset.step === '0'")
    for presses, running in ((2, "false"), (3, "true")):
        page.evaluate("(n) => { while (n--) document.querySelector('[data-do=run]').click(); }", presses)
        assert page.get_attribute(ROOT, "data-running") == running, "said before the server has answered"
        page.wait_for_timeout(1500)
        assert page.get_attribute(ROOT, "data-running") == running
    page.wait_for_function(f"Number(document.querySelector('{ROOT}').dataset.step) > 20")


def test_the_buttons_stay_in_sight(visit_lab: Visit) -> None:
    page = visit_lab("/?lab=" + quote(json.dumps(PAIR)), viewport={"width": 1440, "height": 900})
    assert page.evaluate(OUTSIDE, ["run", "reset", "rewind"]) == []


def test_on_a_phone_the_buttons_leave_room_for_the_pictures(visit_lab: Visit) -> None:
    path = "/?lang=it&lab=" + quote(json.dumps(PAIR))
    page = visit_lab(path, viewport={"width": 390, "height": 844})
    assert page.evaluate(OUTSIDE, ["run", "plane", "verdict"]) == []
    assert page.locator("[data-part=transport]").bounding_box()["height"] < 80
    assert page.locator("[data-part=meter-text]").evaluate_all(
        "all => all.every((one) => one.scrollWidth <= one.clientWidth)"
    )


@pytest.mark.parametrize(("width", "height"), [(1024, 768), (1440, 900)])
def test_two_runs_and_their_charts_are_on_one_screen(visit_lab: Visit, width: int, height: int) -> None:
    page = visit_lab("/?lab=" + quote(json.dumps(PAIR)), viewport={"width": width, "height": height})
    run_to(page, 210)
    page.evaluate("document.querySelector('.fk-lab-columns').scrollIntoView()")
    assert page.evaluate(OUTSIDE, ["run", "reset", "plane", "verdict", "effective", "losses", "belief"]) == []
    assert page.locator("[data-part=losses]:visible").count() == 2
