"""The quiz "Real or generated?" of the tab *Generate*, in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import EXAMPLES
from tests.browser.test_generate_page import visit


@pytest.fixture
def page(browser: Any, server: Any) -> Iterator[Any]:
    """A visitor with a wide screen."""
    one = visit(browser, server)
    yield one
    one.context.close()


def test_quiz_with_the_visitors_own_photos(page: Any, artefacts: Path) -> None:
    page.set_input_files(
        "[data-part=quiz] input[type=file] >> nth=0", [EXAMPLES / "three_sizes.jpg", EXAMPLES / "cat.jpg"]
    )
    page.wait_for_selector("[data-quiz=start]:not([disabled])")
    assert "3 real faces" in page.inner_text("[data-part=quiz]")
    assert "In one photo no face was found" in page.inner_text("[data-part=quiz-hint]")
    page.locator("[data-part=quiz]").screenshot(path=artefacts / "generate-quiz-start.png")
    page.click("[data-quiz=start]")
    for n in range(10):
        page.wait_for_selector(f"[data-part=quiz][data-state=question][data-at='{n}']")
        if n == 1:
            page.locator("[data-part=quiz]").screenshot(path=artefacts / "generate-quiz.png")
        page.keyboard.press("ArrowRight" if n % 2 else "ArrowLeft")
        page.keyboard.press("Enter")
    page.wait_for_selector("[data-part=quiz][data-state=result]")
    kinds = page.locator(".fk-gen-results figcaption").all_inner_texts()
    assert sum(kind.startswith("photo") for kind in kinds) == 3 and len(kinds) == 10
    right = sum(kind.startswith("photo") == (n % 2 == 0) for n, kind in enumerate(kinds))
    assert page.inner_text(".fk-gen-score") == f"{right} of 10 right"
    assert page.locator(".fk-gen-results [data-right=true]").count() == right
    assert f"{right} of 10 right" in page.inner_text(".fk-gen [data-part=said]")
    page.locator("[data-part=quiz]").screenshot(path=artefacts / "generate-quiz-result.png")
    page.click("[data-quiz=forget]")
    assert page.locator("[data-part=quiz] img").count() == 0
    page.wait_for_selector("[data-quiz=one]")


def test_quiz_without_photos_has_one_real_portrait(page: Any) -> None:
    page.click("[data-quiz=one]")
    for n in range(10):
        page.wait_for_selector(f"[data-part=quiz][data-state=question][data-at='{n}']")
        page.click("[data-quiz=made]")
    page.wait_for_selector("[data-part=quiz][data-state=result]")
    assert page.inner_text(".fk-gen-score") == "9 of 10 right"
    assert "Real ones among the ten: 1." in page.inner_text("[data-part=quiz]")


def test_quiz_with_dropped_photos(page: Any) -> None:
    content = (EXAMPLES / "astronaut.jpg").read_bytes()
    page.evaluate(
        """bytes => {
            const data = new DataTransfer(), photo = new File([new Uint8Array(bytes)], "a.jpg", { type: "image/jpeg" });
            data.items.add(photo);
            const drop = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
            document.querySelector(".fk-gen").dispatchEvent(drop);
        }""",
        list(content),
    )
    page.wait_for_selector("[data-quiz=start]:not([disabled])")
    assert "1 real face" in page.inner_text("[data-part=quiz]")


def test_quiz_with_the_camera(launch: Any, server: Any) -> None:
    browser = launch("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    page = visit(browser, server, permissions=["camera"])
    page.click("[data-quiz=camera]")
    page.wait_for_function("document.querySelector('[data-part=quiz] video')?.videoWidth > 0")
    page.click("[data-quiz=snap]")
    page.wait_for_selector("[data-part=quiz-hint]:has-text('no face was found')")  # a test picture has none
    page.click("[data-quiz=done]")
    assert page.evaluate("window.facekit.camera.stream") is None, "the camera is off"
    browser.close()
