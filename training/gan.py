"""The GAN loop: read it from top to bottom. The step itself is `facekit.gan`'s."""

import json
import math
import shutil
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
import torch
from accelerate import Accelerator, DataLoaderConfiguration
from accelerate.utils import set_seed
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.utils import make_grid

from facekit.errors import RecipeError, TrainingError
from facekit.gan import Gan
from facekit.generate import FaceGenerator
from facekit.growth import TRAINING_FILE
from facekit.labels import ATTRIBUTES
from facekit.nets.dcgan import (
    DcganDiscriminator,
    DcganGenerator,
    Discriminator,
    Generator,
    PublishedDiscriminator,
    PublishedGenerator,
)
from facekit.portraits import portrait
from training.augment import Strength
from training.batches import CropDataset, MixedBatches, as_is
from training.data.prepare import MARGIN, Prepared
from training.diversity import PIPELINE, Judge
from training.precision import precision
from training.recipe import GanRecipe
from training.runs import SPLITS, provenance, run_folder
from training.sets import load_sets, training_strata, write_splits
from training.state import keep_records, load_state, save_state, saved_state, whole_folder

SHEETS: Final = "epochs"
"""The folder of a run with a picture of the same latents for every epoch, `0000.png` before the first."""

GAP: Final = 2
"""Pixels between the faces of a sheet, and around them."""

_FRAME_SECONDS = 0.4


class FacePictures(CropDataset):
    """Square pictures of faces (B, 3, S, S) uint8, the middle of the canonical crop, half of them mirrored."""

    def __init__(self, sets: list[Prepared], seed: int, size: int) -> None:
        super().__init__(sets, Strength.none(), seed, (size, size))
        self.squares = [
            np.stack([portrait(crop[MARGIN:-MARGIN, MARGIN:-MARGIN], size) for crop in part.crops]) for part in sets
        ]

    def views(self, found: list[tuple[int, int]], draws: list[tuple[int, int]]) -> Tensor:
        """The pictures at `found`, (set, row) pairs; half of them mirrored, as each draw decides."""
        mirrored = [np.random.default_rng([self.seed, *draw]).random() < 0.5 for draw in draws]
        views = [self.squares[p][row][:, :: -1 if turn else 1] for (p, row), turn in zip(found, mirrored, strict=True)]
        return torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2)


