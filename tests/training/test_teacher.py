"""A network learns a teacher's probabilities, which are asked for once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import kl_div, logsigmoid

from facekit.checkpoints import CheckpointConfig, write_checkpoint
from facekit.errors import RecipeError
from facekit.nets import build
from facekit.tasks import ALL_TASKS, AgeTask, AttributesTask, Tasks
from tests.training.test_loop import generated, tiny
from training.loop import Loop
from training.losses import TEACHER, Criterion
from training.recipe import Losses, Recipe
from training.teacher import teacher_targets
from training.validation import crop_logits

NETWORK = {"widths": [4, 4, 8, 8]}
CPU = torch.device("cpu")


def teacher(folder: Path, **fields: object) -> str:
    config = CheckpointConfig(network=NETWORK, input_size=(64, 72), **fields)  # type: ignore[arg-type]
    torch.manual_seed(3)
    model = build("face-net", {head: task.size for head, task in config.tasks.items()}, NETWORK)
    write_checkpoint(folder, model, config)
    return str(folder)


def taught(folder: Path, **fields: object) -> Recipe:
    return tiny(folder, **({"teacher": teacher(folder / "teacher"), "cache": str(folder / "cache")} | fields))


def test_it_answers_every_picture_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, parts = taught(tmp_path), [generated(24, 0), generated(8, 1)]
    first = teacher_targets(recipe, parts, CPU)
    assert [part[TEACHER + "age"].shape for part in first] == [(24, 101), (8, 101)]
    assert len(list((tmp_path / "cache/teachers").iterdir())) == 2  # and nothing half-written beside them
    monkeypatch.setattr("training.teacher.crop_logits", lambda *_, **__: pytest.fail("asked again"))
    again = teacher_targets(recipe, parts, CPU)
    np.testing.assert_array_equal(again[1][TEACHER + "attributes"], first[1][TEACHER + "attributes"])


def test_other_pictures_of_the_same_names_are_asked_anew(tmp_path: Path) -> None:
    recipe, part = taught(tmp_path), generated(8, 1)
    teacher_targets(recipe, [part], CPU)
    teacher_targets(recipe, [replace(part, crops=part.crops[::-1])], CPU)
    assert len(list((tmp_path / "cache/teachers").iterdir())) == 2


def test_only_other_weights_are_asked_anew(tmp_path: Path) -> None:
    recipe = taught(tmp_path)
    teacher_targets(recipe, [generated(8, 1)], CPU)
    other = recipe.model_copy(update={"teacher": teacher(tmp_path / "other", description="the same weights")})
    teacher_targets(other, [generated(8, 1)], CPU)
    assert len(list((tmp_path / "cache/teachers").iterdir())) == 1
    model = build("face-net", {"age": 101}, NETWORK)
    write_checkpoint(tmp_path / "other", model, CheckpointConfig(network=NETWORK, tasks={"age": AgeTask()}))
    found = teacher_targets(other, [generated(8, 1)], CPU)
    assert list(found[0]) == [TEACHER + "age"]  # and the other heads have the labels alone
    assert len(list((tmp_path / "cache/teachers").iterdir())) == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tasks": {"attributes": AttributesTask(names=("Male", "Young"))}}, "answers none of attributes, age"),
        ({"framing": "frame"}, "sees framing frame, this recipe face"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused(tmp_path: Path, fields: dict[str, object], message: str) -> None:
    recipe = taught(tmp_path, teacher=teacher(tmp_path / "odd", **fields))
    with pytest.raises(RecipeError, match=message):
        teacher_targets(recipe, [generated(8, 1)], CPU)


def test_the_loss_is_least_at_the_teachers_probabilities() -> None:
    tasks: Tasks = {name: task for name, task in ALL_TASKS.items() if name in ("attributes", "expression")}
    criterion = Criterion(tasks, Losses(teacher=1.0), np.zeros((1, 40), np.float32))
    generator = torch.Generator().manual_seed(0)
    aims = {head: torch.randn(5, task.size, generator=generator) for head, task in tasks.items()}
    targets = {
        "attributes": torch.full((5, 40), torch.nan),  # pictures that nobody labelled
        "expression": torch.full((5, 7), torch.nan),
        "expression_label": torch.full((5,), -1),
        **{TEACHER + head: aim for head, aim in aims.items()},
    }
    logits = {head: aim.clone().requires_grad_() for head, aim in aims.items()}
    losses = criterion(logits, targets)
    torch.stack(list(losses.values())).sum().backward()
    for head in tasks:
        gradient = logits[head].grad
        assert gradient is not None
        torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-6, rtol=0)
    off = {head: aim + 1 for head, aim in aims.items()}
    assert criterion(off, targets)["attributes"] > losses["attributes"]


def test_labels_have_the_rest_of_the_loss() -> None:
    tasks: Tasks = {"attributes": AttributesTask(names=("Smiling",))}
    labels = torch.full((4, 40), torch.nan)
    labels[:2, 31] = 1.0
    logits, aims = torch.tensor([[0.5], [-1.0], [2.0], [0.0]]), torch.tensor([[1.0], [0.0], [-2.0], [3.0]])
    targets = {"attributes": labels, TEACHER + "attributes": aims}
    half = Losses(teacher=0.25, attributes=1.0)
    found = Criterion(tasks, half, np.zeros((1, 40), np.float32))({"attributes": logits}, targets)["attributes"]
    p, q = aims.sigmoid(), logits.sigmoid()
    divergence = kl_div(q.log(), p, reduction="none") + kl_div((1 - q).log(), 1 - p, reduction="none")
    entropy = -(p * p.log() + (1 - p) * (1 - p).log())
    expected = 0.75 * -logsigmoid(logits[:2]).mean() + 0.25 * (divergence + entropy).mean()
    torch.testing.assert_close(found, expected)


def test_a_run_comes_nearer_to_its_teacher(tmp_path: Path) -> None:
    """Pictures without labels are enough to learn from."""
    recipe = taught(tmp_path, epochs=2, steps=8, losses={"teacher": 1.0}, network=NETWORK)
    part = generated(24, 0)
    blank = type(part)(part.name, part.crops, {"file": part.labels["file"]}, part.found)
    (tmp_path / "run").mkdir()
    loop = Loop(recipe, [blank], [generated(8, 1)], tmp_path / "run")
    aims = torch.from_numpy(loop.pictures.targets[0][TEACHER + "attributes"]).float()

    def distance() -> float:
        return float((crop_logits(loop.network, blank, (64, 72), CPU)["attributes"] - aims).abs().mean())

    before = distance()
    loop.run()
    assert distance() < before
