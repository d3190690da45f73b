"""The networks that visitors may name."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import get_ident
from time import time
from types import SimpleNamespace

import pytest
from gradio.context import LocalContext

from facekit import FaceAnalyzer
from facekit import hub as facekit_hub
from facekit.errors import CheckpointNotFound, FacekitError, UnknownName
from facekit.shipped import CLASSIFIER, GENERATOR, ZOO
from facekit.ui.engine import Engine
from facekit.ui.shelf import Shelf, tidy_cache
from facekit.ui.visitor import token_of_visitor
from tests.loopback_hub import LoopbackHub
from tests.test_hub_fetch import ANN, files_of

PORTRAITS = files_of(ZOO / "portrait-attributes")


def itself(analyzer: FaceAnalyzer) -> FaceAnalyzer:
    return analyzer


@pytest.fixture(autouse=True)
def awake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facekit_hub, "_silent_since", {})


def sign_in(monkeypatch: pytest.MonkeyPatch, token: str | None, seconds: float = 3600) -> None:
    """As on a Space, where Gradio keeps a visitor's token in the session."""
    monkeypatch.setenv("SPACE_ID", "ann/space")
    session = {"oauth_info": {"access_token": token, "expires_at": time() + seconds}} if token else {}
    LocalContext.request.set(SimpleNamespace(scope={"session": session}))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def nobody() -> None:
    LocalContext.request.set(None)


def test_shipped_names_and_addresses_are_known(hub: LoopbackHub) -> None:
    hub.put("ann/net", PORTRAITS)
    shelf = Shelf()
    assert shelf.find("default", CLASSIFIER) == ZOO / "default"
    assert shelf.find("dcgan-faces", GENERATOR) == ZOO / "dcgan-faces"
    assert (shelf.find("ann/net", CLASSIFIER) / "config.json").read_bytes() == PORTRAITS["config.json"]


@pytest.mark.parametrize("name", ["/etc", "facekit/zoo/default/..", ".", "../main", "dcgan-faces", "a b", "~"])
def test_folders_are_not(name: str, hub: LoopbackHub) -> None:
    with pytest.raises(FacekitError):
        Shelf().find(name, CLASSIFIER)


def test_a_folder_that_looks_like_a_repository_is_not_taken(
    hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ann" / "net").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointNotFound):
        Shelf().find("ann/net", CLASSIFIER)


def test_the_hub_is_asked_once_until_it_is_asked_anew(hub: LoopbackHub) -> None:
    hub.put("ann/net", PORTRAITS)
    shelf = Shelf()
    first = shelf.find("ann/net", CLASSIFIER)
    hub.put("ann/net", {"README.md": b"# Newer\n"})
    hub.forget()
    assert shelf.find("ann/net", CLASSIFIER) == first
    assert not hub.requests()
    assert shelf.find("ann/net", CLASSIFIER, anew=True) != first


def test_private_ones_are_for_those_who_signed_in(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add_user("ann", ANN)
    hub.put("ann/secret", PORTRAITS, private=True)
    shelf = Shelf()
    sign_in(monkeypatch, ANN)
    assert shelf.find("ann/secret", CLASSIFIER).is_dir()
    for token, seconds in ((None, 0), ("hf_other", 99), (ANN, -1)):
        sign_in(monkeypatch, token, seconds)
        with pytest.raises(CheckpointNotFound):
            shelf.find("ann/secret", CLASSIFIER)


def test_a_spaces_own_token_opens_nothing_to_its_visitors(
    loopback: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback.reset()
    loopback.patch(monkeypatch, home=tmp_path, token=ANN)
    loopback.add_user("ann", ANN)
    loopback.put("ann/secret", PORTRAITS, private=True)
    assert token_of_visitor() is None  # at home: the owner is the visitor
    assert Shelf().find("ann/secret", CLASSIFIER).is_dir()
    sign_in(monkeypatch, None)
    assert token_of_visitor() is False
    with pytest.raises(CheckpointNotFound):
        Shelf().find("ann/secret", CLASSIFIER)


def test_only_a_few_networks_of_strangers_stay_in_memory(hub: LoopbackHub) -> None:
    engine, made = Engine(), []
    for i in range(6):
        hub.put(f"ann/net{i}", PORTRAITS)
        made.append(engine.with_analyzer(itself, f"ann/net{i}"))
    assert engine.with_analyzer(itself, "ann/net5") is made[5]
    assert engine.with_analyzer(itself, "portrait-attributes").checkpoint.name == "portrait-attributes"
    assert len(engine.shelf._fetched) == 4
    assert engine.with_analyzer(itself, "ann/net0") is not made[0]


def test_a_checkpoint_that_is_none_leaves_the_engine_at_work(hub: LoopbackHub) -> None:
    hub.put("eve/net", PORTRAITS | {"model.safetensors": b"nonsense"})
    engine = Engine()
    for _ in range(2):
        with pytest.raises(FacekitError, match="eve/net"):
            engine.with_analyzer(itself, "eve/net")
    with pytest.raises(UnknownName):
        engine.with_analyzer(itself, "nobody")
    assert engine.with_analyzer(itself, "portrait-attributes").checkpoint.name == "portrait-attributes"


def test_one_thread_runs_every_network() -> None:
    """Two would be half as fast, even in turns: see `Engine._in_turn`."""
    engine = Engine()
    with ThreadPoolExecutor(3) as visitors:
        readers = visitors.map(lambda _: engine.with_analyzer(lambda _: get_ident()), range(6))
        painters = visitors.map(lambda _: engine.with_generator(lambda _: get_ident()), range(6))
        assert len({*readers, *painters}) == 1


def test_private_downloads_are_tidied_as_well(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add_user("ann", ANN)
    hub.put("ann/secret", PORTRAITS, private=True)
    sign_in(monkeypatch, ANN)
    folder = Shelf().find("ann/secret", CLASSIFIER)
    tidy_cache(0, "")
    assert not folder.is_dir()


def test_a_checkpoint_is_called_as_it_was_asked_for(hub: LoopbackHub) -> None:
    hub.put("ann/net", PORTRAITS)
    engine = Engine()
    for name in ("ann/net", "ann/net@main"):
        assert engine.with_analyzer(itself, name).checkpoint.name == name


def test_a_full_cache_is_tidied_but_for_what_was_asked_last(hub: LoopbackHub) -> None:
    shelf = Shelf()
    folders = []
    for i in range(3):
        hub.put(f"ann/net{i}", PORTRAITS | {"README.md": f"# {i}\n".encode(), "model.safetensors": bytes([i]) * 10**6})
        folders.append(shelf.find(f"ann/net{i}", CLASSIFIER))
    tidy_cache(10**9, "")
    assert all(folder.is_dir() for folder in folders)
    tidy_cache(1_200_000, folders[0].name)
    assert [folder.is_dir() for folder in folders] == [True, False, False]
    assert shelf.find("ann/net2", CLASSIFIER).is_dir()  # it comes again
