"""The tab *Collapse lab* in a real browser: run it, break it, repair it, beside its own copy."""

import csv
import io
import json
import re
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from tests.browser.lab import ROOT, pace, run_to, step, visit


def test_break_it_and_repair_it_beside_the_broken_one(page: Any, artefacts: Path) -> None:
    """The lesson: collapse, seen and named; a remedy on a copy; all modes back there, and none on the other side."""
    page.screenshot(path=artefacts / "lab-empty.png")
    page.select_option("[data-part=preset]", "fast-generator")
    page.click("[data-do=run]")
    page.wait_for_selector("[data-side=left][data-verdict=collapsed]")
    page.wait_for_function(f"Number(document.querySelector('{ROOT}').dataset.step) >= 300")
    page.wait_for_selector("[data-side=left][data-verdict=collapsed]")
    words, meter = page.evaluate(
        "['verdict', 'effective'].map((n) => document.querySelector(`[data-side=left] [data-part=${n}]`).textContent)"
    )
    assert f"the points amount to {meter} different ones" in words, "the verdict quotes the meter"
    page.screenshot(path=artefacts / "lab-collapsed.png")
    page.click("[data-do=fork]")
    page.wait_for_selector("[data-side=right]", state="visible")
    page.click("[data-do=repair]")
    page.wait_for_selector("[data-side=right][data-verdict=healthy]")
    assert page.get_attribute("[data-remedy=minibatch_std]", "aria-checked") == "true"
    assert re.search(r"[78] of 8 modes reached", page.inner_text("[data-side=right] [data-part=modes]"))
    assert re.search(r"[012] of 8 modes reached", page.inner_text("[data-side=left] [data-part=modes]"))
    page.screenshot(path=artefacts / "lab-side-by-side.png", full_page=True)
    page.click("[data-do=projector]")
    page.screenshot(path=artefacts / "lab-projector.png", full_page=True)
    page.click("[data-do=projector]")
    page.click("[data-do=fork]")
    page.wait_for_selector("[data-side=right]", state="hidden")


def test_step_by_step(page: Any) -> None:
    page.click("[data-do=step]")
    page.wait_for_selector(f"{ROOT}[data-step='1']")
    seen = page.evaluate("document.querySelector('[data-part=plane]').toDataURL()")
    page.click("[data-do=generator]")
    page.wait_for_function("old => document.querySelector('[data-part=plane]').toDataURL() !== old", arg=seen)
    page.click("[data-do=discriminator]")
    page.click("[data-do=step]")
    page.wait_for_selector(f"{ROOT}[data-step='2']")


def test_thumbnails_lead_back(page: Any, artefacts: Path) -> None:
    run_to(page, 260)
    page.wait_for_selector("[data-part=thumbs] button:nth-child(2)")
    thumbs = page.locator("[data-part=thumbs] button")
    assert 2 <= thumbs.count() <= 6
    steps = [int(thumbs.nth(i).get_attribute("data-step")) for i in range(thumbs.count())]
    assert steps == sorted(set(steps)) and steps[0] == 0 and steps[-1] < step(page)
    drawn = thumbs.evaluate_all("all => all.map((one) => one.querySelector('canvas').toDataURL())")
    assert len(set(drawn)) > 1, "each shows its own moment"
    page.locator("[data-part=transport]").screenshot(path=artefacts / "lab-thumbs.png")
    page.click(f"[data-part=thumbs] [data-step='{steps[1]}']")
    page.wait_for_selector(f"{ROOT}[data-step='{steps[1]}'][data-running=false]")


def test_rewind_slow_and_start_over(page: Any) -> None:
    run_to(page, 210)
    page.fill("[data-part=rewind]", "1")
    page.wait_for_selector(f"{ROOT}[data-step='100']")
    page.click("[data-do=slow]")
    page.click("[data-do=run]")
    assert 2 < pace(page, lambda: step(page)) < 8, "five steps a second"
    page.click("[data-do=reset]")
    page.wait_for_selector(f"{ROOT}[data-step='0']")
    assert page.inner_text("[data-do=run]") == "Run"


