"""Checkpoints inside the package, those of earlier epochs included."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facekit.errors import CheckpointNotFound
from facekit.generate import FaceGenerator
from facekit.growth import read_growth
from facekit.hub import find_checkpoint
from facekit.shipped import GENERATOR, ZOO, home_of, kept_epochs, shipped_folder


@pytest.mark.parametrize("name", ["dcgan-faces", "dcgan-published"])
def test_generators_keep_the_weights_of_a_few_epochs(name: str) -> None:
    growth = read_growth(ZOO / name)
    assert growth is not None
    epochs = kept_epochs(ZOO / name)
    assert len(epochs) >= 3 and epochs[-1] < growth.sheets[-1][0]
    faces = {}
    for epoch in [*epochs, None]:
        revision = None if epoch is None else f"epoch-{epoch}"
        generator = FaceGenerator.from_pretrained(name, revision=revision, device="cpu")
        faces[epoch] = np.stack([np.asarray(face).astype(int) for face in generator.sample(8, seed=2)])
    for one, other in zip(list(faces), list(faces)[1:], strict=False):
        assert np.abs(faces[one] - faces[other]).mean() > 5, (one, other)


def test_a_revision_is_an_epoch() -> None:
    folder = ZOO / "dcgan-faces" / "growth" / "0003"
    assert find_checkpoint("dcgan-faces", revision="epoch-3", kind=GENERATOR) == folder
    assert find_checkpoint("dcgan-faces@epoch-3", kind=GENERATOR) == folder
    assert home_of(folder) == home_of(ZOO / "dcgan-faces") == ZOO / "dcgan-faces"


@pytest.mark.parametrize("revision", ["epoch-2", "epoch-03", "epoch-", "../../default", "v1", "refs/pr/1"])
def test_other_revisions_are_told_which_there_are(revision: str) -> None:
    for name, said in ((f"dcgan-faces@{revision}", None), ("dcgan-faces", revision)):
        with pytest.raises(CheckpointNotFound, match="dcgan-faces or dcgan-faces@epoch-1, dcgan-faces@epoch-3"):
            find_checkpoint(name, revision=said, kind=GENERATOR)


def test_networks_that_read_faces_have_none() -> None:
    with pytest.raises(CheckpointNotFound, match="use default, or user/name@revision"):
        find_checkpoint("default", revision="main")
    assert shipped_folder("user/name@v1") is None


def test_a_damaged_kept_epoch_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "growth" / "0002").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "growth" / "0002.webp")
    assert kept_epochs(tmp_path) == []
