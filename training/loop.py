"""The classifier loop: read it from top to bottom. Monitors hang on `add_callback`, the only extension point."""

import math
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, DataLoaderConfiguration, PartialState
from accelerate.utils import broadcast_object_list, set_seed
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.utils.data import DataLoader

from facekit.checkpoints import CheckpointConfig, write_checkpoint
from facekit.ema import moving_average
from facekit.errors import RecipeError, TrainingError
from facekit.hub import find_checkpoint
from facekit.nets.heads import PlainNet
from training.batches import CropDataset, MixedBatches, as_is
from training.data.prepare import Prepared
from training.frozen import MapDataset, Rest, cached_depth
from training.losses import Criterion
from training.network import build_network, check_sizes, last_size, parent_of, view_size
from training.optimizer import (
    add_variances,
    build_optimizer,
    learning_rate,
    matched,
    set_learning_rate,
    weight_penalty,
)
from training.precision import precision
from training.recipe import FROM_RECIPE, SMALL, Recipe, load_recipe
from training.runs import SPLITS, finished_run, out_of_patience, provenance, run_folder
from training.sets import fitted_to, load_sets, training_strata, write_splits
from training.state import keep_records, load_state, save_state, saved_state
from training.teacher import teacher_targets
from training.validation import check_labels, score_of, validate

Callback = Callable[["Loop"], None]

_LOOK = 10  # steps between two looks at the loss: each makes a GPU wait for the CPU


