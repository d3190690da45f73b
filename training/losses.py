"""One loss a task. Unknown labels are NaN and cost nothing."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax

from facekit.labels import ATTRIBUTES, GENDER_ATTRIBUTE
from training.recipe import Losses

Targets = dict[str, Tensor]
"""attributes (B, 40) 0 or 1, age (B,) years, expression (B, 7) shares, expression_label (B,); NaN where unknown."""


def total_loss(logits: dict[str, Tensor], targets: Targets, weights: Losses) -> dict[str, Tensor]:
    """The weighted loss of every task that has a head and a label in this batch, all scalars.

    Args:
        logits: (B, size) by task.
    """
    losses: dict[str, Tensor] = {}
    if "attributes" in logits:
        losses["attributes"] = weights.attributes * attribute_loss(
            logits["attributes"], targets["attributes"], weights.gender
        )
    if "age" in logits:
        soft, years = age_losses(logits["age"], targets["age"], weights.age_spread)
        losses["age"] = weights.age * soft + weights.age_years * years
    if "expression" in logits:
        shares = mix_labels(targets["expression"], targets["expression_label"], weights.single_label)
        losses["expression"] = weights.expression * soft_cross_entropy(logits["expression"], shares)
    return losses


def attribute_loss(logits: Tensor, truth: Tensor, gender_weight: float) -> Tensor:
    """Binary cross-entropy: the mean over the known rows of each attribute, then over the attributes."""
    known = ~truth.isnan()
    each = binary_cross_entropy_with_logits(logits.float(), truth.nan_to_num(), reduction="none") * known
    column = each.sum(0) / known.sum(0).clamp(min=1)  # (40,)
    weight = known.any(0).float()
    weight[ATTRIBUTES.index(GENDER_ATTRIBUTE)] *= gender_weight
    return (column * weight).sum() / weight.sum().clamp(min=1)


def age_losses(logits: Tensor, years: Tensor, spread: float) -> tuple[Tensor, Tensor]:
    """Label-distribution learning (Gao et al., 2018): cross-entropy with a normal about the age, and years of error."""
    known = ~years.isnan()
    if not known.any():
        return logits.sum() * 0, logits.sum() * 0
    logits, years = logits[known].float(), years[known]
    scale = torch.arange(logits.shape[1], device=logits.device, dtype=torch.float32)
    years = years.clamp(0, len(scale) - 1)
    target = torch.softmax(-((scale - years[:, None]) ** 2) / (2 * spread**2), 1)
    log_probability = log_softmax(logits, 1)
    expected = (log_probability.exp() * scale).sum(1)
    return -(target * log_probability).sum(1).mean(), (expected - years).abs().mean()


def soft_cross_entropy(logits: Tensor, shares: Tensor) -> Tensor:
    """Cross-entropy with (B, K) shares, over the rows that are known."""
    known = ~shares.isnan().any(1)
    if not known.any():
        return logits.sum() * 0
    return -(shares[known] * log_softmax(logits[known].float(), 1)).sum(1).mean()


def mix_labels(shares: Tensor, label: Tensor, single: float) -> Tensor:
    """The votes' shares blended with the data set's own label, which has the weight `single`; (B, 7)."""
    one_hot = torch.nn.functional.one_hot(label.clamp(min=0), shares.shape[1]).float()
    return torch.where((label >= 0)[:, None], (1 - single) * shares + single * one_hot, shares)
