"""A tiny net on generated crops: one picture with a bright top is "smiling", one with a bright left half is old."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

import training.loop
from facekit.checkpoints import read_checkpoint
from facekit.errors import RecipeError, TrainingError
from facekit.labels import ATTRIBUTES
from training.data.prepare import Prepared
from training.loop import Loop, fit
from training.network import parent_of
from training.recipe import Recipe
from training.state import read_log


def generated(count: int, seed: int) -> Prepared:
    random = np.random.default_rng(seed)
    crops = random.integers(0, 60, (count, 160, 144, 3), dtype=np.uint8)
    smiling, age = random.integers(0, 2, count), random.uniform(10, 80, count).astype(np.float32)
    attributes = np.full((count, len(ATTRIBUTES)), np.nan, np.float32)
    attributes[:, ATTRIBUTES.index("Smiling")] = smiling
    attributes[:, ATTRIBUTES.index("Male")] = smiling
    crops[smiling == 1, :80] += 150
    labels = {"attributes": attributes, "age": age, "file": np.array([f"{i}.png" for i in range(count)])}
    return Prepared("generated", crops, labels, np.ones(count, bool))


def tiny(folder: Path, **fields: object) -> Recipe:
    settings = {
        "name": "tiny",
        "description": "a net that a test can train",
        "runs": str(folder),
        "data": [{"path": "generated", "batch": 8}],
        "network": {"widths": [4, 4, 8, 8], "depths": [1, 1, 1, 1]},
        "tasks": {"attributes": {"kind": "attributes"}, "age": {"kind": "age"}},
        "epochs": 2,
        "steps": 4,
        "sizes": [[0, 0.5]],
        "warmup": 2,
        "learning_rate": 0.01,
        "ema": 0.5,
        "precision": "no",
    }
    return Recipe.model_validate(settings | fields)


def make_loop(recipe: Recipe, folder: Path) -> Loop:
    folder.mkdir(exist_ok=True)
    return Loop(recipe, [generated(64, 0)], [generated(32, 1)], folder)


def test_fit_writes_down_which_pictures_it_saw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.loop, "load_sets", lambda recipe: ([generated(64, 0)], [generated(32, 1)]))
    best = fit(tiny(tmp_path, epochs=1, steps=1))
    entries = json.loads((best.parent / "splits.json").read_text())
    assert [(entry["set"], entry["split"], entry["pictures"]) for entry in entries] == [
        ("generated", "train", 64),
        ("generated", "validation", 32),
    ]
    assert "63.png" in entries[0]["files"]
    made = read_checkpoint(best).config.training
    assert made["pictures"] == 64
    other = fit(tiny(tmp_path, epochs=1, steps=2, seed=1))
    assert read_checkpoint(other).config.training["splits"] == made["splits"], "the same pictures"
    monkeypatch.setattr(training.loop, "load_sets", lambda recipe: ([generated(64, 0)], [generated(31, 1)]))
    other = fit(tiny(tmp_path, epochs=1, steps=1))
    assert read_checkpoint(other).config.training["splits"] != made["splits"], "one picture fewer in validation"


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_it_learns_and_keeps_the_best_weights(precision: str, tmp_path: Path) -> None:
    loop = make_loop(tiny(tmp_path, epochs=4, steps=12, precision=precision), tmp_path / "run")
    kinds = []
    loop.network.heads["age"].register_forward_hook(lambda _, __, output: kinds.append(output.dtype))
    checkpoint = read_checkpoint(loop.run())
    assert kinds[0] == (torch.bfloat16 if precision == "bf16" else torch.float32)
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert lines[-1]["validation"]["generated gender"] > 0.9
    assert lines[-1]["loss"]["attributes"] < lines[0]["loss"]["attributes"]
    assert checkpoint.config.training["recipe"]["seed"] == 0
    assert checkpoint.config.training["versions"]["torch"] == torch.__version__.split("+")[0]


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU trains in fp16")
def test_fp16_without_a_gpu_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="fp16 trains on a GPU only"):
        make_loop(tiny(tmp_path, precision="fp16"), tmp_path / "run")


def test_a_resumed_run_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    unbroken = make_loop(tiny(tmp_path), tmp_path / "unbroken")
    unbroken.run()
    broken = make_loop(tiny(tmp_path), tmp_path / "broken")

    def stop(loop: Loop) -> None:
        if loop.epoch == 1:
            raise KeyboardInterrupt

    broken.add_callback("epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        broken.run()
    resumed = make_loop(tiny(tmp_path), tmp_path / "broken")
    resumed.run(resume=True)
    assert resumed.step == unbroken.step == 8
    for key, value in unbroken.ema.module.state_dict().items():
        assert torch.equal(value, resumed.ema.module.state_dict()[key]), key


def test_a_resumed_run_goes_on_with_the_recipe_that_it_starts_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tiny(tmp_path, name="first", epochs=3)
    second = tiny(tmp_path, name="second", epochs=1, init="recipe:first")
    monkeypatch.setattr(training.loop, "load_recipe", lambda name, **_: {"first": first}[name])
    monkeypatch.setattr(training.loop, "load_sets", lambda recipe: ([generated(64, 0)], [generated(32, 1)]))
    save_state = training.loop.save_state

    def killed(
        accelerator: Accelerator, folder: Path, record: dict[str, Any], write: Callable[[], None] | None
    ) -> None:
        save_state(accelerator, folder, record, write)
        if record["epoch"] == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training.loop, "save_state", killed)
        with pytest.raises(KeyboardInterrupt):
            fit(second)
    best = fit(second, resume=True)
    assert {path.name for path in tmp_path.iterdir()} == {"001-first", "002-second"}
    assert [record["epoch"] for record in read_log(tmp_path / "001-first")] == [1, 2, 3]
    assert read_checkpoint(best).config.training["recipe"]["init"] == str(tmp_path / "001-first" / "best")


def test_a_start_from_the_hub_is_kept(tmp_path: Path) -> None:
    commit = "0123456789abcdef" * 2 + "01234567"
    recipe = tiny(tmp_path, init="ann/net@v1")
    assert parent_of(recipe, tmp_path / "snapshots" / commit) == {"parent": {"repository": "ann/net", "commit": commit}}
    assert parent_of(recipe, tmp_path / "elsewhere") == parent_of(tiny(tmp_path), None) == {}


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    loop = make_loop(tiny(tmp_path, losses={"age": 1e38, "age_years": 1e38}), tmp_path / "run")
    with pytest.raises(TrainingError, match="learning_rate"):
        loop.run()


def test_an_update_that_ruins_the_weights_leaves_the_epoch_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its loss was finite: only the weights after the last update of an epoch show it."""
    recipe = tiny(tmp_path, epochs=3, optimizer={"name": "sgd", "momentum": 0, "clip": None})
    with monkeypatch.context() as patch:
        patch.setattr(training.loop, "learning_rate", lambda recipe, step: 1e38 if step == 7 else 0.001)
        with pytest.raises(
            TrainingError, match=r"is nan at step 8: lower learning_rate .* from epoch 1 by init=.*best"
        ):
            make_loop(recipe, tmp_path / "run").run()
    (line,) = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["epoch"] == 1
    assert all(values.isfinite().all() for values in load_file(tmp_path / "run/last/model.safetensors").values())
    make_loop(recipe, tmp_path / "run").run(resume=True)
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("best_by", ["score", "loss"])
def test_the_recipe_says_what_the_best_epoch_is(best_by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = iter(
        [({"set mae": 9.0}, {"age": 2.0}), ({"set mae": 8.0}, {"age": 1.0}), ({"set mae": 7.0}, {"age": 3.0})]
    )
    monkeypatch.setattr(training.loop, "validate", lambda *_: next(measured))
    loop = make_loop(tiny(tmp_path, epochs=3, best_by=best_by), tmp_path / "run")
    kept = read_checkpoint(loop.run()).config.training["epoch"]
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["best_epoch"] for line in lines] == ([1, 2, 3] if best_by == "score" else [1, 2, 2])
    assert kept == loop.best_epoch == lines[-1]["best_epoch"]
    assert [line["validation_loss"] for line in lines] == [{"age": 2.0}, {"age": 1.0}, {"age": 3.0}]


