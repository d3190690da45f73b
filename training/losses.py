"""One loss a head. Unknown labels are NaN and cost nothing."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax, one_hot

from facekit.labels import ATTRIBUTES, MAX_AGE
from facekit.tasks import AgeTask, AttributesTask, CombinationsTask, ExpressionTask, IdentityTask, Task, Tasks
from training.recipe import Losses

Targets = dict[str, Tensor]
"""attributes (B, 40) 0 or 1, age (B,) years, expression (B, 7) shares, expression_label and identity (B,); NaN or -1
where unknown. Where there is a teacher, its logits (B, K) by `TEACHER` and head."""

TEACHER: Final = "teacher_"
"""What the targets that are a teacher's logits begin with."""

_LEAST: Final = 1e-4
"""Below this a learned variance takes a loss for no smaller, or the weight of one that is 0 would grow for ever."""


class Criterion(nn.Module):
    """The weighted loss of every head.

    Args:
        tasks: what each head answers.
        weights: of a recipe.
        attributes: (N, 40) labels of the training pictures, to weigh rare combinations by where the recipe wants that.
    """

    def __init__(self, tasks: Tasks, weights: Losses, attributes: NDArray[np.float32]) -> None:
        super().__init__()
        self.tasks, self.weights = tasks, weights
        self.class_weights = {
            head: class_weights(task, attributes)
            for head, task in tasks.items()
            if isinstance(task, CombinationsTask) and weights.balance
        }
        self.log_variances = nn.ParameterDict({head: nn.Parameter(torch.zeros(())) for head in tasks})
        self.log_variances.requires_grad_(weights.uncertainty)

    def forward(self, logits: dict[str, Tensor], targets: Targets) -> dict[str, Tensor]:
        """Logits (B, size) by head to one scalar a head; with a gradient also where the batch has no labels for it."""
        losses = self.weighted(logits, targets)
        if not self.weights.uncertainty:
            return losses
        pairs = {head: (losses[head], self.log_variances[head]) for head in losses}
        return {head: loss.clamp(min=_LEAST) * (-s).exp() + s / 2 for head, (loss, s) in pairs.items()}

    def learned_weights(self) -> dict[str, float]:
        """What each head's loss is multiplied by, exp(-s) of its learned log-variance s; 1 at the start."""
        return {head: round(float((-s.detach()).exp()), 5) for head, s in self.log_variances.items()}

    def weighted(self, logits: dict[str, Tensor], targets: Targets) -> dict[str, Tensor]:
        """The losses of the heads that `logits` has, without the learned variances."""
        heads = [head for head in self.tasks if head in logits]
        return {head: self._weight(head) * self._taught(head, logits[head].float(), targets) for head in heads}

    def _weight(self, head: str) -> float:
        return self.weights.heads.get(head, getattr(self.weights, self.tasks[head].kind))

    def _taught(self, head: str, logits: Tensor, targets: Targets) -> Tensor:
        """The loss against the labels, and in part against the teacher where it has the same head."""
        loss = self._loss(head, logits, targets)
        if (teacher := targets.get(TEACHER + head)) is None:
            return loss
        return (1 - self.weights.teacher) * loss + self.weights.teacher * self._imitation(head, logits, teacher.float())

    def _imitation(self, head: str, logits: Tensor, teacher: Tensor) -> Tensor:
        """Distillation: cross-entropy with the teacher's probabilities (Hinton et al., 2015), both logits (B, K)."""
        match self.tasks[head]:
            case AttributesTask(names=names):
                return attribute_loss(logits, teacher.sigmoid(), self._importance(names, logits.device))
            case AgeTask(form="years"):
                return (logits - teacher).abs().mean()
            case _:
                return soft_cross_entropy(logits, teacher.softmax(1))

    def _importance(self, names: tuple[str, ...], device: torch.device) -> Tensor:
        return torch.tensor([self.weights.names.get(name, 1.0) for name in names], device=device)

    def _loss(self, head: str, logits: Tensor, targets: Targets) -> Tensor:
        match self.tasks[head]:
            case AttributesTask(names=names):
                truth = targets["attributes"][:, columns(names)]
                return attribute_loss(logits, truth, self._importance(names, logits.device))
            case CombinationsTask() as task:
                shares = combination_shares(targets["attributes"], task)
                return soft_cross_entropy(logits, shares, self.class_weights.get(head))
            case AgeTask() as task:
                return age_loss(logits, targets["age"], task, self.weights)
            case IdentityTask():
                person = targets["identity"]
                known = person >= 0
                return nn.functional.cross_entropy(logits[known], person[known]) if known.any() else logits.sum() * 0
            case ExpressionTask():
                shares = mix_labels(targets["expression"], targets["expression_label"], self.weights.single_label)
                return soft_cross_entropy(logits, shares)