class Loop:
    """One training run, in one process or as one of several that `accelerate launch` started.

    Attributes for callbacks:
        recipe, folder, network, model, ema, accelerator: what trains, and where it is written. `model` is the network,
            or what follows its frozen layers, wrapped for several processes.
        epoch, step: finished epochs, and steps over all of them.
        losses: the mean loss of every task over the present epoch, as of the last look at it, and the weights' penalty.
        record: the last epoch's line of `log.jsonl`.
        parent: the commit on the Hub that the weights began with, see `network.parent_of`.
    """

    def __init__(self, recipe: Recipe, train: list[Prepared], validation: list[Prepared], folder: Path) -> None:
        recipe = fitted_to(recipe, train)
        self.recipe, self.validation, self.folder = recipe, validation, folder
        self.accelerator = Accelerator(
            mixed_precision=precision(recipe.precision),
            gradient_accumulation_steps=recipe.accumulate,
            dataloader_config=DataLoaderConfiguration(split_batches=True),  # a recipe's batch is that of all processes
        )
        if recipe.batch_size % self.accelerator.num_processes:
            raise RecipeError(
                f"Field data: {self.accelerator.num_processes} processes cannot share a batch of {recipe.batch_size} "
                "pictures evenly; change a `batch`."
            )
        set_seed(recipe.seed)
        device = self.accelerator.device
        start = None if recipe.init is None else find_checkpoint(recipe.init)
        self.parent = parent_of(recipe, start)
        self.network = model = build_network(recipe, start).to(device).to(memory_format=torch.channels_last)
        check_sizes(model, recipe)
        optimizer = build_optimizer(model, recipe)
        self.penalized = matched(model, recipe.optimizer.l2, "l2")
        pictures = (train, recipe.augment, recipe.seed, view_size(recipe, 0))
        trained: torch.nn.Module = model
        count = sum(map(len, train))
        if isinstance(model, PlainNet) and (depth := cached_depth(model, recipe, view_size(recipe, 0), count)):
            self.pictures: CropDataset = MapDataset(*pictures, model, depth, device)
            trained = Rest(model, depth)
        else:
            self.pictures = CropDataset(*pictures)
        with PartialState().main_process_first():  # one process asks the teacher, the others find its answers
            answers = teacher_targets(recipe, train, device)
        for targets, answer in zip(self.pictures.targets, answers, strict=True):
            targets |= answer
        check_labels(recipe, self.pictures.targets, validation)
        attributes = np.concatenate([targets["attributes"] for targets in self.pictures.targets])
        self.criterion = Criterion(recipe.tasks, recipe.losses, attributes).to(device)
        if recipe.losses.uncertainty:
            add_variances(optimizer, self.criterion, recipe)
        starts = self.pictures.starts
        strata = map(training_strata, recipe.data, train)
        rows = [[start + part for part in parts] for start, parts in zip(starts[:-1], strata, strict=True)]
        counts = [part.batch for part in recipe.data]
        self.batches = MixedBatches(rows, counts, recipe.steps * recipe.accumulate, recipe.seed)
        loader = DataLoader(
            self.pictures,
            batch_sampler=self.batches,  # type: ignore[arg-type]
            collate_fn=as_is,
            num_workers=_workers(recipe, self.accelerator),
            pin_memory=device.type == "cuda",
        )
        self.model, self.optimizer, self.loader = self.accelerator.prepare(trained, optimizer, loader)
        self.ema = moving_average(self.network, lambda: recipe.ema)
        self.epoch = self.step = self.best_epoch = 0
        self.best = -math.inf
        self.record: dict[str, Any] = {}
        self.losses: dict[str, float] = {}
        self.accelerator.register_for_checkpointing(self)
        self._callbacks: dict[str, list[Callback]] = defaultdict(list)

    def add_callback(self, event: str, callback: Callback) -> None:
        """Call `callback(loop)` on "step" (after every update), "validated", "epoch" (once it is saved) and "end".

        "validated" is called in the main process alone; it may add to `record` before that is saved.
        """
        self._callbacks[event].append(callback)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs beside model, optimizer and random state."""
        kept = ("epoch", "step", "best", "best_epoch", "parent")
        modules = {"ema": self.ema.state_dict(), "criterion": self.criterion.state_dict()}
        return {name: getattr(self, name) for name in kept} | modules

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict()`."""
        self.ema.load_state_dict(state.pop("ema"))
        self.criterion.load_state_dict(state.pop("criterion"))
        for name, value in state.items():
            setattr(self, name, value)

    def run(self, *, resume: bool = False) -> Path:
        """Train to the last epoch, or until validation stops getting better, and return the best checkpoint's folder.

        Raises:
            TrainingError: the loss is not finite, or memory or disk are full; what was saved before is whole.
        """
        if resume:
            load_state(self.accelerator, self.folder)
            if self.accelerator.is_main_process:
                keep_records(self.folder, self.epoch)
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        screen = Console(stderr=True)  # stdout is for the checkpoint's folder
        with Progress(*columns, console=screen, disable=not self.accelerator.is_main_process) as progress:
            task = progress.add_task(
                self.recipe.name, total=self.recipe.epochs * self.recipe.steps, completed=self.step
            )
            recipe = self.recipe
            while self.epoch < recipe.epochs and not out_of_patience(recipe, self.epoch, self.best_epoch):
                self._train_epoch(lambda text: progress.update(task, completed=self.step, description=text))
                self._finish_epoch()
        self._call("end")
        return self.folder / "best"

    def _train_epoch(self, show: Callable[[str], None]) -> None:
        recipe = self.recipe
        self.batches.epoch, self.pictures.size = self.epoch, view_size(recipe, self.epoch)
        sums: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), device=self.accelerator.device))
        self._started = fetching = perf_counter()
        self._waited = 0.0
        train_mode(self.model)
        for i, (views, targets) in enumerate(self.loader, 1):
            self._waited += perf_counter() - fetching
            set_learning_rate(self.optimizer, learning_rate(recipe, self.step))
            with self.accelerator.accumulate(self.model), _out_of_memory(recipe):
                x = self.pictures.to_input(views, self.accelerator.device)  # (B, 3, h, w), or maps
                with self.accelerator.autocast():
                    logits = self.model(x)
                losses = self.criterion(logits, targets) | weight_penalty(self.network, self.penalized)
                self.accelerator.backward(torch.stack(list(losses.values())).sum())
                for variance in self.criterion.log_variances.values():  # not in the model, so nobody averages them
                    if variance.grad is not None:
                        variance.grad = self.accelerator.reduce(variance.grad, "mean")
                if self.accelerator.sync_gradients and recipe.optimizer.clip is not None:
                    self.accelerator.clip_grad_norm_(self.model.parameters(), recipe.optimizer.clip)
                self.optimizer.step()
                self.optimizer.zero_grad()
            for task, value in losses.items():
                sums[task] += value.detach()
            if self.accelerator.sync_gradients:
                self.ema.update_parameters(self.network)
                self.step += 1
                if i % (_LOOK * recipe.accumulate) == 0 or i == len(self.batches):
                    self._look({task: float(value) / i for task, value in sums.items()})
                    show(f"epoch {self.epoch + 1}/{recipe.epochs}  loss {sum(self.losses.values()):.3f}")
                self._call("step")
            fetching = perf_counter()

    def _look(self, losses: dict[str, float]) -> None:
        """Take note of the losses.

        Raises:
            TrainingError: one is not finite.
        """
        self.losses = losses
        self._check_finite({f"loss of {task}": value for task, value in losses.items()})

    def _check_finite(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            if not math.isfinite(value):
                start = f", from epoch {self.best_epoch} by init={self.folder / 'best'}" if self.best_epoch else ""
                raise TrainingError(
                    f"The {name} is {value} at step {self.step}: lower learning_rate "
                    f"({self.recipe.learning_rate:g}) and start again{start}."
                )

    def _finish_epoch(self) -> None:
        """Validate the averaged weights, keep them if they are the best, and save what a resume needs.

        Raises:
            TrainingError: they are not fit to be saved, or cannot be.
        """
        seconds = perf_counter() - self._started
        self.epoch += 1
        if self.accelerator.is_main_process:
            self.record = self._measure(seconds)
        self.record = broadcast_object_list([self.record])[0]
        score, losses = self.record["score"], self.record["validation_loss"]
        self._check_finite({f"validation loss of {task}": value for task, value in losses.items()})
        self._check_finite({"validation score": score})
        merit = score if self.recipe.best_by == "score" else -sum(losses.values())
        better = view_size(self.recipe, self.epoch - 1) == last_size(self.recipe) and merit > self.best
        if better:
            self.best, self.best_epoch = merit, self.epoch
        self.record["best_epoch"] = self.best_epoch
        if self.accelerator.is_main_process:
            self._call("validated")
        save_state(self.accelerator, self.folder, self.record, self._write_best if better else None)
        self._call("epoch")

    def _measure(self, seconds: float) -> dict[str, Any]:
        """This epoch's line of the log."""
        size = view_size(self.recipe, self.epoch - 1)
        device = self.accelerator.device
        figures, losses = validate(self.ema.module, self.criterion, self.validation, size, device)
        penalty = weight_penalty(self.ema.module, self.penalized)
        losses |= {name: round(value.item(), 6) for name, value in penalty.items()}
        learned = {"learned_weights": self.criterion.learned_weights()} if self.recipe.losses.uncertainty else {}
        return {
            "epoch": self.epoch,
            "step": self.step,
            "learning_rate": learning_rate(self.recipe, self.step - 1),
            "loss": self.losses,
            "validation": figures,
            "validation_loss": losses,
            "score": score_of(figures),
            "seconds": round(seconds, 3),
            "pictures_per_second": round(len(self.batches) * self.recipe.batch_size / seconds, 1),
            "waiting": round(self._waited / seconds, 4),
            **learned,
        }

    def _write_best(self) -> None:
        config = CheckpointConfig(
            description=self.recipe.description,
            architecture=self.recipe.architecture,
            network=self.recipe.network,
            tasks=self.recipe.tasks,
            framing=self.recipe.framing,
            input_size=last_size(self.recipe),
            training={**provenance(self.recipe, self.folder), **self.parent, "epoch": self.epoch},
        )
        write_checkpoint(self.folder / "best", self.ema.module, config)

    def _call(self, event: str) -> None:
        for callback in self._callbacks[event]:
            callback(self)


def fit(recipe: Recipe, *, resume: bool = False, track: bool = False) -> Path:
    """Prepare the data, train, calibrate on validation, and return the folder of the finished checkpoint.

    Args:
        resume: go on in the newest run folder of this recipe from its last whole epoch, and so with the recipe that it
            starts from.
        track: draw live curves, which `training.curves.watch` shows.
    """
    from training.calibrate import calibrate_checkpoint
    from training.curves import add_curves
    from training.monitors import add_alarms

    recipe = _with_start(recipe, resume=resume)
    state = PartialState()
    with state.main_process_first():  # one process crops, the others find the crops
        train, validation = load_sets(recipe)
    folder = broadcast_object_list([run_folder(recipe, resume=resume) if state.is_main_process else None])[0]
    try:
        loop = Loop(recipe, train, validation, folder)
    except BaseException:
        if state.is_main_process and saved_state(folder) is None:
            shutil.rmtree(folder)  # nothing was learned in it
        raise
    if state.is_main_process:
        write_splits(folder / SPLITS, recipe, train, validation)
    add_alarms(loop)
    if track:
        add_curves(loop)
    best = loop.run(resume=resume)
    if state.is_main_process:
        calibrate_checkpoint(best, recipe, train, validation, half=True)
    return best


def train_mode(model: torch.nn.Module) -> None:
    """Training mode, but for frozen batch norms, which keep their statistics as well."""
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d) and not module.weight.requires_grad:
            module.eval()


