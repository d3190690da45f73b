"""A visitor of the tab *Live*."""

from typing import Any

ROOT = ".fk-live"
SLOW = 30_000  # milliseconds


def visit(browser: Any, server: Any, path: str = "/?live", script: str = "", **options: Any) -> Any:
    """A fresh visitor on the tab."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB", **options).new_page()
    page.set_default_timeout(SLOW)
    if script:
        page.add_init_script(script)
    page.goto(server.url + path)
    page.wait_for_selector(f"{ROOT}[data-ready]")
    return page


def start(page: Any) -> None:
    """Start the camera and wait until somebody is seen."""
    page.click(f"{ROOT} [data-do=start]")
    page.wait_for_selector(f"{ROOT} [data-part=people] li")


OVERLAY_IS_EMPTY = """canvas => {
    const { width, height } = canvas;
    return !width || canvas.getContext("2d").getImageData(0, 0, width, height).data.every((value) => value === 0);
}"""


def overlay_is_empty(page: Any) -> bool:
    return bool(page.eval_on_selector(f"{ROOT} [data-part=overlay]", OVERLAY_IS_EMPTY))


def is_on(page: Any) -> bool:
    """Whether the camera itself is on."""
    return bool(page.eval_on_selector(f"{ROOT} video", "video => !!video.srcObject?.active"))
