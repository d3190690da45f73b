"""What a network may cost at most: a checkpoint's settings come from strangers, and are tried here without memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

MAX_PARAMETERS: Final = 160_000_000
"""VGG-Face, the largest published network here, has 145,002,878."""

MAX_TENSORS: Final = 2_000
"""ResNeXt-50 has 161."""

MAX_WORK: Final = 100 * 10**9
"""Floating-point operations of the kernels and matrices, a picture. VGG-16 does 31 billion at 224 px."""

MAX_MAP_BYTES: Final = 64 * 2**20
"""Of one layer's output for one picture. VGG-16's largest takes 13 million at 224 px."""


@contextmanager
def on_meta() -> Iterator[None]:
    """Networks built inside have shapes and no memory.

    Raises:
        ValueError: one has more parameters than `MAX_PARAMETERS`, or more tensors than `MAX_TENSORS`.
    """
    thread, parameters, tensors = get_ident(), 0, 0

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal parameters, tensors
        if parameter is None or get_ident() != thread:
            return
        parameters, tensors = parameters + parameter.numel(), tensors + 1
        if parameters > MAX_PARAMETERS or tensors > MAX_TENSORS:
            raise ValueError(
                f"more than {MAX_PARAMETERS // 10**6} million parameters or {MAX_TENSORS:,} tensors: no network here "
                "is that large"
            )

    hook = register_module_parameter_registration_hook(count)
    try:
        with torch.device("meta"):
            yield
    finally:
        hook.remove()


def check_work(model: nn.Module, *example: Tensor) -> int:
    """Try a network that `on_meta` built on inputs for one picture, without computing anything.

    Args:
        example: the model's inputs on the "meta" device, of a batch of one.

    Returns:
        The bytes of its largest layer's output.

    Raises:
        ValueError: its layers do not fit each other, or it takes more than `MAX_WORK` or `MAX_MAP_BYTES`.
    """

    work = largest = 0

    def measure(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal work, largest
        if isinstance(output, Tensor):
            largest = max(largest, output.nbytes)
        if largest > MAX_MAP_BYTES:
            raise ValueError(f"a layer's output takes more than {MAX_MAP_BYTES >> 20} MB a picture")
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            maps = inputs[0] if isinstance(module, nn.ConvTranspose2d) else output
            work += 2 * maps.numel() * module.weight[0].numel()
        if work > MAX_WORK:
            raise ValueError(f"more than {MAX_WORK // 10**9} billion operations a picture")

    hooks = [module.register_forward_hook(measure) for module in model.modules()]
    training = model.training
    try:
        with torch.no_grad():
            model.eval()(*example)
    except (RuntimeError, TypeError, LookupError) as error:
        raise ValueError(f"its layers do not fit each other: {error}") from None
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return largest