def test_learned_weights_of_the_losses_are_logged_and_resumed(tmp_path: Path) -> None:
    recipe = tiny(tmp_path, learning_rate=1e-9, losses={"uncertainty": True, "uncertainty_rate": 0.05})
    make_loop(recipe.model_copy(update={"epochs": 1}), tmp_path / "run").run()
    make_loop(recipe, tmp_path / "run").run(resume=True)
    log = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    first, second = (json.loads(line)["learned_weights"]["age"] for line in log)
    assert second < first == pytest.approx(np.exp(-4 * 0.05), rel=0.01)  # four steps of Adam, as the loss is above 1/2


def test_penalized_weights_shrink_and_count_in_both_losses(tmp_path: Path) -> None:
    norms, lines = [], []
    for name, strengths in (("free", {}), ("held", {"heads.age.*": 0.1})):
        loop = make_loop(tiny(tmp_path, ema=0, optimizer={"name": "adam", "l2": strengths}), tmp_path / name)
        loop.run()
        norms.append(sum(p.square().sum().item() for p in loop.network.heads["age"].parameters()))
        lines.append(json.loads((tmp_path / name / "log.jsonl").read_text().splitlines()[-1]))
    assert norms[1] < 0.9 * norms[0]
    assert lines[1]["validation_loss"]["weight penalty"] == pytest.approx(0.1 * norms[1], abs=1e-5)
    assert lines[1]["loss"]["weight penalty"] > 0
    assert not any("weight penalty" in lines[0][key] for key in ("loss", "validation_loss"))


