"""The validation loss: what training minimises, on pictures that nothing augments."""

import numpy as np
import pytest
import torch

from facekit.tasks import AgeTask, AttributesTask, IdentityTask
from tests.training.test_loop import generated
from training.batches import training_targets
from training.losses import Criterion
from training.recipe import Losses
from training.validation import losses_of

TASKS = {"smile": AttributesTask(names=("Smiling",)), "age": AgeTask(form="years"), "who": IdentityTask(people=3)}


def test_the_loss_is_the_mean_over_the_labelled_pictures_of_all_sets() -> None:
    targets = [training_targets(generated(count, seed)) for count, seed in ((6, 0), (2, 1))]
    targets[0]["age"][:3] = np.nan
    logits = [{"smile": torch.zeros(n, 1), "age": torch.full((n, 1), 30.0), "who": torch.zeros(n, 3)} for n in (6, 2)]
    weights = Losses(attributes=1, heads={"age": 0.5}, uncertainty=True)
    criterion = Criterion(TASKS, weights, np.concatenate([part["attributes"] for part in targets]))
    torch.nn.init.ones_(criterion.log_variances["age"])  # what is learned beside the network changes nothing
    years = np.concatenate([targets[0]["age"][3:], targets[1]["age"]])
    found = losses_of(logits, targets, criterion)
    assert found == pytest.approx({"smile": np.log(2), "age": 0.5 * np.abs(years - 30).mean()}, rel=1e-5)


def test_a_head_without_labels_has_no_loss() -> None:
    targets = training_targets(generated(4, 0))
    targets["age"][:] = np.nan
    logits = {"smile": torch.zeros(4, 1), "age": torch.zeros(4, 1), "who": torch.zeros(4, 3)}
    assert losses_of([logits], [targets], Criterion(TASKS, Losses(), targets["attributes"])).keys() == {"smile"}
