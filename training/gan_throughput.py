"""How fast a generator's recipe trains here, beside plain PyTorch, and how much of the machine that uses."""

from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from facekit.gan import Gan
from training.experiment import hardware
from training.gan import GanLoop, networks
from training.precision import precision
from training.recipe import GanRecipe
from training.records import Record
from training.sets import load_sets

_SIDE: Final = 2048
_PRODUCTS: Final = 8


class _Operations(TorchDispatchMode):
    """Counts floating-point operations. PyTorch's FlopCounterMode, whose formulas these are, follows modules besides,
    and so cannot look at a gradient's gradient."""

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)
        self.total += formula(*args, **(kwargs or {}), out_val=made) if formula else 0
        return made


def gan_throughput(recipe: GanRecipe, steps: int, rounds: int) -> Record:
    """Train `recipe` for `rounds` times `steps` steps, in turn with plain PyTorch, after a round that does not count.

    Plain PyTorch is the same step of the same networks in float32, contiguous, with PyTorch's default form of Adam, on
    a batch that lies ready.

    Returns:
        As `training.throughput.throughput`, with "peak", the floating-point operations a second of a product of two
        2048x2048 matrices in the precision of the training, the best of eight, and "share_of_peak", the share of it
        that the steps reach.

    Raises:
        FacekitError: as `fit`.
    """
    short = recipe.model_copy(update={"steps": steps * (rounds + 1)})
    train, _ = load_sets(short)
    loop = GanLoop(short, train, Path())
    stream, waited, ours, plain = iter(loop.loader), 0.0, [], []

    def batch() -> tuple[Tensor, Tensor]:
        nonlocal waited
        asked = perf_counter()
        real = loop.real(*next(stream))
        waited += perf_counter() - asked
        return real

    step, flops = _plain_step(loop)
    for i in range(rounds + 1):
        waited = 0.0 if i == 1 else waited
        ours.append(_seconds(lambda: loop.gan.step(batch), steps))
        plain.append(_seconds(step, steps))
    pictures, seconds = steps * recipe.batch_size * recipe.settings.discriminator_steps, median(ours[1:])
    peak = _peak(torch.bfloat16 if precision(recipe.precision) == "bf16" else torch.float32, loop.accelerator.device)
    return {
        "recipe": recipe.name,
        "hardware": hardware(),
        "batch": recipe.batch_size,
        "size": [recipe.size, recipe.size],
        "pictures_per_second": round(pictures / seconds, 1),
        "plain_pictures_per_second": round(pictures / median(plain[1:]), 1),
        "gain": round(median(other / one for one, other in zip(ours[1:], plain[1:], strict=True)), 2),
        "waiting": round(waited / sum(ours[1:]), 4),
        "peak": round(peak),
        "share_of_peak": round(flops * steps / seconds / peak, 4),
    }


def _plain_step(loop: GanLoop) -> tuple[Callable[[], object], float]:
    """A step as people write it, and its floating-point operations, the mean over as many steps as R1 comes once in."""
    recipe, device = loop.recipe, loop.accelerator.device
    views, targets = loop.pictures.__getitems__([(i % len(loop.pictures), 0) for i in range(recipe.batch_size)])
    ready = tuple(part.to(device).contiguous() for part in loop.real(views, targets))
    known = np.concatenate([part["attributes"][:, loop.columns] for part in loop.pictures.targets])
    generator, discriminator = (net.to(device) for net in networks(recipe, known))
    gan = Gan(generator, discriminator, recipe.settings, latent=generator.latent)
    gan.generator_optimizer = torch.optim.Adam(generator.parameters())
    gan.discriminator_optimizer = torch.optim.Adam(discriminator.parameters())

    def step() -> object:
        return gan.step(lambda: (ready[0].detach(), ready[1]))

    count = recipe.settings.r1_every if recipe.settings.r1 else 1
    with _Operations() as counted:
        for _ in range(count):
            step()
    return step, counted.total / count


def _seconds(step: Callable[[], object], count: int) -> float:
    """How long so many steps take; each ends by reading its losses, so nothing of it is left to do."""
    started = perf_counter()
    for _ in range(count):
        step()
    return perf_counter() - started


def _peak(numbers: torch.dtype, device: torch.device) -> float:
    one, other = (torch.randn(_SIDE, _SIDE, device=device).to(numbers) for _ in range(2))

    def product() -> object:
        return (one @ other)[0, 0].item()

    return 2 * _SIDE**3 / min(_seconds(product, 1) for _ in range(_PRODUCTS))
