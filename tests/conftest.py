"""What tests share: real photos where they are, and one photo that always is."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.loopback_hub import LoopbackHub


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photos beside the repository; skips without it, unless FACEKIT_REQUIRE_ALL=1."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        if os.environ.get("FACEKIT_REQUIRE_ALL") == "1":
            pytest.fail("needs ../shared/data, and FACEKIT_REQUIRE_ALL=1 forbids skipping")
        pytest.skip("needs ../shared/data")
    return folder


@pytest.fixture(scope="session")
def astronaut() -> NDArray[np.uint8]:
    """(512, 512, 3) uint8 RGB: Eileen Collins, a NASA photo in the public domain, from scikit-image."""
    data = pytest.importorskip("skimage.data", reason="needs scikit-image: pip install -e .[dev]")
    photo: NDArray[np.uint8] = data.astronaut()
    return photo


@pytest.fixture(scope="session")
def loopback() -> Iterator[LoopbackHub]:
    """A Hub on this machine, shared by all tests: use `hub`, which is empty for every test."""
    with LoopbackHub() as running:
        yield running


@pytest.fixture
def hub(loopback: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoopbackHub:
    """An empty Hub that the client of this process talks to, with an empty cache; nobody is signed in."""
    loopback.reset()
    loopback.patch(monkeypatch, home=tmp_path / "home")
    return loopback