def test_the_same_seed_makes_the_same_picture(page: Any) -> None:
    pictures = []
    for _ in range(2):
        page.click("[data-do=reset]")
        page.wait_for_selector(f"{ROOT}[data-state=running][data-step='0']")
        for n in (1, 2, 3):
            page.click("[data-do=step]")
            page.wait_for_selector(f"{ROOT}[data-step='{n}']")
        pictures.append(page.evaluate("document.querySelector('[data-part=plane]').toDataURL()"))
    assert pictures[0] == pictures[1]


def test_what_is_kept_of_a_run(page: Any) -> None:
    page.select_option("[data-part=preset]", "skewed-data")
    run_to(page, 100)
    for remedy in ("pack", "norm"):  # each is answered with the frame again
        page.click(f"[data-remedy={remedy}]")
        page.wait_for_selector(f"[data-remedy={remedy}][aria-checked=true]")
    with page.expect_download() as gif:
        page.click("[data-save=gif]")
    picture = Image.open(gif.value.path())
    assert picture.format == "GIF" and picture.n_frames > 5
    with page.expect_download() as table:
        page.click("[data-save=csv]")
    rows = list(csv.DictReader(io.StringIO(Path(table.value.path()).read_text())))
    assert {"run", "step", "loss_discriminator", "modes", "effective"} <= rows[0].keys()
    assert max(int(row["step"]) for row in rows) >= 100 and any(row["effective"] for row in rows)
    assert len({row["step"] for row in rows}) == len(rows), "one row a step"


def test_a_link_holds_the_settings(browser: Any, server: Any) -> None:
    settings = {"data": "grid", "loss": "hinge", "pack": 4, "seed": 7}
    page = visit(browser, server, "/?lab=" + urllib.parse.quote(json.dumps(settings)))
    assert page.get_attribute("[data-data=grid]", "aria-pressed") == "true"
    assert page.get_attribute("[data-remedy=pack]", "aria-checked") == "true"
    page.click("summary[data-t='lab.details']")
    assert page.input_value("[data-setting=loss]") == '"hinge"' and page.input_value("[data-setting=seed]") == "7"
    run_to(page, 20)
    assert "of 25 modes" in page.inner_text("[data-side=left] [data-part=modes]")
    page.context.close()


@pytest.mark.parametrize("given", ["{", '{"loss": "none"}', '{"batch": -1, "unknown": 2}'])
def test_a_broken_link_is_told(browser: Any, server: Any, given: str) -> None:
    page = visit(browser, server, "/?lab=" + urllib.parse.quote(given))
    if given != "{":
        page.click("[data-do=run]")
    page.wait_for_selector("[data-part=hint]:not([hidden]) >> text=/cannot be read|Setting/")
    page.context.close()


def test_two_browsers_have_their_own_runs(browser: Any, server: Any, page: Any) -> None:
    other = visit(browser, server, locale="it-IT", viewport={"width": 390, "height": 844})
    other.click("[data-data=grid]")
    run_to(page, 60)
    run_to(other, 30)
    assert "of 8 modes" in page.inner_text("[data-side=left] [data-part=modes]")
    assert "modi su 25" in other.inner_text("[data-side=left] [data-part=modes]")
    other.context.close()


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (820, 1180), (390, 844)])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_scrolls_sideways(
    browser: Any, server: Any, artefacts: Path, width: int, height: int, theme: str
) -> None:
    page = visit(browser, server, viewport={"width": width, "height": height}, color_scheme=theme)
    run_to(page, 40)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.screenshot(path=artefacts / f"lab-{width}-{theme}.png", full_page=True)
    page.context.close()


def test_languages(page: Any) -> None:
    page.click("[data-language=es]")
    assert "Ejecutar" in page.inner_text("[data-do=run]")
    assert "Remedios" in page.inner_text("[data-part=recipe]")
    page.click("[data-language=it]")
    assert "Premi Avvia" in page.inner_text("[data-side=left] [data-part=verdict]")
    page.click("[data-language=en]")


