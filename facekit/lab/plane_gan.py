"""PlaneGan: two perceptrons that train against each other on points, by `LabSettings`.

The same losses, penalties and order of updates as `facekit.gan.Gan`, on `facekit.lab.mlp` for speed.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Final

import numpy as np

from facekit.lab.mlp import Adam, Array, Mlp, Pass
from facekit.lab.settings import LabSettings

LATENT: Final = 4
"""Length of a latent."""


class PlaneGan:
    """Both networks, their optimizers, and the latents.

    Args:
        settings: may be replaced between two steps by `change`.
        points: gives that many real points (N, 2).

    Attributes:
        average: the generator to draw with: the moving average of its weights, or where there is none they themselves.
        steps: whole steps made.
    """

    def __init__(self, settings: LabSettings, points: Callable[[int], Array]) -> None:
        self.settings, self.points, self.steps = settings, points, 0
        random = np.random.default_rng(settings.seed)
        self.generator = Mlp(LATENT, 2, slope=0.0, random=random)
        self.average = deepcopy(self.generator)
        self.discriminator = _discriminator(settings, random)
        self.generator_adam = Adam(len(self.generator.values))
        self.discriminator_adam = Adam(len(self.discriminator.values))
        self.random = np.random.default_rng([settings.seed, 1])

    def change(self, settings: LabSettings) -> None:
        """Go on with other settings. A discriminator of another shape keeps what it has learned."""
        before, self.settings = self.settings, settings
        if _shape(before) == _shape(settings):
            return
        new, old = _discriminator(settings, np.random.default_rng(settings.seed)), self.discriminator
        if new.values.shape == old.values.shape:
            new.values[:] = old.values
        else:
            _keep(new, old, before.pack, settings.pack)
        self.discriminator, self.discriminator_adam = new, Adam(len(new.values))

    def draw(self, latents: Array) -> Array:
        """Latents (N, LATENT) to points (N, 2), by `average`."""
        return self.average.forward(latents)[0]

    def judge(self, points: Array, real: Array) -> Array:
        """(N,) logits of each point (N, 2) being real, as one of many like it where points are judged together.

        Leaves no trace: nothing is drawn, and no network changes.

        Args:
            real: points (M, 2) of the data, whose spread stands for that of a batch.
        """
        seen = np.repeat(points, self.settings.pack, 0).reshape(len(points), -1)
        if self.settings.minibatch_std:
            seen = np.c_[seen, np.full((len(points), 1), _spread(real), np.float32)]
        return self.discriminator.forward(seen.astype(np.float32), training=False)[0][:, 0]

    def step(self) -> dict[str, float]:
        """One step, as `Gan.step`; the generator learns from a discriminator that is `unrolled` updates ahead."""
        figures: dict[str, float] = {}
        for _ in range(self.settings.discriminator_steps):
            figures |= self.discriminator_step()
        now = deepcopy((self.discriminator, self.discriminator_adam)) if self.settings.unrolled else None
        for _ in range(self.settings.unrolled):
            self.discriminator_step()
        for _ in range(self.settings.generator_steps):
            figures |= self.generator_step()
        if now:
            self.discriminator, self.discriminator_adam = now
        self.steps += 1
        return figures

    def discriminator_step(self) -> dict[str, float]:
        """Update the discriminator on a real batch and as many made points."""
        settings, net = self.settings, self.discriminator
        real, fake = self.points(settings.batch), self.generator.forward(self._latents())[0]
        on_real, real_pass = net.forward(self._seen(real))
        on_fake, fake_pass = net.forward(self._seen(fake))
        loss, d_real, d_fake = discriminator_loss(on_real, on_fake, settings)
        gradient = net.backward(d_real, real_pass)[0] + net.backward(d_fake, fake_pass)[0]
        if settings.r1 and self.steps % settings.r1_every == 0:
            weight = np.float32(settings.r1 * settings.r1_every / settings.batch)
            gradient += self._slope_gradient(real_pass, lambda slope: weight * slope)
        if settings.loss == "wasserstein" and settings.gradient_penalty:
            share = self.random.random((settings.batch, 1), np.float32)
            between = net.forward(self._seen(share * real + (1 - share) * fake))[1]
            gradient += self._slope_gradient(between, self._d_gradient_penalty)
        self._update(net, self.discriminator_adam, gradient, settings.discriminator_rate)
        return {"discriminator": loss, "real": float(_sigmoid(on_real).mean()), "fake": float(_sigmoid(on_fake).mean())}

    def generator_step(self) -> dict[str, float]:
        """Update the generator on a batch of latents."""
        points, made = self.generator.forward(self._latents())
        judged, seen = self.discriminator.forward(self._seen(points))
        loss, d_judged = generator_loss(judged, self.settings)
        d_seen = self.discriminator.backward(d_judged, seen)[1]
        gradient = self.generator.backward(self._d_points(d_seen, points), made)[0]
        self._update(self.generator, self.generator_adam, gradient, self.settings.generator_rate)
        self.average.values += np.float32(1 - self.settings.ema) * (self.generator.values - self.average.values)
        return {"generator": loss}

    def _latents(self) -> Array:
        return self.random.standard_normal((self.settings.batch, LATENT), np.float32)

    def _update(self, net: Mlp, adam: Adam, gradient: Array, rate: float) -> None:
        adam.update(net.values, gradient, rate=rate, beta1=self.settings.beta1, beta2=self.settings.beta2)

    def _seen(self, points: Array) -> Array:
        """What the discriminator sees of points (N, 2): `pack` in a row, and how much all of them differ."""
        packed = points.reshape(-1, 2 * self.settings.pack)
        if not self.settings.minibatch_std:
            return packed
        return np.c_[packed, np.full((len(packed), 1), _spread(points), np.float32)]

    def _d_points(self, d_seen: Array, points: Array) -> Array:
        """The gradient for the points (N, 2), from that for what is seen of them."""
        d_points = d_seen[:, : 2 * self.settings.pack].reshape(points.shape)
        if self.settings.minibatch_std:
            away = points - points.mean(0)
            d_points = d_points + d_seen[:, -1].sum() * away / (2 * len(points) * _deviation(points))
        return d_points

    def _slope_gradient(self, done: Pass, d_slope: Callable[[Array], Array]) -> Array:
        """(P,) gradient of a penalty on the discriminator's slope at points; how much they differ is held fixed."""
        slope = self.discriminator.slope_of_input(done)
        slope[:, 2 * self.settings.pack :] = 0
        return self.discriminator.backward_slope(d_slope(slope), done)

    def _d_gradient_penalty(self, slope: Array) -> Array:
        each = slope[:, : 2 * self.settings.pack].reshape(-1, 2)
        norm = np.linalg.norm(each, axis=1, keepdims=True) + np.float32(1e-12)
        d_each = 2 * self.settings.gradient_penalty * (norm - 1) / norm * each / len(each)
        out = np.zeros_like(slope)
        out[:, : 2 * self.settings.pack] = d_each.reshape(len(slope), -1)
        return out