class GanLoop:
    """One run: its networks, its batches, and what it keeps.

    Attributes:
        gan: the two networks and their step.
        latents, chosen: what the pictures of `SHEETS` are drawn from, (shown, latent) and (shown, K) 0 or 1.
        epoch, step: finished epochs, and steps over all of them.
        record: the last epoch's line of `log.jsonl`.
        judge: puts each epoch's diversity into figures for that line; None for none.
    """

    def __init__(self, recipe: GanRecipe, train: list[Prepared], folder: Path, judge: Judge | None = None) -> None:
        self.recipe, self.folder, self.judge = recipe, folder, judge
        self.accelerator = Accelerator(
            mixed_precision=precision(recipe.precision), dataloader_config=DataLoaderConfiguration(split_batches=True)
        )
        if self.accelerator.num_processes > 1:
            raise RecipeError(f"Recipe {recipe.name} trains in one process: start it without `accelerate launch`.")
        set_seed(recipe.seed)
        train = [part.subset(part.found) for part in train]  # what is no face would be learned as one
        self.pictures = FacePictures(train, recipe.seed, recipe.size)
        self.columns = [ATTRIBUTES.index(name) for name in recipe.attributes]
        known = np.concatenate([targets["attributes"][:, self.columns] for targets in self.pictures.targets])
        generator, discriminator = networks(recipe, known)
        device = self.accelerator.device
        self.gan = Gan(
            generator.to(device, memory_format=torch.channels_last),
            discriminator.to(device, memory_format=torch.channels_last),
            recipe.settings,
            latent=generator.latent,
            shares=torch.from_numpy(known.mean(0)).to(device) if recipe.attributes else None,
            seed=recipe.seed,
            backward=self.accelerator.backward,
        )
        strata = map(training_strata, recipe.data, train)
        starts = self.pictures.starts
        rows = [[start + part for part in parts] for start, parts in zip(starts[:-1], strata, strict=True)]
        counts = [part.batch for part in recipe.data]
        steps = recipe.steps or max(1, len(train[0]) // counts[0])
        updates = recipe.settings.discriminator_steps + recipe.settings.unrolled  # a batch for each
        self.batches = MixedBatches(rows, counts, steps * updates, recipe.seed)
        loader = DataLoader(self.pictures, batch_sampler=self.batches, collate_fn=as_is)  # type: ignore[arg-type]
        prepared = self.accelerator.prepare(
            self.gan.generator,
            self.gan.discriminator,
            self.gan.generator_optimizer,
            self.gan.discriminator_optimizer,
            loader,
        )
        self.gan.generator, self.gan.discriminator = prepared[:2]
        self.gan.generator_optimizer, self.gan.discriminator_optimizer, self.loader = prepared[2:]
        self.steps, self.epoch, self.step = steps, 0, 0
        self.latents = torch.randn(recipe.shown, generator.latent, generator=torch.Generator().manual_seed(recipe.seed))
        picked = np.random.default_rng(recipe.seed).integers(len(known), size=recipe.shown)
        self.chosen = torch.from_numpy(known[picked])
        self.record: dict[str, Any] = {}
        self.accelerator.register_for_checkpointing(self)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs beside networks, optimizers and random state."""
        kept = {name: getattr(self, name) for name in ("epoch", "step")}
        return kept | {"average": self.gan.average.state_dict(), "random": self.gan.random.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict()`."""
        self.epoch, self.step = state["epoch"], state["step"]
        self.gan.average.load_state_dict(state["average"])
        self.gan.random.set_state(state["random"])

    def run(self, *, resume: bool = False) -> Path:
        """Train to the last epoch and return the folder of the generator.

        Raises:
            TrainingError: a loss is not finite, or the disk is full; what was saved before is whole.
        """
        if resume:
            load_state(self.accelerator, self.folder)
            keep_records(self.folder, self.epoch)
        else:
            self._draw_sheet()
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:  # stdout is for the checkpoint's folder
            task = progress.add_task(self.recipe.name, total=self.recipe.epochs * self.steps, completed=self.step)
            while self.epoch < self.recipe.epochs:
                self._train_epoch(lambda text: progress.update(task, completed=self.step, description=text))
        self._write_timeline()
        return self.folder / PIPELINE

    def _train_epoch(self, show: Any) -> None:
        self.batches.epoch = self.epoch
        started, sums = perf_counter(), dict[str, float]()
        stream = iter(self.loader)
        self.gan.generator.train()
        self.gan.discriminator.train()
        for _ in range(self.steps):
            figures = self.gan.step(lambda: self.real(*next(stream)))
            self.step += 1
            if not all(np.isfinite(list(figures.values()))):
                raise TrainingError(
                    f"A loss is not finite at step {self.step}: lower settings.generator_rate and "
                    "settings.discriminator_rate, and start again without --resume."
                )
            sums = {name: sums.get(name, 0.0) + value for name, value in figures.items()}
            show(f"epoch {self.epoch + 1}/{self.recipe.epochs}  D {figures['discriminator']:.2f}")
        self.epoch += 1
        seconds = perf_counter() - started
        self.record = {
            "epoch": self.epoch,
            "step": self.step,
            **{name: round(value / self.steps, 5) for name, value in sums.items()},
            "seconds": round(seconds, 3),
            "steps_per_second": round(self.steps / seconds, 3),
        }
        if self.judge is not None:
            self.record |= self.judge(self._pipeline())
        self._draw_sheet()
        save_state(self.accelerator, self.folder, self.record, self._write_generator)

    def real(self, views: Tensor, targets: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """What the loader gives as a batch of `Gan`: pictures and the attributes of the recipe."""
        return self.pictures.to_input(views, self.accelerator.device), targets["attributes"][:, self.columns]

    def _pipeline(self) -> FaceGenerator:
        return FaceGenerator(self.accelerator.unwrap_model(self.gan.drawing).eval())

    def _write_generator(self) -> None:
        kept = [f"epoch-{self.epoch:04d}"] if self.epoch in self.recipe.snapshots else []
        made = provenance(self.recipe, self.folder) | {"epoch": self.epoch}
        for name in (PIPELINE, *kept):
            write_pipeline(self.folder / name, self._pipeline(), made)

    def _draw_sheet(self) -> None:
        sheet = Image.fromarray(contact_sheet(self._pipeline().draw(self.latents, self.chosen)))
        try:
            (self.folder / SHEETS).mkdir(parents=True, exist_ok=True)
            sheet.save(self.folder / SHEETS / f"{self.epoch:04d}.png")
        except OSError as error:
            raise TrainingError(
                f"Cannot draw epoch {self.epoch} in {self.folder} ({error}): make room there."
            ) from None

    def _write_timeline(self) -> None:
        """All sheets one after the other, as an animated WebP."""
        first, *others = [Image.open(path) for path in sorted((self.folder / SHEETS).glob("*.png"))]
        first.save(
            self.folder / "timeline.webp",
            save_all=True,
            append_images=others,
            duration=[round(1000 * _FRAME_SECONDS)] * len(others) + [4000],
            loop=0,
            quality=80,
        )


def fit(recipe: GanRecipe, *, resume: bool = False) -> Path:
    """Prepare the data, train, and return the folder of the finished generator.

    Args:
        resume: go on in the newest run folder of this recipe from its last whole epoch.
    """
    train, validation = load_sets(recipe)
    judge = Judge(validation, recipe.size, recipe.judged, recipe.seed) if recipe.judged else None
    folder = run_folder(recipe, resume=resume)
    try:
        loop = GanLoop(recipe, train, folder, judge)
    except BaseException:
        if saved_state(folder) is None:
            shutil.rmtree(folder)  # nothing was learned in it
        raise
    write_splits(folder / SPLITS, recipe, loop.pictures.sets, validation)
    return loop.run(resume=resume)


def networks(recipe: GanRecipe, known: NDArray[np.float32]) -> tuple[Generator, Discriminator]:
    """The two networks of a recipe with freshly initialised weights.

    Args:
        known: (N, K) attributes of the training pictures, 0 or 1, by which the generator draws what is not chosen.

    Raises:
        RecipeError: they cannot be built with these settings.
    """
    if recipe.architecture == "published":
        if recipe.size != 64 or recipe.attributes or recipe.generator or recipe.discriminator:
            raise RecipeError(f"Recipe {recipe.name}: the published pair has 64 pixels, and nothing to set or choose.")
        return PublishedGenerator(), PublishedDiscriminator()
    combinations = []
    if recipe.attributes:
        if np.isnan(known).any():
            raise RecipeError("Field attributes: the training pictures do not say all of them.")
        rows, counts = np.unique(known, axis=0, return_counts=True)
        combinations = [
            [*map(int, row), round(count / len(known), 5)] for row, count in zip(rows, counts.tolist(), strict=True)
        ]
    shared = {"size": recipe.size, "attributes": list(recipe.attributes)}
    try:
        return (
            DcganGenerator(**recipe.generator, **shared, combinations=combinations),
            DcganDiscriminator(**recipe.discriminator, **shared),
        )
    except (TypeError, ValueError, RuntimeError) as error:
        raise RecipeError(f"Recipe {recipe.name}: its networks cannot be built: {error}.") from None


def write_pipeline(folder: Path, pipeline: FaceGenerator, made: dict[str, Any]) -> None:
    """Save a generator and how it was made, see `provenance`; the folder is complete or not there at all."""
    with whole_folder(folder) as part:
        pipeline.save_pretrained(part)
        (part / TRAINING_FILE).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


def contact_sheet(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, S, S, 3) pictures as one, in rows of about as many as there are rows."""
    columns = math.ceil(math.sqrt(len(pictures)))
    stack = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    return make_grid(stack, nrow=columns, padding=GAP, pad_value=255).permute(1, 2, 0).numpy()
