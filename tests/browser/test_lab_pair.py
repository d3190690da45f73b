"""Two runs beside each other in the tab *Collapse lab*, in a real browser."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.test_lab_page import ROOT, run_to, visit


@pytest.fixture
def page(browser: Any, server: Any) -> Iterator[Any]:
    """A visitor with a wide screen."""
    one = visit(browser, server)
    yield one
    one.goto("about:blank")  # leaves the seat
    one.context.close()


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
