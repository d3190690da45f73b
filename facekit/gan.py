"""Gan: a generator and a discriminator that train against each other, a step at a time, by settings that may change
between two steps. It knows no data set and writes no file."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, relu, softplus

from facekit.ema import moving_average
from facekit.gan_settings import GanSettings

Batches = Callable[[], tuple[Tensor, Tensor]]
"""Gives the next real batch: pictures (B, 3, H, W) float32 in [-1, 1], or points (B, 2), and attributes (B, K), 0 or 1
or NaN where unknown; K may be 0."""


class Gan:
    """The two networks, their optimizers, and the moving average of the generator.

    Args:
        generator: latents (B, latent), and attributes (B, K) in [-1, 1] where it takes any, to what it makes.
        discriminator: that, or the real thing, to a `Judgement`.
        latent: length of a latent.
        shares: (K,) of the real pictures that have each attribute: with them the generator is told of what few have as
            much as of what many have.
        seed: of the latents; the networks' weights are the caller's.
        autocast: the precision of the passes, e.g. `lambda: torch.autocast("cpu", torch.bfloat16)`.
        backward: what stands in for `Tensor.backward`, e.g. that of accelerate.

    Attributes:
        settings: may be replaced between two steps; the optimizers keep their state.
        average: the moving average of the generator; equal to the generator while `settings.ema` is 0.
        steps: how many were made.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        settings: GanSettings,
        *,
        latent: int,
        shares: Tensor | None = None,
        seed: int = 0,
        autocast: Callable[[], AbstractContextManager] = nullcontext,
        backward: Callable[[Tensor], None] = torch.Tensor.backward,
    ) -> None:
        self.generator, self.discriminator, self.settings, self.latent = generator, discriminator, settings, latent
        self.shares, self.autocast, self.backward = shares, autocast, backward
        self.generator_optimizer = adam(generator, settings.generator_rate, settings)
        self.discriminator_optimizer = adam(discriminator, settings.discriminator_rate, settings)
        self.average = moving_average(generator, lambda: self.settings.ema)
        self.random = torch.Generator().manual_seed(seed)
        self.steps = 0

    @property
    def drawing(self) -> nn.Module:
        """The generator to draw with: the moving average of its weights where there is one."""
        return self.average.module if self.settings.ema else self.generator

    def step(self, batches: Batches) -> dict[str, float]:
        """One step: `discriminator_steps` updates of the discriminator, then `generator_steps` of the generator, which
        learns from a discriminator that is `unrolled` updates ahead.

        Returns:
            "discriminator" and "generator", their losses without penalties, and "real" and "fake", the mean probability
            of being real that the discriminator gave real and made pictures; of the last update of each.
        """
        figures: dict[str, float] = {}
        for _ in range(self.settings.discriminator_steps):
            real, attributes = batches()
            figures |= self.discriminator_step(real, attributes)
        now = deepcopy(self._judging()) if self.settings.unrolled else None
        for _ in range(self.settings.unrolled):
            self.discriminator_step(*batches())
        for _ in range(self.settings.generator_steps):
            figures |= self.generator_step(attributes)
        if now:
            self.discriminator.load_state_dict(now[0])
            self.discriminator_optimizer.load_state_dict(now[1])
        self.steps += 1
        return figures

    def _judging(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.discriminator.state_dict(), self.discriminator_optimizer.state_dict()

    def discriminator_step(self, real: Tensor, attributes: Tensor) -> dict[str, float]:
        """Update the discriminator on a real batch and as many made ones with the same attributes."""
        settings = self.settings
        with torch.no_grad(), self.autocast():
            fake = self._make(attributes)
        r1 = 0.0 if self.steps % settings.r1_every else settings.r1 * settings.r1_every
        real = real.requires_grad_(r1 > 0)
        with self.autocast():
            on_real, on_fake = self.discriminator(real), self.discriminator(fake.detach())
        loss = discriminator_loss(on_real.real.float(), on_fake.real.float(), settings)
        total = loss + settings.attributes * attribute_loss(on_real.attributes.float(), attributes)
        if r1:
            total = total + r1 / 2 * _squared_gradient(on_real.real, real)
        if settings.loss == "wasserstein" and settings.gradient_penalty:
            total = total + settings.gradient_penalty * self._gradient_penalty(real.detach(), fake.float())
        self._update(self.discriminator_optimizer, total, settings.discriminator_rate)
        return {
            "discriminator": float(loss.detach()),
            "real": float(on_real.real.detach().float().sigmoid().mean()),
            "fake": float(on_fake.real.detach().float().sigmoid().mean()),
        }

    def generator_step(self, attributes: Tensor) -> dict[str, float]:
        """Update the generator by a batch with these attributes (B, K); K may be 0."""
        settings = self.settings
        self.discriminator.requires_grad_(False)
        with self.autocast():
            judged = self.discriminator(self._make(attributes))
        loss = generator_loss(judged.real.float(), settings)
        shown = attribute_loss(judged.attributes.float(), attributes, self.shares)
        total = loss + settings.attributes * shown
        self._update(self.generator_optimizer, total, settings.generator_rate)
        self.discriminator.requires_grad_(True)
        self.average.update_parameters(self.generator)  # where there is no average, these weights themselves
        return {"generator": float(loss.detach())}

    def _make(self, attributes: Tensor) -> Tensor:
        latents = torch.randn(len(attributes), self.latent, generator=self.random).to(attributes.device)
        chosen = (attributes.nan_to_num(0.5) * 2 - 1,) if attributes.shape[1] else ()
        return self.generator(latents, *chosen)

    def _update(self, optimizer: torch.optim.Optimizer, loss: Tensor, rate: float) -> None:
        for group in optimizer.param_groups:
            group["lr"], group["betas"] = rate, (self.settings.beta1, self.settings.beta2)
        optimizer.zero_grad()
        self.backward(loss)
        optimizer.step()

    def _gradient_penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        share = torch.rand(len(real), generator=self.random).to(real.device).view(-1, *[1] * (real.dim() - 1))
        between = (share * real + (1 - share) * fake).requires_grad_()
        (gradient,) = torch.autograd.grad(self.discriminator(between).real.sum(), between, create_graph=True)
        return ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()


def adam(network: nn.Module, rate: float, settings: GanSettings) -> torch.optim.Adam:
    """Adam in one pass over all weights, which on a small network halves its time."""
    return torch.optim.Adam(network.parameters(), rate, (settings.beta1, settings.beta2), fused=True)


def discriminator_loss(real: Tensor, fake: Tensor, settings: GanSettings) -> Tensor:
    """What the discriminator wants low, of its logits (B,) for real and for made pictures."""
    match settings.loss:
        case "bce":
            return softplus(-real).mean() + settings.label_smoothing * real.mean() + softplus(fake).mean()
        case "least-squares":
            return ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2
        case "hinge":
            return relu(1 - real).mean() + relu(1 + fake).mean()
        case "wasserstein":
            return fake.mean() - real.mean()


def generator_loss(fake: Tensor, settings: GanSettings) -> Tensor:
    """What the generator wants low, of the discriminator's logits (B,) for its pictures."""
    match settings.loss:
        case "bce":
            return softplus(-fake).mean()
        case "least-squares":
            return ((fake - 1) ** 2).mean() / 2
        case "hinge" | "wasserstein":
            return -fake.mean()


def attribute_loss(logits: Tensor, truth: Tensor, shares: Tensor | None = None) -> Tensor:
    """Mean binary cross-entropy of logits (B, K) with what is known of (B, K) 0, 1 or NaN; 0 where nothing is.

    Args:
        shares: (K,) in [0, 1], how many have each attribute: both values of each then count as much over all pictures.
    """
    known = ~truth.isnan()
    if not truth.shape[1] or not known.any():
        return logits.new_zeros(())
    weight = None if shares is None else (0.5 / torch.where(truth > 0.5, shares, 1 - shares).clamp(min=1e-3))[known]
    return binary_cross_entropy_with_logits(logits[known], truth[known], weight)


def _squared_gradient(real: Tensor, pictures: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(real.sum(), pictures, create_graph=True)
    return gradient.float().flatten(1).square().sum(1).mean()
