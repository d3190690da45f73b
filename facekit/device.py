"""Where networks run."""

from facekit.errors import UnknownName


def usable_device(name: str | None) -> str | None:
    """The name of a torch device, seen to be usable; `None` as it is.

    Raises:
        UnknownName: there is no such device here.
    """
    if name is None:
        return None
    import torch

    try:
        torch.zeros(1, device=name).tolist()
    except (RuntimeError, AssertionError):  # the latter where torch was built without it
        here = ["cpu"] + [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        raise UnknownName.among("device", name, here) from None
    return name


def multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for matrices of bfloat16, without which they are slower than float32."""
    import torch

    return torch.cpu._is_amx_tile_supported()  # PyTorch has no public name for it
