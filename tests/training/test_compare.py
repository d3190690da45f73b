import json
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from rich.console import Console

from facekit.errors import DataError
from training.compare import compare_table, figure_names, read_runs
from training.plots import draw_runs


def run(folder: Path, name: str, accuracies: list[float], **more: float) -> Path:
    (folder / name).mkdir()
    (folder / name / "recipe.json").write_text(json.dumps({"architecture": "face-net"}))
    epochs = [
        {
            "epoch": i,
            "validation": {"celeba gender": value, **more},
            "score": value,
            "seconds": 30,
            "pictures_per_second": 100,
        }
        for i, value in enumerate(accuracies, 1)
    ]
    (folder / name / "log.jsonl").write_text("".join(json.dumps(epoch) + "\n" for epoch in epochs))
    return folder / name


def test_every_run_shows_the_epoch_that_was_kept(tmp_path: Path) -> None:
    folders = [run(tmp_path, "001-a", [0.7, 0.9, 0.8]), run(tmp_path, "002-b", [0.95], **{"utkface mae": 7.25})]
    runs = read_runs(folders)
    assert figure_names(runs) == ["celeba gender", "utkface mae"]
    console = Console(record=True, width=160)
    console.print(compare_table(runs))
    _, first, second = (line.split() for line in console.export_text().strip().splitlines())
    assert first == ["001-a", "face-net", "90.0", "%", "–", "2", "3", "1.5", "100"]
    assert second == ["002-b", "face-net", "95.0", "%", "7.25", "years", "1", "1", "0.5", "100"]


def test_curves_are_drawn(tmp_path: Path) -> None:
    runs = read_runs([run(tmp_path, "001-a", [0.7, 0.9]), run(tmp_path, "002-b", [0.6, 0.8], **{"utkface mae": 7.0})])
    draw_runs(tmp_path / "curves.png", runs)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_losses_are_drawn_where_the_logs_have_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    titles: list[str] = []
    monkeypatch.setattr(Axes, "set", lambda self, **words: titles.append(words["title"]))
    folders = [run(tmp_path, "001-a", [0.7, 0.9]), run(tmp_path, "002-b", [0.6, 0.8])]
    log = (folders[1] / "log.jsonl").read_text().splitlines()
    more = {"loss": {"gender": 0.5}, "validation_loss": {"gender": 0.6, "age": 0.1}}
    (folders[1] / "log.jsonl").write_text("".join(json.dumps(json.loads(line) | more) + "\n" for line in log))
    draw_runs(tmp_path / "curves.png", read_runs(folders))
    assert titles == ["celeba gender", "training loss", "validation loss"]


def test_the_log_says_which_epoch_was_kept(tmp_path: Path) -> None:
    folder = run(tmp_path, "001-a", [0.7, 0.9, 0.8], **{"utkface mae": 7.0})
    log = (folder / "log.jsonl").read_text().splitlines()
    (folder / "log.jsonl").write_text("".join(json.dumps(json.loads(line) | {"best_epoch": 3}) + "\n" for line in log))
    assert read_runs([folder])[0].best["epoch"] == 3


def test_a_narrow_screen_cuts_no_name_short(tmp_path: Path) -> None:
    names = ["001-vgg-face-multi4-uncertainty-small", "002-vgg-face-multi4-weighted-small"]
    figures = {f"celeba {name}": 0.5 for name in ("attributes", "young", "mustache", "lipstick", "mae")}
    console = Console(record=True, width=80)
    console.print(compare_table(read_runs([run(tmp_path, name, [0.7], **figures) for name in names])))
    assert all(name in console.export_text(clear=False) for name in names)


def test_a_generator_has_no_score_to_compare(tmp_path: Path) -> None:
    folder = run(tmp_path, "001-dcgan-faces", [])
    (folder / "log.jsonl").write_text('{"epoch": 1, "discriminator": 0.5, "seconds": 1.0}\n')
    with pytest.raises(DataError, match="001-dcgan-faces trains a generator"):
        read_runs([folder])


def test_a_last_line_that_was_cut_short_does_not_count(tmp_path: Path) -> None:
    folder = run(tmp_path, "001-a", [0.7, 0.9])
    log = folder / "log.jsonl"
    log.write_text(log.read_text()[:-20])
    assert len(read_runs([folder])[0].epochs) == 1
    log.write_text('{"epoch": \n' + log.read_text())
    with pytest.raises(DataError, match=r"log\.jsonl is damaged in line 1"):
        read_runs([folder])


def test_a_damaged_recipe_is_named(tmp_path: Path) -> None:
    folder = run(tmp_path, "001-a", [0.7])
    (folder / "recipe.json").write_text("{")
    with pytest.raises(DataError, match=r"recipe\.json is damaged"):
        read_runs([folder])


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no run with a finished epoch"):
        read_runs([tmp_path])
