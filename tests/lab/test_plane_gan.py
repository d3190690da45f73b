"""The fast GAN of points makes the same steps as the general one, and keeps what it learned when it is rebuilt."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facekit.gan import Gan
from facekit.gan_settings import GanSettings
from facekit.lab.mlp import Array, Mlp
from facekit.lab.plane_gan import LATENT, PlaneGan
from facekit.lab.settings import POINT_PRESETS, LabSettings
from facekit.nets.dcgan import Judgement
from facekit.plane import ring


def points(seed: int = 5) -> Any:
    random = np.random.default_rng(seed)
    return lambda count: ring().draw(count, random)


def gan(**settings: Any) -> PlaneGan:
    return PlaneGan(LabSettings(batch=32, **settings), points())


class Twin(nn.Module):
    """The same network in PyTorch, reading points as the fast one does."""

    def __init__(self, mlp: Mlp, pack: int = 0, minibatch_std: bool = False) -> None:
        super().__init__()
        self.pack, self.minibatch_std, self.slope = pack, minibatch_std, float(mlp.slope)
        self.layers = nn.ModuleList(nn.Linear(layer.shape[0] - 1, layer.shape[1]) for layer in mlp.layers)
        for mine, layer in zip(self.layers, mlp.layers, strict=True):
            mine.weight.data = torch.from_numpy(layer[:-1].T.copy())
            mine.bias.data = torch.from_numpy(layer[-1].copy())

    def forward(self, x: Tensor) -> Any:
        count = len(x)
        if self.pack:
            spread = (x.var(0, unbiased=False) + 1e-8).sqrt().mean()
            x = x.reshape(-1, 2 * self.pack)
            x = torch.cat([x, spread.expand(len(x), 1)], 1) if self.minibatch_std else x
        for i, layer in enumerate(self.layers):
            x = layer(x) if i == 2 else nn.functional.leaky_relu(layer(x), self.slope)
        return Judgement(x.flatten(), x.new_zeros(count, 0)) if self.pack else x

    def vector(self) -> Array:
        parts = [torch.cat([layer.weight.T, layer.bias[None]]).flatten() for layer in self.layers]
        return torch.cat(parts).detach().numpy()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"loss": "least-squares", "generator_steps": 2},
        {"loss": "hinge", "discriminator_steps": 3},
        {"loss": "wasserstein", "gradient_penalty": 0.0},
        {"loss": "wasserstein"},
        {"loss": "wasserstein", "pack": 2},
        {"label_smoothing": 0.1},
        {"r1": 0.3},
        {"r1": 0.3, "pack": 4},
        {"minibatch_std": True},
        {"minibatch_std": True, "pack": 2},
    ],
    ids=str,
)
def test_a_step_is_that_of_the_general_gan(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    fast = gan(**settings)
    slow = Gan(
        Twin(fast.generator),
        Twin(fast.discriminator, fast.settings.pack, fast.settings.minibatch_std),
        GanSettings(**{name: getattr(fast.settings, name) for name in GanSettings.model_fields}),
        latent=LATENT,
    )
    random, real = np.random.default_rng([0, 1]), points()
    monkeypatch.setattr(torch, "randn", lambda n, d, **_: torch.from_numpy(random.standard_normal((n, d), np.float32)))
    monkeypatch.setattr(torch, "rand", lambda n, **_: torch.from_numpy(random.random(n, np.float32)))
    for _ in range(3):
        ours = fast.step()
        theirs = slow.step(lambda: (torch.from_numpy(real(32)), torch.empty(32, 0)))
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-4)
    for mine, twin in ((fast.generator, slow.generator), (fast.discriminator, slow.discriminator)):
        close = np.isclose(mine.values, twin.vector(), rtol=1e-3, atol=1e-4)
        assert (
            close.mean() > 0.995
        )  # Adam moves by the full rate, either way, where a gradient is zero but for rounding


def test_the_same_seed_is_the_same_run() -> None:
    first, second = gan(seed=3), gan(seed=3)
    assert [first.step() for _ in range(5)] == [second.step() for _ in range(5)]
    assert first.step() != gan(seed=4).step()


def test_points_are_drawn_with_the_moving_average() -> None:
    one = gan(ema=0.9)
    weights = one.generator.values.copy()
    for _ in range(3):
        one.step()
        weights = 0.9 * weights + 0.1 * one.generator.values
    assert np.allclose(one.average.values, weights, atol=1e-6)
    assert np.array_equal(
        one.draw(np.ones((2, LATENT), np.float32)), one.average.forward(np.ones((2, LATENT), np.float32))[0]
    )
    one.change(one.settings.changed({"ema": 0.0}))
    one.step()
    assert np.allclose(one.average.values, one.generator.values, atol=1e-6)


def test_unrolled_updates_are_taken_back() -> None:
    ahead, plain = gan(unrolled=3), gan()
    ahead.step()
    plain.step()
    assert np.array_equal(ahead.discriminator.values, plain.discriminator.values)
    assert not np.array_equal(ahead.generator.values, plain.generator.values)


@pytest.mark.parametrize("pack", [2, 4])
def test_a_discriminator_that_judges_several_points_still_knows_each(pack: int) -> None:
    before = gan()
    for _ in range(20):
        before.step()
    x = ring().centres
    known = before.judge(x, x)
    before.change(before.settings.changed({"pack": pack}))
    assert np.allclose(before.judge(x, x), known, atol=1e-4)
    before.change(before.settings.changed({"minibatch_std": True}))
    assert np.allclose(before.judge(x, x), known, atol=1e-4)
    before.change(before.settings.changed({"pack": 1, "minibatch_std": False}))
    assert np.allclose(before.judge(x, x), known, atol=1e-4)


def test_what_does_not_change_the_networks_shape_keeps_them() -> None:
    one = gan()
    discriminator = one.discriminator
    one.change(one.settings.changed({"r1": 1.0, "discriminator_rate": 0.01, "skew": 0.5}))
    assert one.discriminator is discriminator


def test_the_preset_collapses_and_its_remedy_brings_all_modes_back() -> None:
    """The benchmark does this for twenty seeds."""
    preset, mixture = POINT_PRESETS["fast-generator"], ring()
    one = PlaneGan(LabSettings.read({**preset.settings, "seed": 2}), points())
    latents = np.random.default_rng(9).standard_normal((2000, LATENT), np.float32)
    for _ in range(400):
        one.step()
    assert mixture.coverage(one.draw(latents)).modes <= 2
    one.change(one.settings.changed(preset.remedy))
    for _ in range(3500):
        one.step()
    assert mixture.coverage(one.draw(latents)).modes == 8
