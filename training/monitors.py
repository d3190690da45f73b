"""What hangs on the loop: alarms for units that die and for heads that give every picture the same answer.

Both look at what is validated and kept, the averaged weights on the validation pictures, which nothing augments.
"""

import re
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facekit.answers import Answers, decode
from facekit.labels import EXPRESSIONS, GENDER_ATTRIBUTE
from facekit.tasks import AgeTask, AttributesTask, CombinationsTask, ExpressionTask, IdentityTask, Tasks
from training.batches import training_targets
from training.loop import Loop
from training.losses import columns
from training.network import view_size
from training.optimizer import FACTOR
from training.runs import RunWarning
from training.state import read_log
from training.validation import crop_logits

DEAD, SPREAD = "dead", "spread"
"""Keys of the log: the share of dead units by layer, and how much a head's answers differ between pictures."""

_HALF, _NEARLY_ALL, _RISING = 0.5, 0.9, 0.25
_SAME, _EXACTLY_SAME, _NEAR = 2e-3, 1e-5, 0.1
_LISTED = 3  # layers or answers in one sentence, beside the first


def add_alarms(loop: Loop) -> None:
    """Log the dead units of every ReLU and the spread of every head, and warn (`RunWarning`) when either collapses.

    Costs one validation pass before training, to know which units never fired. For the first 1 / (1 - ema) steps,
    while the averaged weights are mostly the initial ones, dead units show late.
    """
    if loop.accelerator.is_main_process:
        alarms = _Alarms(loop)
        loop.add_callback("validated", alarms.measure)
        loop.add_callback("epoch", alarms.warn)


class DeadUnits:
    """Counts the units behind every ReLU of a network that are 0 on all the pictures it is shown.

    A unit is a channel of a convolution, dead if it is 0 everywhere in every picture, or one unit of a dense layer.
    Only units that have not fired yet are looked at, so that a pass costs hardly more than without.
    """

    def __init__(self, net: nn.Module) -> None:
        self._silent: dict[tuple[str, int], Tensor] = {}  # the units of every use of a ReLU that never fired so far
        self._units: dict[tuple[str, int], int] = {}
        self._uses: Counter[str] = Counter()
        net.register_forward_pre_hook(lambda *_: self._uses.clear())
        for path, layer in relu_layers(net).items():
            net.get_submodule(path).register_forward_hook(partial(self._look, layer.name))

    def shares(self) -> dict[str, float]:
        """Share of dead units by layer in the order of the forward pass, since this was last asked, in [0, 1].

        Where a network uses one ReLU several times, `#1`, `#2` ... tell the uses apart.
        """
        uses = Counter(name for name, _ in self._silent)
        shares = {
            name if uses[name] == 1 else f"{name}#{use}": round(len(silent) / self._units[name, use], 4)
            for (name, use), silent in self._silent.items()
        }
        self._silent.clear()
        return shares

    def _look(self, name: str, relu: nn.Module, inputs: Any, output: Tensor) -> None:
        """Strike out the units that fire in `output`, (B, C, h, w) or (B, C)."""
        self._uses[name] += 1
        use = name, self._uses[name]
        self._units[use] = output.shape[1]
        silent = self._silent.setdefault(use, torch.arange(output.shape[1], device=output.device))
        for part in (output[:1], output):  # the first picture already wakes most of them
            if len(silent):
                fires = (part[:, silent] > 0).transpose(0, 1).flatten(1).any(1)
                silent = silent[~fires]
        self._silent[use] = silent


@dataclass(frozen=True)
class ReluLayer:
    """A ReLU's layer, by the name that a person knows it by, and the module path of the weights that feed it."""

    name: str
    weights: str


def relu_layers(net: nn.Module) -> dict[str, ReluLayer]:
    """Every ReLU by its module path.

    Plain networks (`features`, then `dense`) are named as in Caffe and the papers of the time: pooling ends a group, so
    that VGG-16 has conv1_1 to conv5_3, fc6 and fc7, and a network with one convolution a group conv1, conv2, ... Others
    have the names of their modules, less the place in a block of layers: stem, stages.0.0.relu.
    """
    plain = isinstance(getattr(net, "features", None), nn.Sequential)
    layers: dict[str, ReluLayer] = {}
    group, index, name, weights = 1, 0, "", ""
    for path, module in net.named_modules():
        if path.startswith("heads."):
            continue  # registered first, run last
        if isinstance(module, nn.Conv2d | nn.Linear):
            index += 1
            name = f"conv{group}_{index}" if isinstance(module, nn.Conv2d) else f"fc{group}"
            weights = f"{path}.weight"
        if isinstance(module, nn.MaxPool2d | nn.Linear):
            group, index = group + 1, 0
        if isinstance(module, nn.ReLU):
            layers[path] = ReluLayer(name if plain else re.sub(r"\.\d+$", "", path), weights)
    if any("_2" in layer.name for layer in layers.values()):
        return layers
    return {path: ReluLayer(layer.name.removesuffix("_1"), layer.weights) for path, layer in layers.items()}