def known_rows(task: Task, targets: Targets) -> Tensor:
    """(B,) bool: of which pictures a head has something to learn from the labels."""
    match task:
        case AttributesTask(names=names):
            return ~targets["attributes"][:, columns(names)].isnan().all(1)
        case CombinationsTask():
            return ~combination_shares(targets["attributes"], task).isnan().any(1)
        case AgeTask():
            return ~targets["age"].isnan()
        case ExpressionTask():
            return ~targets["expression"].isnan().any(1)
        case IdentityTask():
            return targets["identity"] >= 0


def columns(names: tuple[str, ...]) -> list[int]:
    """Where attributes stand among the 40."""
    return [ATTRIBUTES.index(name) for name in names]


def attribute_loss(logits: Tensor, truth: Tensor, importance: Tensor) -> Tensor:
    """Binary cross-entropy: the mean over the known rows of each attribute, then over the attributes.

    Args:
        logits, truth: (B, K).
        importance: (K,) weights in the mean over the attributes.
    """
    known = ~truth.isnan()
    each = binary_cross_entropy_with_logits(logits, truth.nan_to_num(), reduction="none") * known
    column = each.sum(0) / known.sum(0).clamp(min=1)  # (K,)
    weight = known.any(0) * importance
    return (column * weight).sum() / weight.sum().clamp(min=1e-9)


def combination_shares(attributes: Tensor, task: CombinationsTask) -> Tensor:
    """(B, 40) labels to (B, combinations) 0 or 1; NaN where a label is unknown or the combination was dropped."""
    cells = torch.tensor(task.combinations, device=attributes.device)  # (combinations, names)
    fits = (attributes[:, None, columns(task.names)] == cells).all(2)
    return torch.where(fits.any(1, keepdim=True), fits.float(), torch.nan)


def class_weights(task: CombinationsTask, attributes: NDArray[np.float32]) -> Tensor:
    """(combinations,) weights that make all combinations count alike, 1 on average over the (N, 40) labels."""
    counts = combination_shares(torch.from_numpy(attributes), task).nansum(0).clamp(min=1)
    return counts.sum() / (len(counts) * counts)


def age_loss(logits: Tensor, years: Tensor, task: AgeTask, weights: Losses) -> Tensor:
    """Absolute error of a number of years, cross-entropy of bands, or `age_losses` of a distribution."""
    known = ~years.isnan()
    if not known.any():
        return logits.sum() * 0
    logits, years = logits[known], years[known].clamp(0, MAX_AGE)
    if task.form == "years":
        return (logits[:, 0] - years).abs().mean()
    if task.form == "bands":
        first = torch.tensor(task.first_years, device=years.device)
        return nn.functional.cross_entropy(logits, torch.searchsorted(first, years.long(), right=True) - 1)
    soft, error = age_losses(logits, years, weights.age_spread)
    return soft + weights.age_years * error


def age_losses(logits: Tensor, years: Tensor, spread: float) -> tuple[Tensor, Tensor]:
    """Label-distribution learning (Gao et al., 2018): cross-entropy with a normal about the age, and years of error.

    Args:
        logits: (B, 101).
        years: (B,) in [0, 100].
        spread: standard deviation of the normal distribution in years.
    """
    scale = torch.arange(logits.shape[1], device=logits.device, dtype=torch.float32)
    target = torch.softmax(-((scale - years[:, None]) ** 2) / (2 * spread**2), 1)
    log_probability = log_softmax(logits, 1)
    expected = (log_probability.exp() * scale).sum(1)
    return -(target * log_probability).sum(1).mean(), (expected - years).abs().mean()


def soft_cross_entropy(logits: Tensor, shares: Tensor, class_weight: Tensor | None = None) -> Tensor:
    """Cross-entropy with (B, K) shares, over the rows that are known; classes may weigh (K,) differently."""
    known = ~shares.isnan().any(1)
    if not known.any():
        return logits.sum() * 0
    weighted = shares[known] if class_weight is None else shares[known] * class_weight.to(shares.device)
    return -(weighted * log_softmax(logits[known], 1)).sum() / weighted.sum()


def mix_labels(shares: Tensor, label: Tensor, single: float) -> Tensor:
    """The votes' shares blended with the data set's own label, which has the weight `single`; (B, 7)."""
    own = one_hot(label.clamp(min=0), shares.shape[1]).float()
    return torch.where((label >= 0)[:, None], (1 - single) * shares + single * own, shares)
