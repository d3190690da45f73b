"""How many pictures a second a recipe trains here, beside plain PyTorch on the same network in the same run."""

from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

import torch
from torch import nn

from facekit.nets import build
from training.batches import CropDataset
from training.experiment import hardware
from training.gan_throughput import gan_throughput
from training.loop import Loop
from training.losses import Criterion
from training.network import view_size
from training.optimizer import build_optimizer, weight_penalty
from training.recipe import GanRecipe, Recipe
from training.records import Record
from training.results import RECORDS, percent, table
from training.sets import fitted_to, load_sets

THROUGHPUT: Final = RECORDS / "throughput.jsonl"
"""Where lines are meant to be kept for `report`."""

_PICTURES = 400
"""Cropped of each set: enough for every combination to balance, few enough to crop in seconds."""


def throughput(recipe: Recipe | GanRecipe, *, steps: int = 8, rounds: int = 3) -> Record:
    """Train `recipe` for `rounds` times `steps` steps, in turn with plain PyTorch, after a round that does not count.

    Plain PyTorch is the same network, batch, losses and optimizer on the same device in float32, contiguous, with
    PyTorch's default form of the optimizer, on a batch that lies ready: it loads and augments nothing.

    Returns:
        "recipe", "hardware", "batch", "size" (width and height in pixels), the medians "pictures_per_second",
        "plain_pictures_per_second", "gain" (their ratio, round by round), and "waiting", the share of the time in
        which the network waited for pictures. Of a generator besides: see `gan_throughput`.

    Raises:
        FacekitError: as `fit`.
    """
    parts = tuple(part.model_copy(update={"limit": _PICTURES, "photos_per_person": None}) for part in recipe.data)
    if isinstance(recipe, GanRecipe):
        return gan_throughput(recipe.model_copy(update={"data": parts}), steps, rounds)
    changes = {"data": parts, "init": None, "epochs": rounds + 1, "steps": steps, "patience": None}
    with TemporaryDirectory() as runs:
        short = recipe.model_copy(update=changes | {"runs": runs, "sizes": ((0, recipe.sizes[-1][1]),)})
        train, validation = load_sets(short)
        short = fitted_to(short, train)
        loop = Loop(short, train, validation, Path(runs))
        size = view_size(short, 0)
        step = _plain_step(loop, CropDataset(train, short.augment, short.seed, size))
        ours, plain = [], []

        def compare(loop: Loop) -> None:
            started = perf_counter()
            for _ in range(steps):
                step()
            plain.append(steps * short.batch_size / (perf_counter() - started))
            ours.append(loop.record)

        loop.add_callback("epoch", compare)
        loop.run()
    speeds = [record["pictures_per_second"] for record in ours[1:]]
    return {
        "recipe": recipe.name,
        "hardware": hardware(),
        "batch": short.batch_size,
        "size": size,
        "pictures_per_second": round(median(speeds), 1),
        "plain_pictures_per_second": round(median(plain[1:]), 1),
        "gain": round(median(one / other for one, other in zip(speeds, plain[1:], strict=True)), 2),
        "waiting": round(median(record["waiting"] for record in ours[1:]), 4),
    }


def _plain_step(loop: Loop, pictures: CropDataset) -> Callable[[], None]:
    """One update of the same network as people write it, on a batch that lies ready."""
    recipe, device = loop.recipe, loop.accelerator.device
    model = build(recipe.architecture, {head: task.size for head, task in recipe.tasks.items()}, recipe.network)
    model = model.to(device).train()
    groups = build_optimizer(model, recipe).param_groups  # also says what is frozen
    kind: Callable[..., torch.optim.Optimizer] = {
        "adamw": torch.optim.AdamW,
        "adam": torch.optim.Adam,
        "sgd": torch.optim.SGD,
        "rmsprop": torch.optim.RMSprop,
    }[recipe.optimizer.name]
    optimizer = kind([{"params": g["params"], "weight_decay": g["weight_decay"]} for g in groups], lr=1e-6)
    places = zip(pictures.starts[:-1], pictures.sets, recipe.data, strict=True)
    rows = [(int(start) + i % len(there), 0) for start, there, part in places for i in range(part.batch)]
    views, targets = pictures.__getitems__(rows)
    x = (views.to(device).float() / 127.5 - 1).contiguous()
    targets = {key: value.to(device) for key, value in targets.items()}
    criterion: nn.Module = Criterion(recipe.tasks, recipe.losses, pictures.targets[0]["attributes"]).to(device)

    def step() -> None:
        optimizer.zero_grad()
        losses = criterion(model(x), targets) | weight_penalty(model, loop.penalized)
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return step


def throughput_section(lines: Iterable[Record]) -> str:
    """Markdown: a table of such lines; nothing where there are none."""
    rows = [
        [
            f"`{line['recipe']}`",
            line["hardware"],
            f"{line['batch']}",
            "{}x{}".format(*line["size"]),
            f"{line['pictures_per_second']:.0f}",
            f"{line['plain_pictures_per_second']:.0f}",
            f"{line['gain']:.2f}",
            percent(line["waiting"]),
            percent(line["share_of_peak"]) if "share_of_peak" in line else "–",
        ]
        for line in sorted(lines, key=lambda line: (line["recipe"], line["hardware"]))
    ]
    if not rows:
        return ""
    head = ("recipe", "hardware", "batch", "size", "pictures/s", "plain PyTorch", "gain", "waiting", "of peak")
    return (
        "\n### Throughput\n\nPictures trained a second, loading and augmentation included, beside the same network in "
        "plain float32 PyTorch (contiguous, a batch that lies ready) in the same run, in turn: the medians, and the "
        "median of the gain of each round. A generator's counts both networks' updates; of peak: the share of what a "
        "product of large matrices reaches on the same machine in the same precision.\n\n"
        + table(head, rows, words=2)
        + "\n    python -m training throughput [RECIPE]... [--small]\n"
    )
