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


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no run with a finished epoch"):
        read_runs([tmp_path])