def dying_layers(start: dict[str, float], now: dict[str, float]) -> dict[str, float]:
    """The layers, with their share of dead units, in which training silenced half of what fired before; {} if healthy.

    A healthy layer may have many units that never fired (two fifths of a dense layer of an untrained VGG-16) and lose
    some more, so shares count relative to `start`, those before training, and one half-dead layer alone is no alarm:
    two are, as death spreads from layer to layer, or one that is nearly all dead and lets nothing pass.
    """
    dying = {layer: share for layer, share in now.items() if _killed(start[layer], share) >= _HALF}
    worst = max((_killed(start[layer], share) for layer, share in dying.items()), default=0.0)
    return dying if len(dying) > 1 or worst >= _NEARLY_ALL else {}


def _killed(start: float, share: float) -> float:
    """The part of the units that fired before training that is dead now; all of them where none ever fired."""
    return (share - start) / (1 - start) if start < 1 else share


@dataclass(frozen=True, eq=False)
class HeadAnswers:
    """What a head answered over a validation pass: K probabilities, or the age in years (K = 1).

    Attributes:
        names: of the K answers: attributes, expressions, or "age".
        means, shares: (K,) the mean answer, and the mean label.
        spread: standard deviation of the answers over the pictures, as a share of that of the labels; 0 where every
            picture gets the same answer, about 1 where all answers are right and certain.
        as_in_data: whether the mean answer is about the mean label: the class prior.
    """

    names: tuple[str, ...]
    means: NDArray[np.float64]
    shares: NDArray[np.float64]
    spread: float
    as_in_data: bool

    @property
    def stuck(self) -> bool:
        """Whether all pictures get one answer, and that the class prior: on its way there, a head is only slow."""
        return self.spread < (_SAME if self.as_in_data else _EXACTLY_SAME)

    def __str__(self) -> str:
        """The three likeliest answers, and whether they are those of the data: "58 % woman, as in the data"."""
        if self.names == ("age",):
            said, truth = (f"{values[0]:.0f} years" for values in (self.means, self.shares))
        else:
            order = np.argsort(-self.means)[:_LISTED]
            said, truth = (self._listed(values, order) for values in (self.means, self.shares))
        return f"{said}, as in the data" if self.as_in_data else f"{said}; in the data {truth}"

    def _listed(self, values: NDArray[np.float64], order: NDArray[np.int64]) -> str:
        if self.names == (GENDER_ATTRIBUTE,):
            man = self.means[0] > 0.5
            return f"{_percent(values[0] if man else 1 - values[0])} {'man' if man else 'woman'}"
        return ", ".join(f"{_percent(values[k])} {self.names[k]}" for k in order)


def head_answers(answers: Answers, targets: dict[str, NDArray], tasks: Tasks) -> dict[str, HeadAnswers]:
    """How much each head's answers differ between pictures; heads whose labels are unknown or all alike are left out.

    Args:
        answers: of N pictures.
        targets: as of `batches.training_targets`, for any number of pictures of the same kind.
    """
    found = {}
    for head, task in tasks.items():
        if isinstance(task, IdentityTask):
            continue  # the people of validation are others
        names, answered, labels = _answers_and_labels(task, answers, targets)  # (N, K), (M, K)
        known = np.flatnonzero(~np.isnan(labels).all(0))
        if not len(known):
            continue
        answered, labels = answered[:, known].astype(np.float64), labels[:, known].astype(np.float64)
        means, shares, needed = answered.mean(0), np.nanmean(labels, 0), np.sqrt(np.nanvar(labels, 0).mean())
        if needed:
            spread, off = np.sqrt(answered.var(0).mean()) / needed, np.sqrt(((means - shares) ** 2).mean()) / needed
            found[head] = HeadAnswers(tuple(names[k] for k in known), means, shares, float(spread), bool(off < _NEAR))
    return found


def _answers_and_labels(
    task: AttributesTask | CombinationsTask | AgeTask | ExpressionTask, answers: Answers, targets: dict[str, NDArray]
) -> tuple[tuple[str, ...], NDArray, NDArray]:
    """Names (K,), answers (N, K) and labels (M, K) of one head; labels are NaN where unknown."""
    if isinstance(task, AgeTask):
        assert answers.years is not None
        return ("age",), answers.years[:, None], targets["age"][:, None]
    if isinstance(task, ExpressionTask):
        assert answers.expression is not None
        label = targets["expression_label"][:, None]
        return EXPRESSIONS, answers.expression, np.where(label < 0, np.nan, label == np.arange(len(EXPRESSIONS)))
    assert answers.attributes is not None
    chosen = columns(task.names)
    return task.names, answers.attributes[:, chosen], targets["attributes"][:, chosen]


