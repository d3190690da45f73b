"""A perceptron of two hidden layers with its gradients written out, in NumPy.

A step of a GAN of points is a hundred tiny operations, and in a framework the calls take longer than the arithmetic:
this is about three times as fast. The tests compare every gradient with PyTorch's.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[np.floating]
"""float32 everywhere; NumPy's stubs lose that on the way."""

WIDTH: Final = 64
"""Units of each hidden layer."""


class Pass(NamedTuple):
    """What a forward pass leaves for the backward one: the input, the slopes and values of the hidden units, and the
    weights that were used."""

    x: Array
    slopes: tuple[Array, Array]
    hidden: tuple[Array, Array]
    weights: tuple[Array, ...]


class Mlp:
    """Three linear layers with a leaky rectifier between them.

    Args:
        inputs, outputs: of the network.
        slope: of the rectifier below zero.
        random: draws the weights, uniform within one over the root of a layer's inputs.
        spectral: divide each layer's weights by their largest singular value (Miyato et al., 2018).

    Attributes:
        values: (P,) all weights and biases; changes in place are changes of the network.
    """

    def __init__(self, inputs: int, outputs: int, *, slope: float, random: Generator, spectral: bool = False) -> None:
        sizes = (inputs, WIDTH, WIDTH, outputs)
        shapes = [(sizes[i] + 1, sizes[i + 1]) for i in range(3)]  # the last row holds the biases
        self.slope, self.spectral = np.float32(slope), spectral
        self.values = np.concatenate(
            [random.uniform(-((rows - 1) ** -0.5), (rows - 1) ** -0.5, rows * columns) for rows, columns in shapes]
        ).astype(np.float32)
        self._shapes = shapes
        self._singular = [random.normal(size=rows - 1).astype(np.float32) for rows, _ in shapes]

    @property
    def layers(self) -> list[Array]:
        """Views of `values`: each layer's weights (inputs + 1, outputs), its biases in the last row."""
        return _views(self.values, self._shapes)

    def forward(self, x: Array, *, training: bool = True) -> tuple[Array, Pass]:
        """(N, inputs) to (N, outputs), and what `backward` needs.

        Args:
            training: whether the spectral norm may come closer to the singular values, which changes later passes.
        """
        layers = self.layers
        weights = tuple(self._effective(i, layer, training) for i, layer in enumerate(layers))
        slopes, hidden, h = [], [], x
        for weight, layer in zip(weights[:2], layers[:2], strict=True):
            h = h @ weight
            h += layer[-1]
            slope = (h > 0) * (1 - self.slope)  # np.where is slower
            slope += self.slope
            h *= slope
            slopes.append(slope)
            hidden.append(h)
        return h @ weights[2] + layers[2][-1], Pass(x, (slopes[0], slopes[1]), (hidden[0], hidden[1]), weights)

    def backward(self, d_out: Array, done: Pass) -> tuple[Array, Array]:
        """Gradients of what has gradient `d_out` (N, outputs): (P,) for `values`, and (N, inputs) for the input."""
        gradient = np.empty_like(self.values)
        views = _views(gradient, self._shapes)
        below = (done.x, *done.hidden)
        d = d_out
        for i in (2, 1, 0):
            views[i][:-1] = below[i].T @ d
            views[i][-1] = d.sum(0)
            d = d @ done.weights[i].T
            if i:
                d *= done.slopes[i - 1]
        return self._through_norm(gradient), d

    def slope_of_input(self, done: Pass) -> Array:
        """(N, inputs) gradient of each sample's one output for its input."""
        w1, w2, w3 = done.weights
        return ((done.slopes[1] * w3[:, 0]) @ w2.T * done.slopes[0]) @ w1.T

    def backward_slope(self, d_slope: Array, done: Pass) -> Array:
        """(P,) gradient for `values` of what has gradient `d_slope` (N, inputs) for `slope_of_input`."""
        w1, w2, w3 = done.weights
        second = done.slopes[1] * w3[:, 0]  # (N, WIDTH), and so on down to the input
        first = second @ w2.T * done.slopes[0]
        gradient = np.zeros_like(self.values)  # of the biases it is zero: they do not bend the function
        views = _views(gradient, self._shapes)
        d_first = d_slope @ w1 * done.slopes[0]
        views[0][:-1] = d_slope.T @ first
        views[1][:-1] = d_first.T @ second
        views[2][:-1, 0] = (d_first @ w2 * done.slopes[1]).sum(0)
        return self._through_norm(gradient)

    def _effective(self, i: int, layer: Array, training: bool) -> Array:
        """The weights that count, after one step of the power iteration towards their largest singular value."""
        weight = layer[:-1]
        if not self.spectral:
            return weight
        right = _unit(self._singular[i] @ weight)
        left = _unit(weight @ right)
        if training:
            self._singular[i] = left
        return weight / (left @ weight @ right)

    def _through_norm(self, gradient: Array) -> Array:
        if self.spectral:
            for layer, view, left in zip(self.layers, _views(gradient, self._shapes), self._singular, strict=True):
                right = _unit(left @ layer[:-1])
                largest = left @ layer[:-1] @ right
                along = (view[:-1] * layer[:-1]).sum() / largest
                view[:-1] = (view[:-1] - along * np.outer(left, right)) / largest
        return gradient


class Adam:
    """Kingma and Ba, 2015, on one vector.

    Attributes:
        state: (2, P) the moving averages of gradient and squared gradient.
        updates: made so far.
    """

    def __init__(self, size: int) -> None:
        self.state, self.updates = np.zeros((2, size), np.float32), 0

    def update(self, values: Array, gradient: Array, *, rate: float, beta1: float, beta2: float) -> None:
        """Move `values` in place."""
        self.updates += 1
        mean, square = self.state
        mean += np.float32(1 - beta1) * (gradient - mean)
        square += np.float32(1 - beta2) * (gradient * gradient - square)
        unbiased = np.sqrt(square / np.float32(1 - beta2**self.updates)) + np.float32(1e-8)
        values -= np.float32(rate / (1 - beta1**self.updates)) * mean / unbiased


def _views(vector: Array, shapes: list[tuple[int, int]]) -> list[Array]:
    views, start = [], 0
    for rows, columns in shapes:
        views.append(vector[start : start + rows * columns].reshape(rows, columns))
        start += rows * columns
    return views


def _unit(vector: Array) -> Array:
    return vector / (np.linalg.norm(vector) + np.float32(1e-12))
