"""The classifier loop: read it from top to bottom. Monitors hang on `add_callback`, the only extension point."""

import json
import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from numpy.typing import NDArray
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from facekit.align import CROP_SIZE
from facekit.checkpoints import CheckpointConfig, read_checkpoint, write_checkpoint
from facekit.hub import find_checkpoint
from facekit.nets import FaceNet
from training.augment import augment
from training.batches import CropDataset, MixedBatches, as_is, normalize
from training.data.prepare import Prepared
from training.losses import total_loss
from training.recipe import Recipe
from training.runs import provenance, run_folder
from training.sets import load_sets
from training.validation import score, validate

Callback = Callable[["Loop"], None]


class Loop:
    """One training run.

    Attributes for callbacks:
        recipe, folder, model, ema, accelerator: what trains, and where it is written.
        epoch, step: finished epochs, and steps over all of them.
        losses: the mean loss of every task over the present epoch so far.
        record: the last epoch's line of `log.jsonl`.
    """

    def __init__(self, recipe: Recipe, train: list[Prepared], validation: list[Prepared], folder: Path) -> None:
        self.recipe, self.validation, self.folder = recipe, validation, folder
        self.accelerator = Accelerator(mixed_precision=_precision(recipe.precision))
        set_seed(recipe.seed)
        model = _network(recipe).to(memory_format=torch.channels_last)
        decayed = [p for p in model.parameters() if p.ndim > 1]
        plain = [p for p in model.parameters() if p.ndim <= 1]  # biases and norms are not pulled to zero
        groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)
        self.batches = MixedBatches([len(s) for s in train], [d.batch for d in recipe.data], recipe.steps, recipe.seed)
        loader = DataLoader(CropDataset(train, self._view), batch_sampler=self.batches, collate_fn=as_is)  # type: ignore[arg-type]
        self.model, self.optimizer, self.loader = self.accelerator.prepare(model, optimizer, loader)
        self.ema = AveragedModel(
            self.accelerator.unwrap_model(self.model), multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True
        )
        self.epoch = self.step = 0
        self._random = np.random.default_rng(recipe.seed)
        self.best = -math.inf
        self.record: dict[str, Any] = {}
        self.losses: dict[str, float] = {}
        self.accelerator.register_for_checkpointing(self)
        self._callbacks: dict[str, list[Callback]] = defaultdict(list)

    def add_callback(self, event: str, callback: Callback) -> None:
        """Call `callback(loop)` on "step" (after every update), "epoch" (after validation) and "end"."""
        self._callbacks[event].append(callback)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs beside model, optimizer and random state."""
        return {"epoch": self.epoch, "step": self.step, "best": self.best, "ema": self.ema.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict()`."""
        self.epoch, self.step, self.best = state["epoch"], state["step"], state["best"]
        self.ema.load_state_dict(state["ema"])

    def run(self, *, resume: bool = False) -> Path:
        """Train to the last epoch and return the folder of the best checkpoint by validation score."""
        if resume and (self.folder / "last").is_dir():
            self.accelerator.load_state(str(self.folder / "last"))
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, disable=not self.accelerator.is_main_process) as progress:
            task = progress.add_task(
                self.recipe.name, total=self.recipe.epochs * self.recipe.steps, completed=self.step
            )
            while self.epoch < self.recipe.epochs:
                self._train_epoch(lambda text: progress.update(task, completed=self.step, description=text))
                self._finish_epoch()
        self._call("end")
        return self.folder / "best"

    def _train_epoch(self, show: Callable[[str], None]) -> None:
        recipe = self.recipe
        self.batches.epoch = self.epoch
        self._random = np.random.default_rng([recipe.seed, self.epoch, self.accelerator.process_index])
        sums: dict[str, float] = defaultdict(float)
        self._started = perf_counter()
        self.model.train()
        for i, (views, targets) in enumerate(self.loader, 1):
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(recipe, self.step)
            x = normalize(views, self.accelerator.device)  # (B, 3, h, w)
            with self.accelerator.autocast():
                logits = self.model(x)
            losses = total_loss(logits, targets, recipe.losses)
            loss = torch.stack(list(losses.values())).sum()
            if not torch.isfinite(loss):
                raise FloatingPointError(
                    f"The loss is {float(loss)} at step {self.step}: lower learning_rate and start again."
                )
            self.accelerator.backward(loss)
            self.accelerator.clip_grad_norm_(self.model.parameters(), 5.0)
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.ema.update_parameters(self.accelerator.unwrap_model(self.model))
            self.step += 1
            for task, value in losses.items():
                sums[task] += float(value.detach())
            self.losses = {task: value / i for task, value in sums.items()}
            show(f"epoch {self.epoch + 1}/{recipe.epochs}  loss {sum(self.losses.values()):.3f}")
            self._call("step")

    def _view(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return augment(crop, view_size(self.recipe, self.epoch), self.recipe.augment, self._random)

    def _finish_epoch(self) -> None:
        """Validate the averaged weights, keep them if they are the best, and save what a resume needs."""
        self.epoch += 1
        seconds = perf_counter() - self._started
        model = self.ema.module
        figures = validate(model, self.validation, view_size(self.recipe, self.epoch - 1), self.accelerator.device)
        self.record = {
            "epoch": self.epoch,
            "step": self.step,
            "learning_rate": learning_rate(self.recipe, self.step - 1),
            "loss": self.losses,
            "validation": figures,
            "score": score(figures),
            "seconds": round(seconds, 1),
        }
        if self.accelerator.is_main_process:
            with (self.folder / "log.jsonl").open("a") as file:
                file.write(json.dumps(self.record) + "\n")
            at_full_size = view_size(self.recipe, self.epoch - 1) == view_size(self.recipe, self.recipe.epochs)
            if at_full_size and self.record["score"] > self.best:
                self.best = self.record["score"]
                config = CheckpointConfig(
                    description=self.recipe.description,
                    network=self.recipe.network,
                    input_size=view_size(self.recipe, self.recipe.epochs),
                    training={**provenance(self.recipe), "epoch": self.epoch},
                )
                write_checkpoint(self.folder / "best", model, config)
        self.accelerator.save_state(str(self.folder / "last"))
        self._call("epoch")

    def _call(self, event: str) -> None:
        for callback in self._callbacks[event]:
            callback(self)


def fit(recipe: Recipe, *, resume: bool = False) -> Path:
    """Prepare the data, train, calibrate on validation, and return the folder of the finished checkpoint.

    Args:
        resume: go on in the newest run folder of this recipe from its last whole epoch.
    """
    from training.calibrate import calibrate_checkpoint

    train, validation = load_sets(recipe)
    loop = Loop(recipe, train, validation, run_folder(recipe, resume=resume))
    best = loop.run(resume=resume)
    if loop.accelerator.is_main_process:
        calibrate_checkpoint(best, validation, half=True)
    return best


def learning_rate(recipe: Recipe, step: int) -> float:
    """Warm up, hold, then fall linearly to zero."""
    total = recipe.epochs * recipe.steps
    rising = min(1.0, (step + 1) / max(1, recipe.warmup))
    falling = min(1.0, (total - step) / max(1.0, recipe.decay * total))
    return recipe.learning_rate * min(rising, falling)


def view_size(recipe: Recipe, epoch: int) -> tuple[int, int]:
    """Width and height of the pictures trained on in an epoch, in pixels."""
    share = [share for first, share in recipe.sizes if first <= epoch][-1]
    return round(CROP_SIZE[0] * share), round(CROP_SIZE[1] * share)


def _network(recipe: Recipe) -> FaceNet:
    model = FaceNet(**recipe.network.model_dump())
    if recipe.init is not None:
        model.load_state_dict(read_checkpoint(find_checkpoint(recipe.init)).model.state_dict())
    return model


def _precision(wanted: str) -> str:
    """ "auto" is bfloat16 where the hardware multiplies it, else float32, which is then faster."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    return "bf16" if torch.cpu._is_amx_tile_supported() else "no"
