"""What a recipe's tasks and sets become with the pictures at hand."""

from pathlib import Path

import numpy as np
import pytest
import torch

from facekit.errors import DataError, RecipeError
from facekit.labels import ATTRIBUTES
from facekit.tasks import CombinationsTask, IdentityTask
from tests.training.test_loop import tiny
from training.batches import CropDataset, people
from training.data.prepare import Prepared
from training.losses import Criterion
from training.recipe import Recipe
from training.sets import _known_well, fitted_to
from training.validation import rank_one

WHO = np.array([7, 7, 7, 3, 3, 9, -1, 7])


def pictures() -> Prepared:
    attributes = np.full((8, len(ATTRIBUTES)), np.nan, np.float32)
    attributes[:, ATTRIBUTES.index("Male")] = [0, 0, 0, 0, 1, 1, 1, 1]
    attributes[:, ATTRIBUTES.index("Mustache")] = [0, 0, 0, 0, 0, 0, 0, 1]
    labels = {"attributes": attributes, "identity": WHO, "file": np.array([f"{i}.png" for i in range(8)])}
    return Prepared("eight", np.zeros((8, 160, 144, 3), np.uint8), labels, np.ones(8, bool))


def of(folder: Path, **fields: object) -> Recipe:
    return tiny(folder, **fields)


def test_negligible_combinations_get_no_output(tmp_path: Path) -> None:
    pair = {"pair": {"kind": "combinations", "names": ["Male", "Mustache"]}}
    whole = fitted_to(of(tmp_path, tasks=pair), [pictures()])
    assert whole.tasks["pair"].size == 4
    kept = fitted_to(of(tmp_path, tasks=pair, negligible=0.01), [pictures()]).tasks["pair"]
    assert isinstance(kept, CombinationsTask) and kept.combinations == ((0, 0), (1, 0), (1, 1))
    with pytest.raises(RecipeError, match=r"tasks\.pair"):
        fitted_to(of(tmp_path, tasks=pair, negligible=0.4), [pictures()])


def test_people_are_counted_and_numbered(tmp_path: Path) -> None:
    recipe = fitted_to(of(tmp_path, tasks={"who": {"kind": "identity"}}), [pictures()])
    assert recipe.tasks["who"] == IdentityTask(people=3)
    assert [numbers.tolist() for numbers in people([pictures()])] == [[3, 7, 9]]
    data = CropDataset([pictures()], recipe.augment, 0, (56, 64))
    assert data.targets[0]["identity"].tolist() == [1, 1, 1, 0, 0, 2, -1, 1]
    assert (pictures().labels["identity"] == WHO).all()  # numbered in a copy


def test_people_of_two_sets_are_different_people(tmp_path: Path) -> None:
    del (nameless := pictures()).labels["identity"]
    sets = [pictures(), nameless, pictures()]
    recipe = fitted_to(of(tmp_path, tasks={"who": {"kind": "identity"}}), sets)
    assert recipe.tasks["who"] == IdentityTask(people=6)
    first, none, last = (part["identity"].tolist() for part in CropDataset(sets, recipe.augment, 0, (56, 64)).targets)
    assert (first, last) == ([1, 1, 1, 0, 0, 2, -1, 1], [4, 4, 4, 3, 3, 5, -1, 4])
    assert set(none) == {-1}


def test_people_of_whom_nobody_knows_the_name_cost_nothing(tmp_path: Path) -> None:
    recipe = of(tmp_path, tasks={"who": {"kind": "identity", "people": 3}})
    criterion = Criterion(recipe.tasks, recipe.losses, np.zeros((0, 40), np.float32))
    logits = torch.tensor([[5.0, 0, 0], [0, 0, 9.0]], requires_grad=True)
    known = criterion({"who": logits}, {"identity": torch.tensor([0, -1])})["who"]
    assert known.item() == pytest.approx(np.log(1 + 2 * np.exp(-5)), abs=1e-6)
    nobody = criterion({"who": logits}, {"identity": torch.tensor([-1, -1])})["who"]
    nobody.backward()
    assert nobody.item() == 0 and logits.grad is not None and not logits.grad.any()


def test_rarely_seen_people_are_left_out() -> None:
    assert _known_well(pictures(), None).labels["identity"].tolist() == WHO.tolist()
    assert _known_well(pictures(), 2).labels["identity"].tolist() == [7, 7, 7, 3, 3, 7]
    with pytest.raises(DataError, match="9 photos of nobody"):
        _known_well(pictures(), 9)
    del (nameless := pictures()).labels["identity"]
    with pytest.raises(DataError, match="who is who"):
        _known_well(nameless, 2)


def test_rank_one_counts_people_with_two_photos_or_more() -> None:
    angles = torch.tensor([0.0, 0.1, 2.0, 2.2, 4.0, 4.05])
    embedding = torch.stack([angles.cos(), angles.sin()], 1) * torch.rand(6, 1).add(1)
    assert rank_one(embedding, np.array([5, 5, 8, 9, 8, -1])) == 0.5  # 5 finds 5; 8 is nearer to 5 than to 8
    assert rank_one(embedding, np.array([1, 2, 3, 4, -1, -1])) == 0.0
