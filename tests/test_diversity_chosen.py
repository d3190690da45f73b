"""How strongly a generator is told of what is chosen."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from facekit.diversity import chosen
from facekit.diversity.chosen import LEVELS, least_emphasis


def test_the_least_emphasis_that_shows_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    network = SimpleNamespace(attributes=("Male", "Smiling"), emphasis=((1.0, 1.0),) * 2)
    generator = SimpleNamespace(attributes=network.attributes, generator=network)
    enough = {("Male", False): 1.0, ("Male", True): 2.5, ("Smiling", False): 9.0, ("Smiling", True): 1.5}

    def seen(_: object, drawn: tuple[dict[str, bool], float]) -> Any:
        ((name, on),), level = drawn[0].items(), drawn[1]
        attributes = np.full((100, 40), 0.5 + (0.4 if on else -0.4))
        attributes[: 100 if level < enough[name, on] else 2] = 0.5 - (0.4 if on else -0.4)
        return SimpleNamespace(attributes=attributes)

    monkeypatch.setattr(chosen, "draw_portraits", lambda g, n, seed, wish: (wish, g.generator.emphasis[0][0]))
    monkeypatch.setattr(chosen.FaceSample, "read", seen)
    assert least_emphasis(generator, None) == [[1.0, 2.5], [LEVELS[-1], 1.5]]  # type: ignore[arg-type]
    assert network.emphasis == ((1.0, 1.0),) * 2