class _Alarms:
    def __init__(self, loop: Loop) -> None:
        self.net, self.tasks = loop.ema.module, loop.recipe.tasks
        self.weights = {layer.name: layer.weights for layer in relu_layers(self.net).values()}
        targets = [training_targets(part) for part in loop.validation]
        self.targets = {key: np.concatenate([part[key] for part in targets]) for key in targets[0]}
        self.logits: list[dict[str, Tensor]] = []
        self.heads: dict[str, HeadAnswers] = {}
        self.said: set[str] = set()
        self.units = DeadUnits(self.net)
        for part in loop.validation:
            crop_logits(self.net, part, view_size(loop.recipe, 0), loop.accelerator.device, mirror=True)
        self.start = self.units.shares()  # a resumed loop is built with the same weights, so this is the same again
        self.net.register_forward_hook(lambda net, crops, logits: self.logits.append(_on_cpu(logits)))

    def measure(self, loop: Loop) -> None:
        """Add this epoch's figures to the log."""
        logits = {head: torch.cat([part[head] for part in self.logits]) for head in self.tasks}
        self.logits.clear()
        self.heads = head_answers(decode(logits, self.tasks), self.targets, self.tasks)
        loop.record[DEAD] = self.units.shares()
        loop.record[SPREAD] = {head: round(found.spread, 5) for head, found in self.heads.items()}

    def warn(self, loop: Loop) -> None:
        """Say once of every layer and head that it has collapsed."""
        history = [record for record in read_log(loop.folder) if DEAD in record]
        dying = dying_layers(self.start, loop.record[DEAD])
        if not dying.keys() <= self.said:
            self.said |= dying.keys()
            self._warn_of_layers(loop, history, dying)
        for head, found in self.heads.items():
            since = _since(history, partial(_is_constant, head))
            followed = since is not None and since < loop.epoch and history[-2]["step"] * (1 - loop.recipe.ema) >= 1
            if since is not None and followed and (found.stuck or dying) and head not in self.said:
                self.said.add(head)
                rate = "lower learning_rate" if since > 1 else "raise or lower learning_rate"  # it never did better
                why = "look at the dead units first" if dying else _remedy(loop, since, rate, 1.0)
                text = f"Head {head} gives every picture the same answer since epoch {since} ({found})"
                warnings.warn(f"{text}: {why}.", RunWarning, stacklevel=1)

    def _warn_of_layers(self, loop: Loop, history: list[dict[str, Any]], dying: dict[str, float]) -> None:
        first, *others = dying
        since = _since(history, lambda record: _killed(self.start[first], record[DEAD][first]) >= _RISING)
        assert since is not None  # it is dying now
        more = [f"{layer} {_percent(dying[layer])}" for layer in others[:_LISTED]]
        if len(others) > _LISTED:
            more.append(f"and {len(others) - _LISTED} more")
        also = f" ({', '.join(more)})" if more else ""
        text = f"{first}: {_percent(dying[first])} of units dead since epoch {since}{also}"
        rate = _rate(loop, self.weights[first.partition("#")[0]])
        warnings.warn(f"{text}: {_remedy(loop, since, 'lower its learning rate', rate)}.", RunWarning, stacklevel=1)


def _on_cpu(logits: dict[str, Tensor]) -> dict[str, Tensor]:
    return {head: values.float().cpu() for head, values in logits.items()}


def _is_constant(head: str, record: dict[str, Any]) -> bool:
    return head in record[SPREAD] and record[SPREAD][head] < _SAME


def _since(history: list[dict[str, Any]], collapsed: Callable[[dict[str, Any]], bool]) -> int | None:
    """The first epoch of those, up to the last one, in which it had `collapsed`; None if it has not."""
    epochs = [record["epoch"] for record in takewhile(collapsed, reversed(history))]
    return epochs[-1] if epochs else None


def _rate(loop: Loop, weights: str) -> float:
    """The share of the learning rate that a parameter has; 0 if it is frozen."""
    parameter = loop.accelerator.unwrap_model(loop.model).get_parameter(weights)
    groups = loop.optimizer.param_groups
    return next((group[FACTOR] for group in groups if any(one is parameter for one in group["params"])), 0.0)


def _remedy(loop: Loop, since: int, change: str, factor: float) -> str:
    """What to do about a collapse that began in the epoch `since`: `change` the rate, of which this has a `factor`."""
    if not factor:  # a frozen layer dies of what those before it feed it
        change, factor = "lower learning_rate", 1.0
    before = f" from epoch {loop.best_epoch}: init={loop.folder / 'best'}" if 0 < loop.best_epoch < since else ""
    return f"{change} (now {factor * loop.recipe.learning_rate:g}) and start again{before}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
