"""What the tab *Models* says of a checkpoint, also where a stranger wrote it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from facekit.checkpoints import CheckpointConfig, config_text, digest_of, read_config
from facekit.hub import generator_digest
from facekit.shipped import CLASSIFIER, GENERATOR, ZOO, shipped
from facekit.ui import gallery
from facekit.ui.cards import card_html
from facekit.ui.gallery import (
    entry,
    gate_between,
    kind_of,
    shipped_entries,
    verified_diversity,
    verified_records,
)
from facekit.ui.quality import charts, headline_figures


def test_every_shipped_checkpoint_is_listed() -> None:
    entries = {one["name"]: one for one in shipped_entries()}
    assert set(entries) == {folder.name for folder in ZOO.iterdir() if folder.is_dir()}
    default = entries["default"]
    assert default["bytes"] == (ZOO / "default" / "model.safetensors").stat().st_size
    assert default["answers"] == ["attributes", "age", "expression"]
    assert default["terms"] == "research-only-non-commercial"
    assert [row["recipe"] for row in default["made"]] == ["faces-fine", "faces-wide-fine", "faces-again"]
    assert {figure["task"] for figure in default["figures"]} == {"attributes", "gender", "age", "expression"}
    assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in default["figures"])
    assert {figure["task"] for figure in entries["dcgan-faces"]["figures"]} == {"vendi", "recall", "frechet"}
    assert all(one["verified"] for one in entries.values())
    assert json.loads(json.dumps(list(entries.values()), allow_nan=False))


def test_kinds_are_told_by_their_files() -> None:
    assert all(kind_of(ZOO / name) is CLASSIFIER for name in shipped())
    assert kind_of(ZOO / "dcgan-faces").default == "dcgan-conditional"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ZOO / "portrait-attributes", tmp_path / "copy"))


def test_only_figures_that_were_measured_here_count_as_verified(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = tmp_path / "records"
    records.mkdir()
    monkeypatch.setattr(gallery, "RECORDS", records)
    verified_records.cache_clear()
    claimed = entry("ann/net", copy, CLASSIFIER)
    record = {
        "data": "data/celeba",
        "pictures": 10,
        "split": "test",
        "attributes": {"mean_accuracy": 0.5, "mean_accuracy_interval": [0.4, 0.6]},
        "digest": digest_of(copy),
    }
    (records / "one.json").write_text(json.dumps(record))
    verified_records.cache_clear()
    ours = entry("ann/net", copy, CLASSIFIER)
    assert (claimed["verified"], ours["verified"]) == (False, True)
    assert claimed["figures"][0]["value"] > 0.8
    assert [(figure["data"], figure["value"]) for figure in ours["figures"]] == [("CelebA", 0.5)]
    (copy / "model.safetensors").write_bytes((copy / "model.safetensors").read_bytes() + b" ")
    verified_records.cache_clear()
    assert not entry("ann/net", copy, CLASSIFIER)["verified"]
    verified_records.cache_clear()


def test_a_generator_is_verified_by_a_record_of_its_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = Path(shutil.copytree(ZOO / "dcgan-faces", tmp_path / "copy"))
    (tmp_path / "generators").mkdir()
    monkeypatch.setattr(gallery, "RECORDS", tmp_path)
    claimed = entry("ann/faces", copied, GENERATOR)
    assert not claimed["verified"] and claimed["figures"][0]["faces"] == 500  # as its own log says
    record = {
        "digest": generator_digest(copied),
        "vendi": 12.5,
        "recall": None,
        "compared": 60,
        "spread": {"vendi": [12.0, 13.0]},
    }
    (tmp_path / "generators" / "one.json").write_text(json.dumps(record))
    verified_diversity.cache_clear()
    ours = entry("ann/faces", copied, GENERATOR)
    verified_diversity.cache_clear()
    assert ours["verified"] and ours["figures"] == [
        {"task": "vendi", "value": 12.5, "low": 12.0, "high": 13.0, "faces": 60}
    ]


def test_settings_that_change_the_answers_unmake_verified(copy: Path) -> None:
    assert entry("ann/net", copy, CLASSIFIER)["verified"]
    config = read_config(copy)
    turned = config.calibration.model_copy(update={"attribute_shift": (1.0,) * 40})
    (copy / "config.json").write_text(config_text(config.model_copy(update={"calibration": turned})))
    verified_records.cache_clear()
    assert not entry("ann/net", copy, CLASSIFIER)["verified"]
    (copy / "config.json").write_text(config_text(config.model_copy(update={"description": "Other words"})))
    verified_records.cache_clear()
    assert entry("ann/net", copy, CLASSIFIER)["verified"]


ODD: list[Any] = [
    {"CelebA": {"attributes": {"mean_accuracy": 10**400}}},
    {"CelebA": 7},
    {"CelebA": {"attributes": "high"}},
    {"CelebA": {"attributes": {"mean_accuracy": "90 %"}}},
    {"CelebA": {"attributes": {"mean_accuracy": True}}},
    {"CelebA": {"groups": 3, "gender": {"accuracy": None}}},
    {"CelebA": {"groups": [1, {"of": "man"}, {"of": {"a": {}, "b": 1}}]}},
]


@pytest.mark.parametrize("metrics", ODD)
def test_what_is_no_figure_is_left_out(metrics: Any) -> None:
    assert charts(metrics) == []
    assert headline_figures(metrics) == []


def test_odd_intervals_do_not_hide_a_figure() -> None:
    figure = {"mean_accuracy": 0.9}
    for interval in (None, [], [0.8], "wide", [None, None], [0.95, 0.99]):
        (row,) = headline_figures({"X" * 500: {"attributes": {**figure, "mean_accuracy_interval": interval}}})
        assert row["low"] <= row["value"] <= row["high"]
        assert len(row["data"]) <= 60


def test_odd_growth_does_no_harm(tmp_path: Path) -> None:
    copied = Path(shutil.copytree(ZOO / "dcgan-faces", tmp_path / "copy"))
    log = copied / "growth" / "log.jsonl"
    log.write_text(log.read_text() + '{"epoch": 99, "step": 99, "vendi": 1e999, "recall": 0.5}\n')
    (copied / "training.json").write_text('{"recipe": {"description": "half \\ud800"}}')
    described = entry("ann/faces", copied, GENERATOR)
    assert json.dumps(described, allow_nan=False).encode() and described["description"].encode()


def test_odd_stories_of_training_do_no_harm(copy: Path) -> None:
    for training in (
        {"members": 3},
        {"members": [1, None, {"recipe": [], "commit": 4}]},
        {"recipe": {"name": {"a": 1}, "data": "everything", "epochs": "many", "seed": 10**30}},
        {"recipe": {"name": "x" * 10_000, "data": [1, {"path": 5}, {"path": "a/<b>celeba"}]}},
    ):
        (copy / "config.json").write_text(config_text(CheckpointConfig(training=training)))
        made = entry("ann/net", copy, CLASSIFIER)["made"]
        assert len(json.dumps(made)) < 2000


HOSTILE_CARD = """---
license: <script>alert(1)</script>
---
# Hello <script>alert(2)</script>
<img src=x onerror=alert(3)> <iframe src="https://example.org"></iframe>
![spy](https://example.org/pixel.png) [run](javascript:alert(4)) [data](data:text/html,<script>alert(5)</script>)
<details open ontoggle=alert(6)>
"""


def test_a_card_can_run_nothing_and_calls_nobody(copy: Path) -> None:
    html = card_html(HOSTILE_CARD)
    assert "alert(2)" in html  # as text
    for bad in ("<script", "<img", "<iframe", "<details", 'href="javascript', 'href="data', 'src="'):
        assert bad not in html
    (copy / "README.md").write_text(HOSTILE_CARD)
    assert entry("ann/net", copy, CLASSIFIER)["terms"] == ""


def test_endless_cards_end() -> None:
    assert len(card_html("[" * 3_000_000)) < 300_000
    assert card_html("> " * 50_000 + "deep")


def test_the_gates_verdict_is_of_exactly_these_two(copy: Path) -> None:
    default, small = (digest_of(folder) for folder in (ZOO / "default", copy))
    judged = gate_between(default, small)
    assert judged is not None and judged["verdict"] == "worse"
    assert "expression" in judged["sentence"] or "attributes" in judged["sentence"]
    assert gate_between(small, default) is None  # the other way round nobody has asked
    assert gate_between(default, small[::-1]) is None
