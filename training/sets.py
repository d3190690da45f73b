"""The prepared training and validation sets of a recipe."""

import json
import math
import os
import warnings
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from facekit.align import FRAMINGS
from facekit.errors import DataError, RecipeError
from facekit.labels import ATTRIBUTES
from facekit.tasks import CombinationsTask, IdentityTask, Task
from training.batches import people, training_targets
from training.data import DataWarning, Source, hold_out, open_source, splits_of, subset, without_copies, without_repeats
from training.data.balance import balanced_rows, strata
from training.data.hub import is_address
from training.data.prepare import Prepared, prepare
from training.losses import combination_shares
from training.recipe import DataSet, Recipe, RunRecipe
from training.records import write_text


def load_sets(recipe: RunRecipe) -> tuple[list[Prepared], list[Prepared]]:
    """Crops of every data set of `recipe`: training sets in the recipe's order, and validation sets.

    A set without a validation split lends a share of its training pictures (`hold_out`), the same ones in every run.
    Exact copies of validation or test pictures are not trained on, nor are pictures twice, and copies of test pictures
    are not validated on. Warnings count them, and people who are both trained on and measured with; nothing else of a
    test split is read.

    Raises:
        DataError: a data set is missing or cannot be read, or lacks the labels that it is to be balanced by.
    """
    train, validation = [], []
    for part in recipe.data:
        path = place_of(recipe, part)
        fitted = open_source(path, "train")
        if part.hold_out:
            fitted, held = hold_out(fitted, part.hold_out)
        else:
            held = open_source(path, "validation")
        fitted, held = _limited(fitted, held, part.limit)
        test = _test(path)
        held = without_copies(held, test, "copies of test pictures")
        fitted = without_repeats(without_copies(fitted, [held, *test]))
        _warn_of_shared_people(fitted, [held, *test])
        train.append(_known_well(_prepare(recipe, part, fitted, "train"), part.photos_per_person))
        shown = _prepare(recipe, part, held, "validation")
        if part.balance or part.validation_count:
            rows = balanced_rows(shown.labels, part.balance, part.validation_count)
            shown = shown.subset(np.isin(np.arange(len(shown)), rows))
        validation.append(shown)
    return train, validation


def place_of(recipe: RunRecipe, part: DataSet) -> Path:
    """What `open_source` takes for a data set of a recipe: its file or folder, or its address on the Hub."""
    return Path(part.path) if is_address(part.path) else Path(recipe.data_root) / part.path


def load_test(recipe: RunRecipe, part: DataSet) -> tuple[Source, Prepared] | None:
    """The whole test split of one data set and its crops; None where it has none.

    Raises:
        DataError: it cannot be read.
    """
    path = place_of(recipe, part)
    if "test" not in splits_of(path):
        return None
    source = open_source(path, "test")
    return source, _prepare(recipe, part.model_copy(update={"limit": None}), source, "test")


def training_strata(part: DataSet, prepared: Prepared) -> list[NDArray[np.int64]]:
    """The rows of a set to draw from in turn: of each combination of labels where it is balanced, else all together."""
    rows = balanced_rows(prepared.labels, part.balance, part.count) if part.count else np.arange(len(prepared))
    labels = {key: values[rows] for key, values in prepared.labels.items()}
    return [rows[inside] for inside in strata(labels, part.balance).values()]


def fitted_to(recipe: Recipe, train: list[Prepared]) -> Recipe:
    """The recipe with the tasks that its training pictures give: as many people, and no negligible combinations.

    Raises:
        RecipeError: a task has fewer than two combinations or people left.
    """
    attributes = np.concatenate([training_targets(part)["attributes"] for part in train])
    tasks: dict[str, Task] = {}
    for head, task in recipe.tasks.items():
        try:
            if isinstance(task, IdentityTask):
                task = IdentityTask(people=sum(map(len, people(train))))
            elif isinstance(task, CombinationsTask) and recipe.negligible:
                shares = combination_shares(torch.from_numpy(attributes), task).nanmean(0)
                kept = [one for one, share in zip(task.combinations, shares, strict=True) if share >= recipe.negligible]
                task = CombinationsTask(names=task.names, combinations=tuple(kept))
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise RecipeError(
                f"Field tasks.{head}: the training pictures leave too little to tell ({reason})."
            ) from None
        tasks[head] = task
    return recipe.model_copy(update={"tasks": tasks})