def _with_start(recipe: Recipe, *, resume: bool) -> Recipe:
    """`init: recipe:NAME` as the checkpoint of that recipe's newest finished run; without one it is run first.

    Args:
        resume: go on with its run that was stopped, if there is one.
    """
    if recipe.init is None or not recipe.init.startswith(FROM_RECIPE):
        return recipe
    first = load_recipe(recipe.init.removeprefix(FROM_RECIPE), small=recipe.name.endswith(SMALL))
    shared = ("data_root", "cache", "runs", "precision", "workers")
    first = first.model_copy(update={field: getattr(recipe, field) for field in shared})
    return recipe.model_copy(update={"init": str(finished_run(first) or fit(first, resume=resume))})


def _workers(recipe: Recipe, accelerator: Accelerator) -> int:
    if recipe.workers is not None:
        return recipe.workers
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 0 if accelerator.device.type == "cpu" else max(0, min(16, cores // accelerator.num_processes - 1))


@contextmanager
def _out_of_memory(recipe: Recipe) -> Iterator[None]:
    """Say which batch to try where memory runs out."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        full = isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)
        if not full:
            raise
        half = {part.path: max(1, part.batch // 2) for part in recipe.data}
        raise TrainingError(
            f"Out of memory with {recipe.batch_size} pictures a batch: halve every `batch` under data "
            f"({', '.join(f'{path} {batch}' for path, batch in half.items())}) and set "
            f"accumulate={2 * recipe.accumulate}."
        ) from None
