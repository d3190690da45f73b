"""Which numbers to train with here."""

import torch

from facekit.device import multiplies_bfloat16
from facekit.errors import RecipeError


def precision(wanted: str) -> str:
    """ "auto" is bfloat16 where the hardware multiplies it, else float32, which is then faster."""
    if wanted == "fp16" and not torch.cuda.is_available():  # accelerate would train in float32 and say nothing
        raise RecipeError("Field precision: fp16 trains on a GPU only; take bf16, no or auto.")
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    return "bf16" if multiplies_bfloat16() else "no"