def _known_well(prepared: Prepared, photos: int | None) -> Prepared:
    """Without the pictures of people of whom there are fewer than `photos`.

    Raises:
        DataError: the set names no people, or nobody is left.
    """
    if photos is None:
        return prepared
    if "identity" not in prepared.labels:
        raise DataError(f"{prepared.name} does not say who is who: leave out photos_per_person.")
    _, person, count = np.unique(prepared.labels["identity"], return_inverse=True, return_counts=True)
    kept = (count[person] >= photos) & (prepared.labels["identity"] >= 0)
    if not kept.any():
        raise DataError(f"{prepared.name} has {photos} photos of nobody: lower photos_per_person.")
    return prepared.subset(kept)


def write_splits(file: Path, recipe: RunRecipe, train: list[Prepared], validation: list[Prepared]) -> None:
    """Say in JSON which pictures a run trains and is validated on, a line a set and split.

    Each has "set", "split", "pictures", their number, "sha256", of the sorted file names with a line feed after each,
    "files", these names, and "shares", of those with a face: attribute to the share that is labelled with it.
    """
    entries = []
    for part, fitted, held in zip(recipe.data, train, validation, strict=True):
        drawn = np.concatenate(training_strata(part, fitted))
        for split, prepared, rows in (("train", fitted, drawn), ("validation", held, np.arange(len(held)))):
            files = sorted(prepared.labels["file"][rows].tolist())
            digest = sha256("".join(f"{name}\n" for name in files).encode()).hexdigest()
            entry = {"set": part.path, "split": split, "pictures": len(files), "sha256": digest, "files": files}
            entries.append(entry | {"shares": _shares(prepared, rows)})
    lines = (json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in entries)
    write_text(file, "[\n" + ",\n".join(lines) + "\n]\n")


def _shares(prepared: Prepared, rows: NDArray[np.int64]) -> dict[str, float]:
    """Attribute to its share in [0, 1] of the pictures at `rows` with a face; those that all are labelled for."""
    labels = prepared.labels.get("attributes")
    rows = rows[prepared.found[rows]]
    if labels is None or not len(rows):
        return {}
    means = zip(ATTRIBUTES, labels[rows].mean(0).tolist(), strict=True)
    return {name: round(mean, 5) for name, mean in means if not math.isnan(mean)}


def _test(path: Path) -> list[Source]:
    """The test split; none where there is none, or where it has not been unpacked."""
    if "test" not in splits_of(path):
        return []
    try:
        return [open_source(path, "test")]
    except DataError:
        return []


def _warn_of_shared_people(fitted: Source, measured: list[Source]) -> None:
    """Say once how many people are on pictures to train on and on pictures to measure with."""
    known = [set(part.labels.get("identity", np.empty(0, np.int64)).tolist()) - {-1} for part in (fitted, *measured)]
    if shared := known[0] & set().union(*known[1:]):
        warnings.warn(
            f"{len(shared)} of the {len(known[0])} people that {fitted.name} trains on are also in its validation or "
            "test pictures, which flatters the figures: give every split its own people, as hold_out does for "
            "validation.",
            DataWarning,
            stacklevel=3,
        )


def _limited(fitted: Source, held: Source, limit: int | None) -> tuple[Source, Source]:
    """At most `limit` pictures of both together, chosen at random but always the same."""
    total = len(fitted) + len(held)
    if limit is None or limit >= total:
        return fitted, held
    chosen = np.sort(np.random.default_rng(0).permutation(total)[:limit])
    return subset(fitted, chosen[chosen < len(fitted)]), subset(held, chosen[chosen >= len(fitted)] - len(fitted))


def _prepare(recipe: RunRecipe, part: DataSet, source: Source, split: str) -> Prepared:
    """The crops, from a folder whose name says how they were made, and of which of several sets with the same name."""
    detector = "" if recipe.detector == "mtcnn" else f"-{recipe.detector}"
    framing = "" if recipe.framing == "face" else f"-{recipe.framing}"
    limit = "" if part.limit is None else f"-{part.limit}"
    place = part.path if is_address(part.path) else place_of(recipe, part).resolve()
    which = sha256(os.fsencode(place)).hexdigest()[:8]
    folder = Path(recipe.cache) / f"{Path(part.path).name}-{which}{detector}{framing}{limit}" / split
    return prepare(source, folder, detector=recipe.detector, framing=FRAMINGS[recipe.framing])
