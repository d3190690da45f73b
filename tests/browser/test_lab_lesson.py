"""What the lesson of the tab *Collapse lab* says at its end, in a real browser: of readings that are made up here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facekit.ui.strings import texts
from tests.browser.lab import visit

LEARN = """({ step, reading, figures, preset, answer }) => {
    const panel = { now: { readings: [reading], figures: [[9, figures]] } }, root = document.createElement("section");
    document.body.append(root);
    const lesson = facekit.labLesson(root, { panels: { left: panel, right: panel }, preset, forked: false });
    lesson.open(step);
    const field = root.querySelector("[data-part=lesson-answer], input");
    if (field.type === "radio") field.checked = true; else field.value = answer;
    field.dispatchEvent(new Event("change"));
    window.lessonWords = () => { lesson.draw(); return root.querySelector("[data-part=lesson-check]").textContent; };
    return lessonWords();
}"""
COLLAPSED = {"state": "collapsed", "effective": 3.25, "natural": 31.5}


@pytest.fixture
def page(browser: Any, server: Any) -> Iterator[Any]:
    one = visit(browser, server)
    yield one
    one.context.close()


@pytest.mark.parametrize(("share", "alone"), [(0.43, False), (0.79, False), (0.8, True), (0.97, True)])
def test_everyone_else_disappeared_only_where_they_did(page: Any, share: float, alone: bool) -> None:
    reading = COLLAPSED | {"groups": [["woman", "black", share, 0.13], ["man", "brown", 1 - share, 0.2]]}
    answer = "woman.black" if share >= 0.5 else "man.brown"
    for language in ("en", "es", "it"):
        page.click(f"[data-language={language}]")
        told = page.evaluate(LEARN, {"step": 5, "reading": reading, "answer": answer})
        words = texts(language)
        end = words["lab.lesson.5.learned" if alone else "lab.lesson.5.learned.some"].split("{n}")[1]
        assert told.endswith(end) and f"{100 * max(share, 1 - share):.0f}" in told


def test_numbers_of_the_lesson_in_every_language(page: Any) -> None:
    reading, figures = COLLAPSED | {"modes": 1, "of": 8}, {"discriminator": 1.38, "generator": 0.71}
    page.evaluate(LEARN, {"step": 2, "reading": reading, "figures": figures, "preset": "fast-generator"})
    for language, numbers in (("es", ("1,4", "0,7")), ("it", ("1,4", "0,7")), ("en", ("1.4", "0.7"))):
        page.click(f"[data-language={language}]")
        assert f"{numbers[0]} " in (told := page.evaluate("lessonWords()")) and f" {numbers[1]} " in told
    page.click("[data-language=es]")
    assert "3,3" in page.evaluate(LEARN, {"step": 3, "reading": reading, "answer": "3,1"}), "typed as it is shown"


@pytest.mark.parametrize("language", ["en", "es", "it"])
def test_no_tab_is_cut_on_a_phone(browser: Any, server: Any, artefacts: Path, language: str) -> None:
    page = visit(browser, server, f"/?lang={language}", viewport={"width": 390, "height": 844})
    page.wait_for_function(
        "words => document.querySelector('[data-tab-id=lab]').innerText === words", arg=texts(language)["tab.lab"]
    )
    cut = page.eval_on_selector_all(
        "#facekit-tabs .tab-container button[role=tab]",
        """all => all.filter((one) => one.offsetParent && one.scrollWidth > one.clientWidth + 1)
            .map((one) => one.innerText)""",
    )
    assert cut == []
    page.screenshot(path=artefacts / f"tabs-{language}.png")
    page.context.close()


def test_one_step_of_the_lesson_is_the_current_one(page: Any) -> None:
    page.click("[data-part=lesson-open]")
    page.click("[data-lesson-step='3']")
    told = page.locator("[data-lesson-step]").evaluate_all("all => all.map((one) => one.getAttribute('aria-current'))")
    assert told == [None, None, None, "step", None]
