"""Why this answer: Grad-CAM for one answer, and what each stage of the network responds to."""

from collections.abc import Callable
from contextlib import ExitStack
from threading import Lock

import cv2
import numpy as np
import torch
from captum.attr import LayerAttribution, LayerGradCam
from numpy.typing import NDArray
from torch import Tensor, nn

from facekit.analyze import FaceAnalyzer
from facekit.answers import age_logits, attribute_logits, expression_logits
from facekit.errors import UnknownName
from facekit.labels import ATTRIBUTES, EXPRESSIONS, GENDER_ATTRIBUTE, MAX_AGE
from facekit.nets.heads import pixels
from facekit.tasks import Tasks, answered_by

_HOOKED = Lock()  # both explanations hang hooks on a network that other threads may explain as well


def attribution(analyzer: FaceAnalyzer, crop: NDArray[np.uint8], target: str) -> NDArray[np.float32]:
    """Where the network looks for one answer: Grad-CAM (Selvaraju et al., 2017) at the network's `explained` parts.

    The map shows what speaks for the answer given: for "no hat" it is what makes the hat unlikely.

    Args:
        crop: (H, W, 3) uint8 RGB, as `analyzer.crop` cuts it.
        target: an attribute name, "gender", "age", or "expression:" and a label, e.g. "expression:happy".

    Returns:
        (H, W) float32 in [0, 1]; all 0 where nothing speaks for the answer.

    Raises:
        UnknownName: no such answer, or the checkpoint has no head for it.
    """
    answer = _Answer(analyzer.model, analyzer.checkpoint.config.tasks, target)
    x = analyzer.normalize(crop[None])
    heat = torch.zeros(crop.shape[:2])
    with _HOOKED, torch.enable_grad():
        for part, window in analyzer.model.explained.items():
            seen = LayerGradCam(answer, part).attribute(x.requires_grad_(True), relu_attributions=True)
            left, top, right, bottom = pixels(window, crop.shape[1], crop.shape[0])
            seen = LayerAttribution.interpolate(seen, (bottom - top, right - left), interpolate_mode="bilinear")
            heat[top:bottom, left:right] += seen[0, 0].detach().cpu()
    return _to_unit(heat)


def layer_activations(analyzer: FaceAnalyzer, crop: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """The mean activation of every part of the network that puts out maps, over their channels, by name.

    Args:
        crop: (H, W, 3) uint8 RGB, as `analyzer.crop` cuts it.

    Returns:
        name to (h, w) float32 in [0, 1], h and w shrinking from part to part.
    """
    maps: dict[str, NDArray[np.float32]] = {}

    def keep(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda _, __, output: maps.update({name: _to_unit(output[0].abs().mean(0))})

    with _HOOKED, torch.inference_mode(), ExitStack() as hooks:
        for name, part in analyzer.model.layers().items():
            hooks.callback(part.register_forward_hook(keep(name)).remove)
        analyzer.model(analyzer.normalize(crop[None]))
    return maps


def overlay(crop: NDArray[np.uint8], heat: NDArray[np.float32], *, strength: float = 0.55) -> NDArray[np.uint8]:
    """`heat` (h, w) in [0, 1] over `crop` (H, W, 3) uint8 RGB, in colours that colour-blind eyes can order."""
    size = (crop.shape[1], crop.shape[0])
    heat = cv2.resize(heat, size, interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    colours = cv2.applyColorMap((heat * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[:, :, ::-1]
    alpha = strength * heat[:, :, None]
    return (crop * (1 - alpha) + colours * alpha).round().astype(np.uint8)


class _Answer(nn.Module):
    """The network with one scalar output, positive for the answer that it gives."""

    def __init__(self, model: nn.Module, tasks: Tasks, target: str) -> None:
        super().__init__()
        self.model, self.tasks = model, tasks
        self.task, _, label = target.partition(":")
        if self.task == "expression" and label in EXPRESSIONS:
            self.index = EXPRESSIONS.index(label)
        elif self.task != "age":
            name = GENDER_ATTRIBUTE if target == "gender" else target
            if name not in ATTRIBUTES:
                raise UnknownName.among("answer", target, ["age", "gender", *ATTRIBUTES])
            self.task, self.index = "attribute", ATTRIBUTES.index(name)
        if (ATTRIBUTES[self.index] if self.task == "attribute" else self.task) not in answered_by(tasks):
            raise UnknownName(f"This checkpoint has no answer {target!r}: load one that was trained to give it.")

    def forward(self, crops: Tensor) -> Tensor:
        logits = self.model(crops)
        if self.task == "expression":
            return expression_logits(logits, self.tasks)[:, self.index]  # type: ignore[index]
        if self.task == "attribute":
            odds = attribute_logits(logits, self.tasks)[:, self.index]  # type: ignore[index]
            return odds * odds.detach().sign()
        aged = age_logits(logits, self.tasks)  # (B, 101)
        assert aged is not None  # or the target would not have been taken
        years = torch.arange(MAX_AGE + 1, device=crops.device, dtype=torch.float32)
        expected = (torch.softmax(aged, 1) * years).sum(1, keepdim=True).detach()
        return torch.logsumexp(aged - (years - expected) ** 2 / 50, 1)  # the mass near the expected age


def _to_unit(values: Tensor) -> NDArray[np.float32]:
    values = values.detach().float().cpu()
    spread = values.max() - values.min()
    return ((values - values.min()) / spread).numpy() if spread > 0 else torch.zeros_like(values).numpy()
