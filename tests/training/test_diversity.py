"""Generators are judged epoch by epoch, in the loop or afterwards, beside pictures that they never see."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import facekit.analyze
from facekit.diversity import Figures
from facekit.diversity.known import COUNTS
from facekit.errors import DataError
from facekit.generate import FaceGenerator
from facekit.nets.dcgan import DcganGenerator
from facekit.portraits import portrait
from tests.test_cli_diversity import ReadsBlocks
from tests.training.test_gan import tiny
from tests.training.test_loop import generated
from training.data.prepare import MARGIN
from training.diversity import Judge, describe_reference, judge_run, kept_generators, real_portraits, run_recipe
from training.gan import GanLoop

NAMES = {*Figures.__dataclass_fields__, "verdict", "frechet_floor", "natural_vendi", "judging_seconds"}


@pytest.fixture(autouse=True)
def analyzer(monkeypatch: pytest.MonkeyPatch) -> None:
    def from_pretrained(name: str | None = None, device: str | None = None) -> Any:
        return ReadsBlocks()

    monkeypatch.setattr(facekit.analyze.FaceAnalyzer, "from_pretrained", from_pretrained)


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_every_epoch_is_judged_and_the_run_is_the_same(tmp_path: Path) -> None:
    for name, judge in (("judged", Judge([generated(80, 1)], 16, 30)), ("plain", None)):
        (tmp_path / name).mkdir()
        GanLoop(tiny(), [generated(24, 0)], tmp_path / name, judge).run()
    judged, plain = log(tmp_path / "judged"), log(tmp_path / "plain")
    assert all(record.keys() >= NAMES for record in judged) and not any(NAMES & record.keys() for record in plain)
    assert [record["discriminator"] for record in judged] == [record["discriminator"] for record in plain]
    assert judged[0]["vendi"] != judged[1]["vendi"] and judged[0]["natural_vendi"] == judged[1]["natural_vendi"]
    assert judged[0]["compared"] == 30 and 1 <= judged[0]["vendi"] <= 30


def test_a_finished_run_is_judged_as_it_would_have_been(tmp_path: Path) -> None:
    recipe, folder, validation = tiny(snapshots=[1], judged=30), tmp_path / "run", [generated(80, 1)]
    folder.mkdir()
    (folder / "recipe.json").write_text(recipe.model_dump_json())
    GanLoop(recipe, [generated(24, 0)], folder).run()
    before = log(folder)
    records = judge_run(folder, run_recipe(folder), validation)
    assert records == log(folder) and [before[i].items() <= records[i].items() for i in (0, 1)] == [True, True]
    live = Judge(validation, 16, 30, recipe.seed)(FaceGenerator.from_pretrained(str(folder / "epoch-0001")))
    assert all(records[0][name] == live[name] for name in live if name != "judging_seconds")
    assert records[1]["vendi"] != records[0]["vendi"]  # the last epoch's weights are those of the pipeline


def test_only_whole_generators_are_kept(tmp_path: Path) -> None:
    (tmp_path / "epoch-0003").mkdir()
    with pytest.raises(DataError, match="has kept no generator"):
        kept_generators(tmp_path)
    with pytest.raises(DataError, match="is no run of a generator"):
        run_recipe(tmp_path)
    FaceGenerator(DcganGenerator(size=16, width=4, latent=8).eval()).save_pretrained(tmp_path / "epoch-0012")
    assert list(kept_generators(tmp_path)) == [12]


def test_real_portraits_are_those_of_faces() -> None:
    part = generated(10, 0)
    part.found[3] = False
    every = real_portraits([part], 16)
    assert every.shape == (9, 16, 16, 3)
    np.testing.assert_array_equal(every[3], portrait(part.crops[4][MARGIN:-MARGIN, MARGIN:-MARGIN], 16))
    assert len(real_portraits([part, generated(5, 1)], 16, 12)) == 12
    assert real_portraits([part.subset(np.zeros(10, bool))], 16).shape == (0, 16, 16, 3)


def test_too_few_to_judge_with() -> None:
    with pytest.raises(DataError, match="set judged to 30 at least"):
        Judge([generated(40, 0)], 16, 500)


def test_judging_leaves_the_random_state_alone() -> None:
    judge, generator = (
        Judge([generated(80, 1)], 16, 30),
        FaceGenerator(DcganGenerator(size=16, width=4, latent=8).eval()),
    )
    state = torch.random.get_rng_state()
    one, same = judge(generator), judge(generator)
    assert torch.equal(state, torch.random.get_rng_state())
    assert {**one, "judging_seconds": 0} == {**same, "judging_seconds": 0}


def test_what_is_known_of_a_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.diversity.SIZES", (16, 32))
    monkeypatch.setattr("facekit.diversity.known.COUNTS", COUNTS[:1])
    monkeypatch.setattr("facekit.diversity.known.describe.__defaults__", (COUNTS[:1], 0))
    known = describe_reference([generated(100, 0)], "people")
    assert known["data"] == "people" and [part["size"] for part in known["portraits"]] == [16, 32]
    (row,) = known["portraits"][0]["samples"]
    assert row["count"] == 50 and 0 < row["vendi_share"] <= 1 and row["same"] <= row["apart"]
