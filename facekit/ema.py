"""A moving average of a network's weights that soon forgets how they started."""

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def moving_average(model: nn.Module, decay: Callable[[], float]) -> AveragedModel:
    """A copy of `model` that follows it, buffers included, by `update_parameters`.

    Args:
        decay: asked at every update for the share of the average that stays, in [0, 1]. After n updates no more than
            (1 + n) / (10 + n) of it stays, so that after a few hundred steps at 0.999 it is not still mostly random.
    """

    def follow(average: Any, weights: Any, count: Any) -> None:
        updates = int(count)
        get_ema_multi_avg_fn(min(decay(), (1 + updates) / (10 + updates)))(average, weights, count)

    return AveragedModel(model, multi_avg_fn=follow, use_buffers=True)
