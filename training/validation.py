"""Quick figures on the validation crops after every epoch: enough to choose the best weights by."""

import numpy as np
import torch
from torch import Tensor, nn

from facekit.labels import ATTRIBUTES, GENDER_ATTRIBUTE, MAX_AGE
from training.augment import centre
from training.batches import normalize, training_targets
from training.data.prepare import Prepared

_BATCH = 128


@torch.no_grad()
def crop_logits(
    model: nn.Module, part: Prepared, size: tuple[int, int], device: torch.device, *, mirror: bool = False
) -> dict[str, Tensor]:
    """Logits (N, K) by task for every crop; with `mirror` averaged over the crop and its mirror image."""
    model.eval()
    outputs: list[dict[str, Tensor]] = []
    for i in range(0, len(part), _BATCH):
        views = np.stack([centre(crop, size) for crop in part.crops[i : i + _BATCH]])
        x = normalize(torch.from_numpy(views).permute(0, 3, 1, 2), device)
        logits = model(x)
        if mirror:
            flipped = model(x.flip(3))
            logits = {task: (values + flipped[task]) / 2 for task, values in logits.items()}
        outputs.append({task: values.float().cpu() for task, values in logits.items()})
    return {task: torch.cat([part[task] for part in outputs]) for task in outputs[0]}


def validate(model: nn.Module, sets: list[Prepared], size: tuple[int, int], device: torch.device) -> dict[str, float]:
    """Accuracy or error by set and task, e.g. `{"celeba attributes": 0.90, "utkface mae": 5.1}`."""
    figures: dict[str, float] = {}
    for part in sets:
        logits, targets = crop_logits(model, part, size, device), training_targets(part)
        for task, value in _figures(logits, targets).items():
            figures[f"{part.name} {task}"] = round(float(value), 5)
    return figures


def score(figures: dict[str, float]) -> float:
    """One number to choose the best epoch by: the accuracies, less a twentieth of the error in years, averaged."""
    return float(np.mean([1 - value / 20 if key.endswith(" mae") else value for key, value in figures.items()]))


def _figures(logits: dict[str, Tensor], targets: dict[str, np.ndarray]) -> dict[str, float]:
    figures: dict[str, float] = {}
    truth = targets["attributes"]
    known = ~np.isnan(truth)
    if "attributes" in logits and known.any():
        right = (logits["attributes"].numpy() > 0) == (truth > 0.5)
        columns = known.any(0)
        if columns.sum() > 1:
            figures["attributes"] = np.mean([right[known[:, k], k].mean() for k in np.flatnonzero(columns)])
        male = ATTRIBUTES.index(GENDER_ATTRIBUTE)
        if columns[male]:
            figures["gender"] = right[known[:, male], male].mean()
    known_age = ~np.isnan(targets["age"])
    if "age" in logits and known_age.any():
        expected = torch.softmax(logits["age"], 1).numpy() @ np.arange(MAX_AGE + 1)
        figures["mae"] = np.abs(expected - targets["age"])[known_age].mean()
    labelled = targets["expression_label"] >= 0
    if "expression" in logits and labelled.any():
        figures["expression"] = (logits["expression"].argmax(1).numpy() == targets["expression_label"])[labelled].mean()
    return figures