def test_batches_may_make_an_update_together(tmp_path: Path) -> None:
    """Four pictures twice give the update that the same eight give at once, in a net without batch statistics."""
    ends = []
    for name, batch, accumulate in (("whole", 8, 1), ("parts", 4, 2)):
        recipe = tiny(tmp_path, data=[{"path": "generated", "batch": batch}], accumulate=accumulate, epochs=1)
        loop = make_loop(recipe, tmp_path / name)
        for module in loop.model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.train = lambda mode=True, module=module: module  # type: ignore[method-assign,misc]
                module.training = False
        loop.run()
        assert loop.step == 4
        ends.append(loop.model.heads["age"].weight.detach())
    assert torch.allclose(*ends, atol=1e-5)


def test_workers_change_nothing(tmp_path: Path) -> None:
    ends = []
    for workers in (0, 2):
        loop = make_loop(tiny(tmp_path, workers=workers), tmp_path / f"run {workers}")
        loop.run()
        ends.append(loop.ema.module.state_dict())
    for key, value in ends[0].items():
        assert torch.equal(value, ends[1][key]), key


def test_a_start_from_a_checkpoint_keeps_what_fits(tmp_path: Path) -> None:
    best = make_loop(tiny(tmp_path), tmp_path / "first").run()
    start = read_checkpoint(best).model.state_dict()
    tasks = {"attributes": {"kind": "attributes"}, "age": {"kind": "age", "form": "years"}}
    model = make_loop(tiny(tmp_path, init=str(best), tasks=tasks), tmp_path / "second").model
    same = {key: value for key, value in model.state_dict().items() if not key.startswith("heads.age")}
    for key, value in same.items():
        assert torch.equal(value, start[key]), key
    assert model.heads["age"].out_features == 1
    other = {"widths": [4, 4, 8, 16], "depths": [1, 1, 1, 1]}
    for fields in ({"network": other}, {"architecture": "imdb-wiki-cnn", "network": {}}):
        with pytest.raises(RecipeError, match="another network"):
            make_loop(tiny(tmp_path, init=str(best), **fields), tmp_path / "third")


