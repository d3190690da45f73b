"""Why this answer: Grad-CAM for one answer, and what each stage of the network responds to."""

import cv2
import numpy as np
import torch
from captum.attr import LayerAttribution, LayerGradCam
from numpy.typing import NDArray
from torch import Tensor, nn

from facekit.analyze import FaceAnalyzer
from facekit.errors import UnknownName
from facekit.labels import ATTRIBUTES, EXPRESSIONS, GENDER_ATTRIBUTE, MAX_AGE


def attribution(analyzer: FaceAnalyzer, crop: NDArray[np.uint8], target: str) -> NDArray[np.float32]:
    """Where the network looks for one answer: Grad-CAM (Selvaraju et al., 2017) at the last stage but one.

    The map shows what speaks for the answer given: for "no hat" it is what makes the hat unlikely.

    Args:
        crop: (128, 112, 3) uint8 RGB, a canonical crop.
        target: an attribute name, "gender", "age", or "expression:" and a label, e.g. "expression:happy".

    Returns:
        (128, 112) float32 in [0, 1]; all 0 where nothing speaks for the answer.

    Raises:
        UnknownName: no such answer, or the checkpoint has no head for it.
    """
    answer = _Answer(analyzer.model, target)
    x = analyzer.normalize(crop[None])
    with torch.enable_grad():
        cam = LayerGradCam(answer, analyzer.model.stages[2])  # type: ignore[index]
        heat = cam.attribute(x.requires_grad_(True), relu_attributions=True)
    heat = LayerAttribution.interpolate(heat, crop.shape[:2], interpolate_mode="bilinear")
    return _to_unit(heat[0, 0])


def layer_activations(analyzer: FaceAnalyzer, crop: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """The mean activation of the stem and of every stage over their channels, by name.

    Args:
        crop: (128, 112, 3) uint8 RGB, a canonical crop.

    Returns:
        stage name to (h, w) float32 in [0, 1], h and w shrinking from stage to stage.
    """
    x, maps = analyzer.normalize(crop[None]), {}
    stages: list[tuple[str, nn.Module]] = [("stem", analyzer.model.stem)]  # type: ignore[list-item]
    stages += [(f"stage {i}", stage) for i, stage in enumerate(analyzer.model.stages, 1)]  # type: ignore[arg-type]
    with torch.inference_mode():
        for name, stage in stages:
            x = stage(x)
            maps[name] = _to_unit(x[0].abs().mean(0))
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

    def __init__(self, model: nn.Module, target: str) -> None:
        super().__init__()
        task, _, label = target.partition(":")
        self.model, self.task = model, task
        if task == "expression" and label in EXPRESSIONS:
            self.index = EXPRESSIONS.index(label)
        elif task == "age":
            self.index = -1
        else:
            name = GENDER_ATTRIBUTE if target == "gender" else target
            if name not in ATTRIBUTES:
                raise UnknownName.among("answer", target, ["age", "gender", *ATTRIBUTES])
            self.task, self.index = "attributes", ATTRIBUTES.index(name)
        if self.task not in model.heads:  # type: ignore[operator]
            raise UnknownName(f"This checkpoint has no answer {target!r}: load one that has the head {self.task!r}.")

    def forward(self, crops: Tensor) -> Tensor:
        logits = self.model(crops)[self.task]
        if self.task == "age":  # the mass near the expected age
            distribution = torch.softmax(logits, 1)
            years = torch.arange(MAX_AGE + 1, device=logits.device, dtype=logits.dtype)
            expected = (distribution * years).sum(1, keepdim=True).detach()
            return torch.logsumexp(logits - (years - expected) ** 2 / 50, 1)
        chosen = logits[:, self.index]
        return chosen * chosen.detach().sign() if self.task == "attributes" else chosen


def _to_unit(values: Tensor) -> NDArray[np.float32]:
    values = values.detach().float().cpu()
    spread = values.max() - values.min()
    return ((values - values.min()) / spread).numpy() if spread > 0 else torch.zeros_like(values).numpy()