def discriminator_loss(real: Array, fake: Array, settings: LabSettings) -> tuple[float, Array, Array]:
    """`facekit.gan.discriminator_loss` of logits (N, 1), and its gradients for both."""
    n = np.float32(len(real))
    match settings.loss:
        case "bce":
            smooth = np.float32(settings.label_smoothing)
            loss = _softplus(-real) + smooth * real + _softplus(fake)
            d_real, d_fake = smooth - _sigmoid(-real), _sigmoid(fake)
        case "least-squares":
            loss, d_real, d_fake = ((real - 1) ** 2 + fake**2) / 2, real - 1, fake
        case "hinge":
            loss = np.maximum(0, 1 - real) + np.maximum(0, 1 + fake)
            d_real, d_fake = -(real < 1).astype(np.float32), (fake > -1).astype(np.float32)
        case "wasserstein":
            loss, d_real, d_fake = fake - real, -np.ones_like(real), np.ones_like(fake)
    return float(loss.mean()), d_real / n, d_fake / n


def generator_loss(fake: Array, settings: LabSettings) -> tuple[float, Array]:
    """`facekit.gan.generator_loss` of logits (N, 1), and its gradient."""
    match settings.loss:
        case "bce":
            loss, d_fake = _softplus(-fake), -_sigmoid(-fake)
        case "least-squares":
            loss, d_fake = (fake - 1) ** 2 / 2, fake - 1
        case "hinge" | "wasserstein":
            loss, d_fake = -fake, -np.ones_like(fake)
    return float(loss.mean()), d_fake / np.float32(len(fake))


def _shape(settings: LabSettings) -> tuple[object, ...]:
    return settings.norm, settings.minibatch_std, settings.pack


def _discriminator(settings: LabSettings, random: np.random.Generator) -> Mlp:
    inputs = 2 * settings.pack + settings.minibatch_std
    return Mlp(inputs, 1, slope=0.2, random=random, spectral=settings.norm == "spectral")


def _keep(new: Mlp, old: Mlp, before: int, after: int) -> None:
    """What was learned of one point counts for each that is judged together, and what was not seen nothing at first."""
    for layer, known in zip(new.layers[1:], old.layers[1:], strict=True):
        layer[:] = known
    one = old.layers[0][: 2 * before].reshape(before, 2, -1).sum(0) / after
    new.layers[0][:] = 0
    new.layers[0][: 2 * after] = np.tile(one, (after, 1))
    new.layers[0][-1] = old.layers[0][-1]


def _deviation(points: Array) -> Array:
    return np.sqrt(points.var(0) + np.float32(1e-8))


def _spread(points: Array) -> np.float32:
    return _deviation(points).mean()


def _sigmoid(x: Array) -> Array:
    return np.float32(0.5) * (np.tanh(np.float32(0.5) * x) + 1)


def _softplus(x: Array) -> Array:
    return np.logaddexp(np.float32(0), x)