def test_it_stops_when_validation_gets_no_better(tmp_path: Path) -> None:
    loop = make_loop(tiny(tmp_path, epochs=9, patience=2, learning_rate=1e-12, ema=0), tmp_path / "run")
    loop.run()
    assert loop.epoch - loop.best_epoch == 2
    assert loop.epoch < 9


def test_patience_begins_with_the_last_size(tmp_path: Path) -> None:
    recipe = tiny(tmp_path, epochs=9, patience=1, learning_rate=1e-12, ema=0, sizes=[[0, 0.25], [3, 0.5]])
    loop = make_loop(recipe, tmp_path / "run")
    assert read_checkpoint(loop.run()).config.input_size == (56, 64)
    assert 4 <= loop.best_epoch == loop.epoch - 1


def test_a_size_that_is_never_reached_is_not_kept(tmp_path: Path) -> None:
    loop = make_loop(tiny(tmp_path, sizes=[[0, 0.5], [2, 1.0]]), tmp_path / "run")
    assert read_checkpoint(loop.run()).config.input_size == (56, 64)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"tasks": {"expression": {"kind": "expression"}}},
            r"Field tasks\.expression: no training picture has a label",
        ),
        ({"architecture": "imdb-wiki-cnn", "network": {}, "input_size": [48, 48]}, "does not take pictures of 24x24"),
        ({"sizes": [[0, 0.001]]}, "does not take pictures of 0x0 pixels"),
    ],
)
def test_a_run_that_cannot_start_leaves_no_folder(
    fields: dict[str, object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.loop, "load_sets", lambda recipe: ([generated(64, 0)], [generated(32, 1)]))
    with pytest.raises(RecipeError, match=message):
        fit(tiny(tmp_path / "runs", **fields))
    assert not list((tmp_path / "runs").iterdir())


def test_the_best_epoch_needs_labels_to_be_chosen_by(tmp_path: Path) -> None:
    unlabelled = generated(32, 1)
    for key in ("attributes", "age"):
        unlabelled.labels[key][:] = np.nan
    with pytest.raises(RecipeError, match=r"no validation picture has a label .* that has one for attributes, age"):
        Loop(tiny(tmp_path), [generated(64, 0)], [unlabelled], tmp_path)


def test_out_of_memory_names_the_batch_to_try(tmp_path: Path) -> None:
    loop = make_loop(tiny(tmp_path), tmp_path / "run")

    def full(*_: object) -> None:
        torch.empty(2**60)

    loop.model.register_forward_pre_hook(full)
    with pytest.raises(TrainingError, match=r"8 pictures.*generated 4.*accumulate=2"):
        loop.run()


def test_every_line_of_the_log_says_how_fast_it_went(tmp_path: Path) -> None:
    make_loop(tiny(tmp_path), tmp_path / "run").run()
    for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines():
        record = json.loads(line)
        assert record["pictures_per_second"] > 0
        assert 0 <= record["waiting"] < 1


def test_callbacks_see_every_step_and_epoch(tmp_path: Path) -> None:
    seen: list[str] = []
    loop = make_loop(tiny(tmp_path), tmp_path / "run")
    for event in ("step", "epoch", "end"):
        loop.add_callback(event, lambda loop, event=event: seen.append(event))
    loop.run()
    assert seen == (["step"] * 4 + ["epoch"]) * 2 + ["end"]


def test_stdout_is_left_to_the_checkpoint_s_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_loop(tiny(tmp_path, epochs=1), tmp_path / "run").run()
    assert capsys.readouterr().out == ""
