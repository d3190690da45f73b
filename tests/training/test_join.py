from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import interpolate

from facekit.checkpoints import CheckpointConfig, read_checkpoint, write_checkpoint
from facekit.errors import CheckpointError
from facekit.nets import build
from facekit.tasks import AgeTask, AttributesTask, ExpressionTask
from training.join import join

TASKS = {"attributes": AttributesTask(), "age": AgeTask(), "expression": ExpressionTask()}


def member(folder: Path, heads: tuple[str, ...], widths: list[int], **fields: Any) -> str:
    torch.manual_seed(sum(widths))
    tasks = {head: TASKS[head] for head in heads}
    model = build("face-net", {head: task.size for head, task in tasks.items()}, {"widths": widths}).train()
    for _ in range(3):
        model(torch.randn(4, 3, 96, 84))  # norms that are not the identity
    config = CheckpointConfig(
        network={"widths": widths}, tasks=tasks, input_size=(84, 96), training={"epoch": widths[0]}
    )
    write_checkpoint(folder, model, config.model_copy(update=fields))
    return str(folder)


def test_the_joined_network_answers_with_the_mean(tmp_path: Path) -> None:
    small = member(tmp_path / "a", ("attributes", "age", "expression"), [4, 4, 8, 8])
    wide = member(tmp_path / "b", ("attributes", "age"), [6, 8, 8, 12])
    join([small, wide], tmp_path / "c", description="both")
    both = read_checkpoint(tmp_path / "c")
    assert both.config.description == "both" and both.config.input_size == (84, 96)
    assert [run["epoch"] for run in both.config.training["members"]] == [4, 6]
    x = torch.randn(3, 3, 96, 84)
    with torch.inference_mode():
        one, other, got = (read_checkpoint(tmp_path / name).model(x) for name in "abc")
    for head, logits in got.items():
        wanted = (one[head] + other[head]) / 2 if head in other else one[head]
        torch.testing.assert_close(logits, wanted, atol=0.01, rtol=0.01)  # stored as float16


def test_one_may_count_more_than_another(tmp_path: Path) -> None:
    first = member(tmp_path / "a", ("attributes", "age", "expression"), [4, 4, 8, 8])
    second = member(tmp_path / "b", ("attributes", "age"), [6, 8, 8, 12])
    join([first, second], tmp_path / "c", description="both", weights=[1, 3])
    assert read_checkpoint(tmp_path / "c").config.training["weights"] == [1, 3]
    x = torch.randn(3, 3, 96, 84)
    with torch.inference_mode():
        one, other, got = (read_checkpoint(tmp_path / name).model(x) for name in "abc")
    for head, logits in got.items():
        wanted = 0.25 * one[head] + 0.75 * other[head] if head in other else one[head]
        torch.testing.assert_close(logits, wanted, atol=0.01, rtol=0.01)
    for weights in ([1.0], [1.0, 0.0], [1.0, float("nan")]):
        with pytest.raises(CheckpointError, match="Give 2 weights above 0"):
            join([first, second], tmp_path / "d", description="", weights=weights)
    assert not (tmp_path / "d").exists()


def test_members_may_see_the_crop_at_different_sizes_and_in_part(tmp_path: Path) -> None:
    whole = member(tmp_path / "a", ("attributes",), [4, 4, 8, 8])
    window = (0.125, 0.15625, 0.875, 0.90625)
    settings = {"network": {"widths": [4, 4, 8, 8], "window": window}, "input_size": (112, 128)}
    close = member(tmp_path / "b", ("attributes",), [4, 4, 8, 8], **settings)
    join([whole, close], tmp_path / "c", description="both")
    both = read_checkpoint(tmp_path / "c")
    assert both.config.input_size == (112, 128)
    assert both.config.network["members"][0]["size"] == [84, 96]
    x = torch.randn(2, 3, 128, 112)
    with torch.inference_mode():
        one = read_checkpoint(tmp_path / "a").model(interpolate(x, (96, 84), mode="bilinear", antialias=True))
        other = read_checkpoint(tmp_path / "a").model(x[:, :, 20:116, 14:98])  # b has the weights of a
        got = both.model(x)["attributes"]
    torch.testing.assert_close(got, (one["attributes"] + other["attributes"]) / 2, atol=0.01, rtol=0.01)
    assert list(both.model.explained.values()) == [(0.0, 0.0, 1.0, 1.0), list(window)]


