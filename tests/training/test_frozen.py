"""Training on cached maps is training behind frozen layers."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.test_loop import generated, tiny
from training.augment import centre
from training.batches import normalize
from training.frozen import MapDataset, Rest
from training.loop import Loop
from training.recipe import Recipe

STILL = {"rotate": 0, "zoom": 0, "shift": 0, "light": 0, "grey": 0, "low_resolution": 0, "jpeg": 0, "noise": 0}
STILL |= {"occlude": 0, "frame": 0}


def frozen(folder: Path, **fields: object) -> Recipe:
    network = {"architecture": "vgg-face", "network": {"width": 0.0625, "hidden": 16, "grid": 1}}
    rates = {"optimizer": {"rates": {"features.*": 0}}, "augment": STILL, "workers": 0}
    return tiny(folder, **(network | rates | fields))


def make(recipe: Recipe, folder: Path) -> Loop:
    folder.mkdir()
    return Loop(recipe, [generated(24, 0)], [generated(8, 1)], folder)


def test_the_maps_are_those_of_the_views(tmp_path: Path) -> None:
    loop = make(frozen(tmp_path, sizes=[[0, 1.0]]), tmp_path / "run")
    assert isinstance(loop.pictures, MapDataset)
    pictures = generated(24, 0).crops
    draws = [(i, lap) for i in range(6) for lap in range(2)]
    got = loop.pictures.__getitems__(draws)[0]
    sides = [np.random.default_rng([0, *draw]).random() < 0.5 for draw in draws]
    assert set(sides) == {True, False}  # both the picture and its mirror image are among them
    views = [
        centre(pictures[i], loop.pictures.size)[:, :: -1 if side else 1]
        for (i, _), side in zip(draws, sides, strict=True)
    ]
    x = normalize(torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2), torch.device("cpu"))
    loop.network.eval()
    with torch.no_grad():
        torch.testing.assert_close(got.float(), loop.network.features(x), atol=2e-3, rtol=2e-3)  # kept as float16


def test_only_the_dense_layers_learn_and_the_whole_network_is_kept(tmp_path: Path) -> None:
    loop = make(frozen(tmp_path), tmp_path / "run")
    before = {key: value.clone() for key, value in loop.network.state_dict().items()}
    loop.run()
    after = loop.network.state_dict()
    assert isinstance(loop.accelerator.unwrap_model(loop.model), Rest)
    for key, value in before.items():
        assert torch.equal(value, after[key]) == key.startswith("features."), key
    assert loop.ema.module.state_dict().keys() == before.keys()


def test_views_that_vary_are_not_cached(tmp_path: Path) -> None:
    loop = make(frozen(tmp_path, augment=STILL | {"light": 0.1}), tmp_path / "light")
    assert not isinstance(loop.pictures, MapDataset)
    loop = make(frozen(tmp_path, optimizer={}), tmp_path / "all")
    assert not isinstance(loop.pictures, MapDataset)


def test_a_network_frozen_in_part_learns_as_without_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer = {"name": "sgd", "rates": {"features.0.*": 0, "features.2.*": 0}}
    fields = {"optimizer": optimizer, "steps": 2, "epochs": 1, "learning_rate": 0.01}
    cached = make(frozen(tmp_path, **fields), tmp_path / "cached")
    assert isinstance(cached.pictures, MapDataset)
    depth = cached.accelerator.unwrap_model(cached.model).depth
    trains = [any(p.requires_grad for p in layer.parameters()) for layer in cached.network.features]
    assert trains.index(True) == depth > 2
    cached.run()
    monkeypatch.setattr("training.frozen._MOST", 0)  # nothing fits
    plain = make(frozen(tmp_path, **fields), tmp_path / "plain")
    assert not isinstance(plain.pictures, MapDataset)
    before = {key: value.clone() for key, value in plain.network.state_dict().items()}
    plain.run()
    others = plain.network.state_dict()
    for key, value in cached.network.state_dict().items():
        moved = (others[key] - before[key]).abs().max()
        assert (value - others[key]).abs().max() <= 0.1 * moved, key  # maps are kept as float16
        assert bool(moved) != key.startswith(("features.0.", "features.2.")), key


def test_frozen_norms_keep_their_statistics(tmp_path: Path) -> None:
    network = {"network": {"width": 0.0625, "hidden": 16, "grid": 1, "norm": True}}
    loop = make(frozen(tmp_path, **network, augment=STILL | {"light": 0.1}), tmp_path / "run")
    assert not isinstance(loop.pictures, MapDataset)
    norm, free = loop.network.features[1], loop.network.dense[3]
    before, moving = norm.running_mean.clone(), free.running_mean.clone()
    loop.run()
    assert torch.equal(norm.running_mean, before)
    assert not torch.equal(free.running_mean, moving)