def test_leaving_the_page_ends_the_run(browser: Any, serve: Any, tmp_path: Path) -> None:
    process, server = serve(tmp_path / "uploads", tmp_path / "log.txt")

    def runs() -> int:
        forks = [child for child in psutil.Process(process.pid).children() if "forkserver" in " ".join(child.cmdline())]
        return sum(len(fork.children()) for fork in forks)

    def ended(within: float) -> bool:
        until = time.monotonic() + within
        while runs() and time.monotonic() < until:
            time.sleep(0.1)
        return runs() == 0

    try:
        page = visit(browser, server)
        run_to(page, 30)
        assert runs() == 1
        page.reload()
        page.wait_for_selector(".fk-attributes[data-ready]")
        assert ended(4), "a page that is loaded again has left its run"
        tab = page.locator("#facekit-tabs button[data-tab-id=lab]")
        if not tab.count():  # long names on a narrow screen: behind the dots
            page.click("#facekit-tabs .overflow-menu > button")
            tab = page.locator("#facekit-tabs .overflow-dropdown button").filter(has_text=re.compile("lab", re.I))
        tab.first.click()
        run_to(page, 30)
        assert runs() == 1
        page.context.close()
        assert ended(30), "a browser that is gone has left its run"
    finally:
        process.terminate()
        process.wait(20)


def test_the_lesson_checks_each_task_itself(page: Any, artefacts: Path) -> None:
    def done() -> None:
        page.wait_for_selector("[data-part=lesson-check][data-done=true]")

    page.click("[data-part=lesson-open]")
    page.select_option("[data-part=preset]", "healthy")
    page.click("[data-do=run]")
    done()
    page.click("[data-part=lesson-next]")
    page.check("[data-part=lesson] input[value='2']")
    assert page.get_attribute("[data-part=lesson-check]", "data-done") == "false"
    page.select_option("[data-part=preset]", "fast-generator")
    done()
    assert re.search(r"the losses are \d\.\d for D and \d\.\d for G", page.inner_text("[data-part=lesson-check]"))
    page.click("[data-part=lesson-next]")
    page.wait_for_function(f"Number(document.querySelector('{ROOT}').dataset.step) >= 500")
    page.wait_for_selector("[data-side=left][data-verdict=collapsed]")
    page.click("[data-do=run]")
    page.wait_for_selector(f"{ROOT}[data-running=false]")
    page.fill("[data-part=lesson-answer]", "50")
    page.keyboard.press("Tab")
    assert page.get_attribute("[data-part=lesson-check]", "data-done") == "false"
    page.fill("[data-part=lesson-answer]", page.inner_text("[data-side=left] [data-part=effective]"))
    page.keyboard.press("Tab")
    done()
    page.screenshot(path=artefacts / "lab-lesson.png", full_page=True)
    page.click("[data-part=lesson-next]")
    page.click("[data-do=fork]")
    page.click("[data-do=repair]")
    page.click("[data-do=run]")
    page.check("[data-part=lesson] input[value='0']")
    page.check("[data-part=lesson] input[value='1']")
    done()
    assert "8 of 8 modes on the right" in page.inner_text("[data-part=lesson-check]") or "7 of 8" in page.inner_text(
        "[data-part=lesson-check]"
    )


def test_unexpected_server_error_is_told_and_the_next_click_is_answered(
    page: Any, fail_at: Callable[..., None]
) -> None:
    fail_at(page, "lab_start")
    page.click("[data-do=run]")
    page.wait_for_selector(f"{ROOT}[data-state=idle]")
    assert "The server did not answer" in page.inner_text(f"{ROOT} [data-part=hint]")
    page.unroute_all()
    run_to(page, 1)
    assert page.is_hidden(f"{ROOT} [data-part=hint]")
    fail_at(page, "lab_watch")
    page.wait_for_selector(f"{ROOT} [data-part=hint]", state="visible")
    page.unroute_all()
    run_to(page, step(page) + 1)
