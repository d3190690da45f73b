import socket
from pathlib import Path
from time import perf_counter

import pytest
from huggingface_hub import constants

from facekit.errors import CheckpointNotFound, HubUnreachable
from facekit.hub import find_checkpoint
from facekit.shipped import ZOO, shipped


def test_the_default_is_shipped_and_comes_first() -> None:
    assert shipped()[0] == "default"
    assert find_checkpoint() == ZOO / "default"


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert find_checkpoint(str(tmp_path)) == tmp_path


@pytest.mark.parametrize("name", ["no-such-name", "a/b/c", "../up", "user/na me"])
def test_unknown_names_are_told_what_exists(name: str) -> None:
    with pytest.raises(CheckpointNotFound, match="default"):
        find_checkpoint(name)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


@pytest.mark.usefixtures("empty_cache")
@pytest.mark.parametrize("listens", [False, True], ids=["refused", "silent"])
def test_an_unreachable_hub_is_told_within_five_seconds(listens: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if listens:
            server.listen()
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        start = perf_counter()
        with pytest.raises(HubUnreachable, match="did not answer"):
            find_checkpoint("somebody/some-checkpoint")
        assert perf_counter() - start < 5


@pytest.mark.usefixtures("empty_cache")
def test_offline_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubUnreachable, match="HF_HUB_OFFLINE"):
        find_checkpoint("somebody/some-checkpoint")
