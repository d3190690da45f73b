"""Parts of the page that need no browser: the line in front of the networks, its words, its charts."""

import threading
import time

import pytest

from facekit.labels import ATTRIBUTES, EXPRESSIONS, GENDERS
from facekit.ui.quality import charts
from facekit.ui.strings import LANGUAGES, texts
from facekit.ui.turns import Busy, Turns


def test_turns_are_taken_in_order_and_the_line_is_bounded() -> None:
    turns, served, release = Turns(longest=3), [], threading.Event()

    def work(ticket: str) -> None:
        with turns.take(ticket):
            release.wait(10)
            served.append(ticket)

    threads = []
    for ticket in "abc":
        threads.append(threading.Thread(target=work, args=(ticket,)))
        threads[-1].start()
        while turns.ahead(ticket) != len(threads) - 1:
            time.sleep(0.001)
        time.sleep(0.02)
    with pytest.raises(Busy), turns.take("d"):
        pass
    release.set()
    for thread in threads:
        thread.join(10)
    assert served == ["a", "b", "c"]
    assert turns.ahead("a") == 0


def test_a_turn_ends_with_an_error_too() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="broken"), turns.take("a"):
        raise ValueError("broken")
    with turns.take("b"):
        assert turns.ahead("b") == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything(language: str) -> None:
    def said(code: str) -> set[str]:  # errors of the library are sentences already, in English
        return {key for key in texts(code) if not key.startswith("error.")}

    assert said(language) == said("en")
    assert {f"attribute.{name}" for name in ATTRIBUTES} <= said(language)
    assert {f"expression.{name}" for name in EXPRESSIONS} <= said(language)
    assert {f"gender.{name}" for name in GENDERS} <= said(language)
    for key, words in texts(language).items():
        assert words.strip() == words != "", key


def test_charts_of_a_record() -> None:
    group = {"of": {"gender": "woman"}, "pictures": 7, "small": True, "gender": {"accuracy": 0.8}}
    record = {"pictures": 90, "gender": {"accuracy": 0.9, "accuracy_interval": [0.85, 0.95]}, "groups": [group]}
    (chart,) = charts({"celeba": record})
    assert chart["task"] == "gender"
    assert chart["rows"][0] == {"of": {}, "pictures": 90, "small": False, "value": 0.9, "low": 0.85, "high": 0.95}
    assert chart["rows"][1] == {"of": group["of"], "pictures": 7, "small": True, "value": 0.8, "low": 0.8, "high": 0.8}


@pytest.mark.parametrize("metrics", [{}, {"celeba": {}}, {"celeba": 3}, {"celeba": {"groups": []}}])
def test_no_charts_without_measurements(metrics: dict) -> None:
    assert charts(metrics) == []
