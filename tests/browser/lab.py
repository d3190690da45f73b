"""A visitor of the tab *Collapse lab*."""

import re
import time
from collections.abc import Callable
from typing import Any

ROOT = ".fk-lab"
Visit = Callable[..., Any]
SLOW = 60_000  # milliseconds; the first run waits for the networks of the other tabs
OUTSIDE = """(seen) => seen.flatMap((name) => [...document.querySelectorAll(`[data-do=${name}], [data-part=${name}]`)])
    .filter((one) => {
        const { top, left, bottom, right, width } = one.getBoundingClientRect();
        const above = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
        const seen = top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth;
        return width && !(seen && (one.contains(above) || above.contains(one)));
    }).map((one) => one.dataset.part ?? one.dataset.do)"""
"""What of this is not in sight, or under something else."""


def visit(browser: Any, server: Any, path: str = "/", **options: Any) -> Any:
    """A fresh visitor in the laboratory."""
    options = {"viewport": {"width": 1440, "height": 1000}, "locale": "en-GB", **options}
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(SLOW)
    page.goto(server.url + path)
    if "lab=" not in path:
        page.wait_for_selector(".fk-attributes[data-engine=ready]")
        tab = page.locator("#facekit-tabs button[data-tab-id=lab]")
        if not tab.count():  # long names on a narrow screen: behind the dots
            page.click("#facekit-tabs .overflow-menu > button")
            tab = page.locator("#facekit-tabs .overflow-dropdown button").filter(has_text=re.compile("lab", re.I))
        tab.first.click()
    page.wait_for_selector(f"{ROOT}[data-ready]")
    return page


def step(page: Any) -> int:
    return int(page.get_attribute(ROOT, "data-step") or 0)


def pace(page: Any, steps: Callable[[], int]) -> float:
    """How many steps a second a run makes that goes on."""
    first = steps()
    until = time.monotonic() + SLOW / 1000
    while steps() < first + 2 and time.monotonic() < until:  # it may still be on its way
        page.wait_for_timeout(50)
    first, start = steps(), time.monotonic()
    page.wait_for_timeout(2000)
    return (steps() - first) / (time.monotonic() - start)


def run_to(page: Any, least: int) -> None:
    """Run until that step has been seen, then pause."""
    page.click("[data-do=run]")
    page.wait_for_function(f"Number(document.querySelector('{ROOT}').dataset.step) >= {least}")
    page.click("[data-do=run]")
    page.wait_for_selector(f"{ROOT}[data-running=false]")