def test_members_may_have_been_trained_on_the_same_part_at_another_scale(tmp_path: Path) -> None:
    whole = member(tmp_path / "a", ("attributes",), [4, 4, 8, 8])
    fine = member(tmp_path / "b", ("attributes",), [4, 4, 8, 8], framing="face-fine", input_size=(150, 171))
    for order in ([whole, fine], [fine, whole]):
        join(order, tmp_path / "c", description="both")
        both = read_checkpoint(tmp_path / "c").config
        assert both.framing == "face-fine" and both.input_size == (150, 171)
        assert [one.get("size") for one in both.network["members"]].count([84, 96]) == 1


def test_a_member_that_sees_the_whole_frame_takes_the_others_in(tmp_path: Path) -> None:
    window = (0.126667, 0.157895, 0.873333, 0.906433)
    face = member(tmp_path / "a", ("attributes", "age"), [4, 4, 8, 8])
    settings = {"network": {"widths": [4, 4, 8, 8], "window": window}, "input_size": (150, 171)}
    fine = member(tmp_path / "b", ("attributes", "age"), [4, 4, 8, 8], framing="face-fine", **settings)
    frame = member(tmp_path / "c", ("attributes",), [4, 4, 8, 8], framing="frame", input_size=(120, 147))
    join([face, fine, frame], tmp_path / "d", description="all three")
    joined = read_checkpoint(tmp_path / "d")
    assert joined.config.framing == "frame" and joined.config.input_size == (178, 218)
    x = torch.randn(2, 3, 218, 178)
    with torch.inference_mode():
        same = read_checkpoint(tmp_path / "a").model  # b has the weights of a
        wanted = (
            same(interpolate(x[:, :, 34:205, 14:164], (96, 84), mode="bilinear", antialias=True)),
            same(x[:, :, 61:189, 33:145]),
            read_checkpoint(tmp_path / "c").model(interpolate(x, (147, 120), mode="bilinear", antialias=True)),
        )
        got = joined.model(x)
    for head, used in (("attributes", wanted), ("age", wanted[:2])):
        mean = torch.stack([logits[head] for logits in used]).mean(0)
        torch.testing.assert_close(got[head], mean, atol=0.01, rtol=0.01)
    for left, _, right, _ in joined.model.explained.values():
        assert left + right == pytest.approx(1, abs=1e-5)  # a mirrored crop shows each of them the same part


def test_a_joined_checkpoint_joins_with_another(tmp_path: Path) -> None:
    names = [member(tmp_path / name, ("attributes",), [4, 4, 8, width]) for name, width in (("a", 8), ("b", 12))]
    join(names, tmp_path / "ab", description="", weights=[3, 7])
    third = member(tmp_path / "c", ("attributes",), [4, 4, 8, 16], framing="frame", input_size=(60, 74))
    join([str(tmp_path / "ab"), third], tmp_path / "grown", description="", weights=[3, 1])
    join([*names, third], tmp_path / "anew", description="", weights=[9, 21, 10])
    grown, anew = (read_checkpoint(tmp_path / name) for name in ("grown", "anew"))
    assert grown.config.network == anew.config.network
    assert grown.config.training["members"] == anew.config.training["members"]
    assert grown.config.training["weights"] == pytest.approx([0.9, 2.1, 1])
    x = torch.randn(2, 3, *grown.config.input_size[::-1])
    with torch.inference_mode():
        torch.testing.assert_close(grown.model(x)["attributes"], anew.model(x)["attributes"], atol=0.01, rtol=0.01)


def test_checkpoints_that_do_not_fit_are_told(tmp_path: Path) -> None:
    first = member(tmp_path / "a", ("attributes",), [4, 4, 8, 8])
    tasks = {"attributes": AttributesTask(names=("Male",))}
    model = build("face-net", {"attributes": 1}, {"widths": [4, 4, 8, 8]})
    config = CheckpointConfig(network={"widths": [4, 4, 8, 8]}, tasks=tasks, input_size=(84, 96))
    write_checkpoint(tmp_path / "b", model, config)
    with pytest.raises(CheckpointError, match="Head attributes answers something else in a than in b"):
        join([first, str(tmp_path / "b")], tmp_path / "c", description="")
    assert not (tmp_path / "c").exists()


def test_only_one_architecture_joins(tmp_path: Path) -> None:
    model = build("celeba-cnn", {"attributes": 40}, {"size": (112, 128)})
    config = CheckpointConfig(
        architecture="celeba-cnn",
        network={"size": (112, 128)},
        tasks={"attributes": AttributesTask()},
        framing="frame",
    )
    write_checkpoint(tmp_path / "a", model, config)
    with pytest.raises(CheckpointError, match="a is a celeba-cnn: only checkpoints of face-net join"):
        join([str(tmp_path / "a")] * 2, tmp_path / "c", description="")
