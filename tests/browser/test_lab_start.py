"""The first press of *Run* in the tab *Collapse lab*, in a real browser: answered at once, and never lost."""

from pathlib import Path
from typing import Any

from facekit.ui.strings import texts
from tests.browser.lab import ROOT, SLOW

HELD = """() => {
    const ask = facekit.ask;
    facekit.ask = async (server, fn, request) => {
        if (fn === "lab_start") await new Promise((done) => { window.letGo = done; });
        return ask(server, fn, request);
    };
}"""
"""Keeps the server from hearing of a start until `letGo()`."""

EARLY = """(function press() {
    const button = document.querySelector(".fk-lab [data-do=run]");
    if (button?.getClientRects().length) button.click();
    else requestAnimationFrame(press);
})()"""
"""Presses Run with the first picture that shows it."""


def test_a_start_that_takes_long_is_spoken_of(page: Any) -> None:
    page.evaluate(HELD)
    page.click("[data-do=run]")
    hint = page.locator(f"{ROOT} [data-part=hint]")
    hint.wait_for(state="visible")
    assert hint.inner_text() == texts()["lab.starting"] and page.get_attribute(ROOT, "data-state") == "starting"
    page.evaluate("letGo()")
    page.wait_for_function(f"Number(document.querySelector('{ROOT}').dataset.step) >= 1")
    assert hint.is_hidden()


def test_a_press_while_the_server_warms_up_is_not_lost(browser: Any, serve: Any, tmp_path: Path) -> None:
    process, server = serve(tmp_path / "uploads", tmp_path / "log.txt")
    context = browser.new_context(locale="en-GB")
    try:
        page = context.new_page()
        page.set_default_timeout(SLOW)
        page.add_init_script(EARLY)
        page.goto(server.url + "/?lab=%7B%7D", wait_until="commit")
        page.wait_for_function(f"Number(document.querySelector('{ROOT}')?.dataset.step) >= 1")
        assert page.get_attribute(ROOT, "data-running") == "true"
    finally:
        context.close()
        process.terminate()
        process.wait(20)
