"""Distances by Inception's features, with a network of its form whose weights are random."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision.models import inception_v3

from facekit.diversity.inception import InceptionFigures, inception_figures
from facekit.errors import CheckpointError, DataError
from tests.test_cli_diversity import alike, analyzer, blocks, data, mistake, run, varied  # noqa: F401  # fixtures

NAME = "inception_v3_google-0cc3c7bd.pth"


@pytest.fixture
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where they should be."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints" / NAME


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("hub") / "checkpoints" / NAME
    path.parent.mkdir()
    net = inception_v3(weights=None, init_weights=False)
    for norm in net.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.momentum = None  # the mean of all that it sees, so that signals keep their size
    with torch.no_grad():
        net.train()(torch.randn(8, 3, 299, 299))
    torch.save(net.state_dict(), path)
    return path


@pytest.fixture
def weights(file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(file.parents[1]))
    return file


def portraits(seeds: range) -> NDArray[np.uint8]:
    return np.stack([np.asarray(blocks(seed)) for seed in seeds])


@pytest.mark.usefixtures("weights")
def test_made_faces_like_the_real_ones_come_to_their_floor() -> None:
    real = portraits(range(16))
    like = inception_figures(portraits(range(100, 108)), real)
    copies = inception_figures(np.repeat(portraits(range(100, 101)), 8, 0), real)
    assert like.compared == copies.compared == 8
    assert like.frechet == pytest.approx(like.frechet_floor, rel=0.3)
    assert copies.frechet > 1.2 * like.frechet and copies.frechet_floor == like.frechet_floor
    assert copies.kid > like.kid + 0.01
    with pytest.raises(DataError, match="too few"):
        inception_figures(real[:1], real)


@pytest.mark.usefixtures("weights", "analyzer")
def test_the_command_tells_and_writes_them(
    alike: Path,  # noqa: F811
    data: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, ...]] = []

    def figures(made: NDArray[np.uint8], real: NDArray[np.uint8], **_: object) -> InceptionFigures:
        asked.append((*made.shape, *real.shape))
        return InceptionFigures(40, 12.34, 5.6, 0.0789)

    monkeypatch.setattr("facekit.diversity.inception.inception_figures", figures)
    words = (alike, "--portraits", "--reference", data, "--reference-portraits", "--inception")
    shown = " ".join(run(*words).stdout.split())
    assert "features, 40 faces on each side: Frechet distance 12.3 (of real ones 5.6), kernel distance 0.0789." in shown
    run(*words, "--json", tmp_path / "out.json")
    told = json.loads((tmp_path / "out.json").read_text())["inception"]
    assert told == {"compared": 40, "frechet": 12.34, "frechet_floor": 5.6, "kid": 0.0789}
    assert asked == [(40, 16, 16, 3, 80, 16, 16, 3)] * 2


@pytest.mark.usefixtures("analyzer")
def test_weights_that_are_not_here_are_told_at_once(no_weights: Path, alike: Path, data: Path) -> None:  # noqa: F811
    asked = (alike, "--portraits", "--inception")
    assert "add --reference" in mistake(*asked)
    assert f"put https://download.pytorch.org/models/{NAME} into {no_weights.parent}." in mistake(
        *asked, "--reference", data
    )
    no_weights.parent.mkdir(parents=True)
    no_weights.write_text("no weights")
    with pytest.raises(CheckpointError, match="is damaged"):
        inception_figures(portraits(range(4)), portraits(range(4)))
