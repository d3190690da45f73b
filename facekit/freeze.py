"""A network as one graph for inference."""

import warnings

import torch
from torch import nn


def freeze(net: nn.Module, shape: tuple[int, ...], device: torch.device) -> nn.Module:
    """The same network as one graph, batch norms folded in and kernels laid out for the processor: up to twice as fast.

    Args:
        net: in evaluation mode, on `device`, channels last.
        shape: of pictures (B, 3, H, W) that it will see; B may be another one later.
    """
    example = torch.zeros(shape, device=device).contiguous(memory_format=torch.channels_last)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # what replaces it needs a C++ compiler on the user's machine
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # windows become constants: pictures have one size
        traced = torch.jit.trace(net, example, strict=False)
        if device.type == "cpu":
            try:
                fast = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
                fast(example)
                return fast
            except RuntimeError:  # oneDNN lacks an operation: adaptive pooling to sides that do not divide, say
                pass
        return torch.jit.freeze(traced)
