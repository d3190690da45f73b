"""Links into the tabs *Collapse lab* and *Generate*, in a real browser: all that was set up, or one sentence."""

import json
import urllib.parse
from typing import Any

import pytest

from facekit.ui.strings import texts
from tests.browser.lab import ROOT, SLOW, visit


def address(page: Any) -> str:
    """The link that the lab copies, without the server's name."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("[data-save=link]")
    page.wait_for_function("document.querySelector('[data-save=link]').textContent === 'Copied'")
    return "/?" + page.evaluate("navigator.clipboard.readText()").split("?", 1)[1]


def test_all_that_a_teacher_set_up_is_in_the_link(browser: Any, server: Any) -> None:
    page = visit(browser, server)
    page.click("[data-part=lesson-open]")
    page.click("[data-lesson-step='3']")
    page.select_option("[data-part=preset]", "fast-generator")
    page.click("[data-do=slow]")
    page.click("[data-do=step]")
    page.wait_for_selector(f"{ROOT}[data-step='1']")
    page.click("[data-do=fork]")
    page.wait_for_selector("[data-side-of=right][aria-pressed=true]")
    page.click("[data-do=repair]")
    page.wait_for_selector("[data-remedy=minibatch_std][aria-checked=true]")
    page.click("[data-do=projector]")
    path = address(page)
    page.goto("about:blank")
    page.context.close()

    again = visit(browser, server, path)
    assert again.get_attribute("[data-do=projector]", "aria-pressed") == "true"
    assert address(again) == path, "nothing is lost on the way"
    again.click("[data-do=projector]")
    assert again.input_value("[data-part=preset]") == "fast-generator"
    assert "G makes five updates" in again.inner_text("[data-part=preset-text]")
    assert again.get_attribute("[data-lesson-step][aria-current=step]", "data-lesson-step") == "3"
    assert again.get_attribute("[data-do=slow]", "aria-pressed") == "true"
    assert again.is_visible("[data-side=right]")
    assert again.get_attribute("[data-remedy=minibatch_std]", "aria-checked") == "true"
    again.click("[data-side-of=left]")
    assert again.get_attribute("[data-remedy=minibatch_std]", "aria-checked") == "false"
    assert again.is_visible("[data-do=repair]")
    again.click("[data-do=run]")
    for side in ("left", "right"):
        again.wait_for_function(
            f"/step [1-9]/.test(document.querySelector('[data-side={side}] [data-part=step]').textContent)"
        )
    assert int(again.get_attribute(ROOT, "data-step")) < 30, "five steps a second"
    again.check("[data-part=lesson] input[value='1']")
    again.click("[data-do=slow]")
    again.wait_for_selector("[data-part=lesson-check][data-done=true]")
    assert address(again).count("beside") == 1
    again.goto("about:blank")
    again.context.close()


def test_what_a_link_sets_up_can_be_changed_before_it_runs(browser: Any, server: Any) -> None:
    settings = {"preset": "fast-generator", "beside": {"r1": 0.1}}
    page = visit(browser, server, "/?lab=" + urllib.parse.quote(json.dumps(settings)))
    page.click("[data-remedy=minibatch_std]")
    page.click("[data-do=step]")
    page.wait_for_selector(f"{ROOT}[data-step='1']")
    for name in ("minibatch_std", "r1"):
        page.wait_for_selector(f"[data-remedy={name}][aria-checked=true]")
    page.click("[data-side-of=left]")
    assert page.get_attribute("[data-remedy=r1]", "aria-checked") == "false"
    page.select_option("[data-part=preset]", "healthy")
    page.wait_for_selector("[data-side=right]", state="hidden")
    page.click("[data-do=step]")
    page.wait_for_selector(f"{ROOT}[data-step='1']")
    page.goto("about:blank")
    page.context.close()


def test_a_link_to_the_lab_opens_the_lab(browser: Any, server: Any) -> None:
    """Also where the tab Generate has left its own state in the address."""
    page = visit(browser, server)
    page.click("#facekit-tabs button[data-tab-id=generate]")
    page.wait_for_selector(".fk-gen[data-state=ready]")
    page.select_option("[data-row=count]", "9")
    page.wait_for_function("location.search.includes('generate=')")
    page.click("#facekit-tabs button[data-tab-id=lab]")
    page.wait_for_selector(ROOT, state="visible")
    path = address(page)
    assert "lab=" in path and "generate" not in path
    page.context.close()


@pytest.mark.parametrize(
    "given",
    [
        *('{"data": 5}', '{"data": null}', '{"discriminator_rate": null}', '{"minibatch_std": "yes"}', "[]", "null"),
        *('{"preset": "none"}', '{"lesson": 9}', '{"beside": {"r1": "much"}}', '{"slow": "very"}'),
    ],
)
def test_a_link_to_the_lab_of_wrong_types_is_told(browser: Any, server: Any, given: str) -> None:
    page = visit(browser, server, "/?lab=" + urllib.parse.quote(given))
    assert page.inner_text(f"{ROOT} [data-part=hint]") == texts()["lab.link.bad"]
    assert page.input_value("[data-part=preset]") == "healthy" and page.is_hidden("[data-side=right]")
    page.context.close()


@pytest.mark.parametrize(
    "given",
    [
        *('{"attributes": null}', '{"count": 300000}', '{"count": "many"}', '{"path": "here"}', '{"checkpoint": 5}'),
        *('{"morph": [5, 6]}', '{"truncation": "none"}', "5", "{"),
    ],
)
def test_a_link_to_faces_of_wrong_types_is_told(browser: Any, server: Any, given: str) -> None:
    page = browser.new_context(locale="en-GB").new_page()
    page.set_default_timeout(SLOW)
    page.goto(server.url + "/?generate=" + urllib.parse.quote(given))
    page.wait_for_selector(".fk-gen[data-state=ready]")
    assert page.inner_text(".fk-gen [data-part=hint]") == texts()["gen.link.bad"]
    assert page.locator("[data-part=grid] canvas").count() == 16
    page.click("[data-row=dice]")
    page.wait_for_selector(".fk-gen [data-part=hint]", state="hidden")
    page.context.close()
