"""Every gradient that is written out is the one that PyTorch finds."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facekit.lab.mlp import Adam, Array, Mlp

X = np.random.default_rng(0).standard_normal((32, 4)).astype(np.float32)


def net(outputs: int = 1, *, slope: float = 0.2, spectral: bool = False) -> Mlp:
    return Mlp(4, outputs, slope=slope, random=np.random.default_rng(1), spectral=spectral)


def twin(values: Tensor, mlp: Mlp, x: Tensor, singular: bool = False) -> Tensor:
    """What `mlp` computes, from its weights as one vector."""
    start = 0
    for i, layer in enumerate(mlp.layers):
        part = values[start : start + layer.size].reshape(layer.shape)
        start += layer.size
        weight = part[:-1] / torch.linalg.matrix_norm(part[:-1], 2) if singular else part[:-1]
        x = x @ weight + part[-1]
        x = nn.functional.leaky_relu(x, float(mlp.slope)) if i < 2 else x
    return x


def tensors(mlp: Mlp) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(mlp.values.copy()).requires_grad_(), torch.from_numpy(X.copy()).requires_grad_()


def settled(mlp: Mlp) -> Mlp:
    for _ in range(400 if mlp.spectral else 0):  # the power iteration comes closer at every pass
        mlp.forward(X)
    return mlp


@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize(("outputs", "slope"), [(1, 0.2), (2, 0.0)])
def test_gradients(outputs: int, slope: float, spectral: bool) -> None:
    mlp = settled(net(outputs, slope=slope, spectral=spectral))
    wanted = np.random.default_rng(2).standard_normal((32, outputs)).astype(np.float32)
    out, done = mlp.forward(X)
    gradient, d_x = mlp.backward(wanted, done)
    values, x = tensors(mlp)
    found = twin(values, mlp, x, spectral)
    torch.testing.assert_close(torch.from_numpy(out), found.detach(), rtol=1e-4, atol=1e-4)
    found.backward(torch.from_numpy(wanted))
    torch.testing.assert_close(torch.from_numpy(gradient), values.grad, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(torch.from_numpy(d_x), x.grad, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("spectral", [False, True])
def test_gradients_of_the_slope(spectral: bool) -> None:
    """As R1 and the gradient penalty need them."""
    mlp = settled(net(spectral=spectral))
    _, done = mlp.forward(X)
    slope = mlp.slope_of_input(done)
    gradient = mlp.backward_slope(2 * slope, done)
    values, x = tensors(mlp)
    (found,) = torch.autograd.grad(twin(values, mlp, x, spectral).sum(), x, create_graph=True)
    torch.testing.assert_close(torch.from_numpy(slope), found.detach(), rtol=1e-3, atol=1e-4)
    found.square().sum().backward()
    torch.testing.assert_close(torch.from_numpy(gradient), values.grad, rtol=1e-3, atol=1e-3)


def test_no_layer_stretches_under_spectral_norm() -> None:
    mlp = settled(net(spectral=True))
    mlp.values *= 9
    _, done = settled(mlp).forward(X)
    assert [float(np.linalg.norm(weight, 2)) for weight in done.weights] == pytest.approx([1, 1, 1], abs=1e-3)


def test_adam_is_pytorchs() -> None:
    values = np.linspace(-1, 1, 7, dtype=np.float32)
    tensor = torch.from_numpy(values.copy()).requires_grad_()
    theirs, ours = torch.optim.Adam([tensor], 0.01, (0.5, 0.9)), Adam(7)
    for i in range(5):
        gradient: Array = np.sin(np.arange(7) + i).astype(np.float32)
        tensor.grad = torch.from_numpy(gradient)
        theirs.step()
        ours.update(values, gradient, rate=0.01, beta1=0.5, beta2=0.9)
    torch.testing.assert_close(torch.from_numpy(values), tensor.detach())
