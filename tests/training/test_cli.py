"""The command line: what it writes, and that a user's mistake is one sentence and exit code 2."""

import io
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner, Result

import facekit.analyze
import training.data.prepare
import training.loop
from facekit.align import FACE
from facekit.answers import Answers
from facekit.checkpoints import CheckpointConfig
from facekit.detect import Detections
from facekit.errors import CheckpointNotFound
from facekit.tasks import AgeTask
from training.cli import app
from training.data import Source
from training.data.prepare import Prepared
from training.records import Record


class FindsNothing:
    """A detector for pictures that are a face."""

    name = "stand-in"

    def __call__(self, image: NDArray[np.uint8]) -> Detections:
        return Detections.none()


def read_colour(crops: NDArray[np.uint8]) -> Answers:
    """Everyone is a woman as old as the red of the middle."""
    years = crops[:, 64, 56, 0].astype(np.float32)
    age = np.full((len(crops), 101), 1 / 101, np.float32)
    return Answers(None, None, 0 * years, age, years, years - 5, years + 5, None, None)


def colour(red: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (96, 96), (red, 0, 0)).save(file, "PNG")
    return file.getvalue()


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def mistake(*words: object) -> str:
    """The one sentence of a command that must fail."""
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "utkface"
    folder.mkdir()
    for split, first in {"train": 20, "test": 40}.items():
        images = [{"bytes": colour(first + i), "path": f"{i}.png"} for i in range(6)]
        table = pa.table({"image": images, "age": [first + i + 1 for i in range(6)], "gender": ["female"] * 6})
        pq.write_table(table, folder / f"{split}-00000-of-00001.parquet")
    return folder


@pytest.fixture
def analyzer(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Every checkpoint is the stand-in; what was asked for is remembered."""
    asked: dict[str, Any] = {}

    def from_pretrained(name: str | None = None, **options: Any) -> Any:
        if name == "nothing":
            raise CheckpointNotFound("No checkpoint 'nothing': name a shipped one.")
        asked.update(options, name=name)
        config = CheckpointConfig(tasks={"age": AgeTask()})
        checkpoint = SimpleNamespace(name="colour", config=config, digest="0" * 64)
        return SimpleNamespace(
            detector=FindsNothing(),
            framing=FACE,
            checkpoint=checkpoint,
            predict=read_colour,
            embed=lambda crops: crops[:, 64, 56].astype(np.float32),
        )

    monkeypatch.setattr(facekit.analyze.FaceAnalyzer, "from_pretrained", from_pretrained)
    return asked


def read(path: Path) -> Record:
    record: Record = json.loads(path.read_text())
    return record


def test_evaluate_takes_the_test_split_and_writes_the_record(
    data: Path, analyzer: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "out" / "utkface.json"
    result = run("evaluate", "--data", data, "--json", out, "--workers", 0, "--resamples", 50)
    assert result.exit_code == 0, result.output
    record = read(out)
    assert (record["split"], record["pictures"]) == ("test", 6)
    assert record["age"]["mae"] == 1
    assert record["gender"]["accuracy"] == 1
    command = f"python -m training evaluate --data {data} --split test --detector mtcnn --resamples 50"
    assert record["command"] == command
    assert "1.00 years" in result.stdout
    assert analyzer == {"name": None, "detector": "mtcnn", "device": None}
    assert [path.name for path in out.parent.iterdir()] == ["utkface.json"]


def test_the_command_says_what_it_drew(data: Path, analyzer: dict[str, Any], tmp_path: Path) -> None:
    words = ("--data", data, "--json", tmp_path / "r.json", "--workers", 0)
    assert run("evaluate", *words, "--seed", 3).exit_code == 0
    assert read(tmp_path / "r.json")["command"].endswith("--detector mtcnn --seed 3")


@pytest.mark.parametrize("option", ["--json", "--answers", "--figures", "--mistakes"])
def test_a_place_that_cannot_be_written_is_told_before_the_evaluation(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setattr(facekit.analyze.FaceAnalyzer, "from_pretrained", lambda *_, **__: pytest.fail("it was run"))
    pipe, link, file = tmp_path / "pipe", tmp_path / "link", tmp_path / "file"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    file.touch()
    for path in (pipe, link, file / "inner"):
        told = mistake("evaluate", "--data", data, option, path)
        assert "choose another place." in told
    assert pipe.is_fifo() and link.is_symlink()
    images = [{"bytes": colour(i), "path": f"{i}.png"} for i in range(24)]
    pq.write_table(pa.table({"image": images, "celeb_id": [i // 3 for i in range(24)]}), tmp_path / "people.parquet")
    words = ("--data", tmp_path / "people.parquet", "--each", 3, "--folds", 2, "--json", pipe)
    assert "is not a file" in mistake("verify", *words)


def test_a_device_that_is_not_there_is_told(data: Path, analyzer: dict[str, Any], tmp_path: Path) -> None:
    for command in ("evaluate", "verify"):
        told = mistake(command, "--data", data, "--device", "nope")
        assert told.startswith("Unknown device 'nope': choose one of cpu")
    gate = ("gate", "--candidate", "a", "--baseline", "b", "--data", data)
    assert "Unknown device 'cuda:99'" in mistake(*gate, "--device", "cuda:99")
    assert run("evaluate", "--data", data, "--workers", 0, "--resamples", 20, "--device", "cpu").exit_code == 0
    assert analyzer["device"] == "cpu"


def test_unseen_leaves_out_what_was_trained_on(data: Path, analyzer: dict[str, Any], tmp_path: Path) -> None:
    train = pq.read_table(data / "train-00000-of-00001.parquet").slice(2, 2)
    test = pq.read_table(data / "test-00000-of-00001.parquet")
    pq.write_table(pa.concat_tables([test, train]), data / "test-00000-of-00001.parquet")
    out = tmp_path / "r.json"
    result = run("evaluate", "--data", data, "--json", out, "--workers", 0, "--resamples", 50, "--unseen")
    assert "2 of 8 left out (copies of training pictures)" in result.stderr
    assert read(out)["pictures"] == 6
    assert read(out)["command"].endswith(" --unseen")


def test_evaluate_one_file_with_a_named_checkpoint(data: Path, analyzer: dict[str, Any], tmp_path: Path) -> None:
    file, out = data / "train-00000-of-00001.parquet", tmp_path / "r.json"
    words = ("--checkpoint", "user/model", "--data", file, "--detector", "haar", "--json", out, "--workers", 0)
    assert run("evaluate", *words).exit_code == 0
    assert read(out)["split"] == "train"
    assert "--checkpoint user/model" in read(out)["command"]
    assert (analyzer["name"], analyzer["detector"]) == ("user/model", "haar")


def test_evaluate_writes_answers_that_mcnemar_compares(data: Path, analyzer: dict[str, Any], tmp_path: Path) -> None:
    answers = tmp_path / "deep" / "a.jsonl"
    words = ("--data", data, "--workers", 0, "--resamples", 20, "--answers", answers)
    more = ("--figures", tmp_path / "figures", "--mistakes", tmp_path / "mistakes", "--most", 1)
    result = run("evaluate", *words, *more)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "figures" / "cumulative-score.png").exists()
    assert "Nothing was answered wrong." in (tmp_path / "mistakes" / "index.html").read_text()
    compared = [json.loads(line) for line in run("mcnemar", answers, answers).stdout.splitlines()]
    assert [(one["question"], one["pictures"], one["p"]) for one in compared] == [("gender", 6, 1), ("age", 6, 1)]


def test_verify_pairs_people_by_their_identity(analyzer: dict[str, Any], tmp_path: Path) -> None:
    images = [{"bytes": colour(i), "path": f"{i}.png"} for i in range(24)]
    table = pa.table({"image": images, "celeb_id": [i // 3 for i in range(24)]})
    pq.write_table(table, tmp_path / "people.parquet")
    out = tmp_path / "v.json"
    words = ("--data", tmp_path / "people.parquet", "--each", 3, "--folds", 2, "--json", out, "--workers", 0)
    result = run("verify", *words)
    assert result.exit_code == 0, result.output
    assert read(out)["verification"]["pairs"] == 12
    assert read(out)["command"].endswith("--detector mtcnn --each 3 --folds 2")
    assert "same person or not, accuracy" in result.stdout
    assert run("report", out, "--out", tmp_path / "R.md").exit_code == 0
    assert "same person or not, equal error rate" in (tmp_path / "R.md").read_text()


def test_verify_on_lfw_s_own_pairs_writes_the_options_that_it_used(analyzer: dict[str, Any], tmp_path: Path) -> None:
    for i, name in enumerate(["Ann", "Bob", "Cleo", "Dan"]):
        for number in (1, 2):
            file = tmp_path / "lfw" / name / f"{name}_{number:04d}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(colour(50 * i + number))
    (tmp_path / "pairs.txt").write_text("2 1\nAnn 1 2\nAnn 1 Bob 1\nCleo 1 2\nCleo 1 Dan 1\n")
    result = run("verify", "--data", tmp_path, "--json", tmp_path / "v.json", "--workers", 0)
    assert result.exit_code == 0, result.output
    assert read(tmp_path / "v.json")["command"] == f"python -m training verify --data {tmp_path} --detector mtcnn"


def test_mistakes_are_one_sentence(data: Path, analyzer: dict[str, Any], tmp_path: Path) -> None:
    assert "known layouts" in mistake("evaluate", "--data", tmp_path)
    assert "does not exist" in mistake("evaluate", "--data", tmp_path / "x")
    assert "no split 'dev'" in mistake("prepare", "--data", data, "--split", "dev", "--out", tmp_path / "o")
    assert "No checkpoint" in mistake("evaluate", "--checkpoint", "nothing", "--data", data)
    for name in ("no-such-recipe", "owner/recipe"):
        assert f"Unknown recipe '{name}'" in mistake("fit", name)
    assert "lerning_rate" in mistake("fit", "faces", "lerning_rate=1")
    assert "who is on which picture" in mistake("verify", "--data", data)
    assert "Cannot read" in mistake("mcnemar", tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert "No records" in mistake("report", tmp_path, "--out", tmp_path / "R.md")


def test_recipes_are_listed() -> None:
    result = run("recipes")
    assert result.exit_code == 0
    assert "faces" in result.stdout


def test_fit_hands_the_recipe_to_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def fit(recipe: Any, *, resume: bool = False, track: bool = False) -> Path:
        asked.extend([recipe.seed, recipe.epochs, resume, track])
        return Path("runs/001-faces/best")

    monkeypatch.setattr(training.loop, "fit", fit)
    result = run("fit", "faces", "seed=5", "epochs=1", "--resume", "--track")
    assert result.exit_code == 0
    assert "runs/001-faces/best" in result.stdout
    assert asked == [5, 1, True, True]
    assert run("fit", "faces", "--small").exit_code == 0
    assert asked[5] == 2  # epochs of the small form


def test_report_writes_results_from_records(data: Path, analyzer: dict[str, Any], tmp_path: Path) -> None:
    records = tmp_path / "records"
    run("evaluate", "--data", data, "--json", records / "utkface.json", "--workers", 0, "--resamples", 50)
    for _ in range(2):
        assert run("report", records, "--out", tmp_path / "RESULTS.md").exit_code == 0
    text = (tmp_path / "RESULTS.md").read_text()
    assert "## UTKFace, test: `colour`" in text
    assert "| yes |" in text


def test_report_writes_the_card_from_the_checkpoint_s_own_records(
    data: Path, analyzer: dict[str, Any], tmp_path: Path
) -> None:
    folder, records = tmp_path / "colour", tmp_path / "records"
    folder.mkdir()
    (folder / "config.json").write_text(CheckpointConfig(tasks={"age": AgeTask()}).model_dump_json())
    run("evaluate", "--data", data, "--json", records / "utkface.json", "--workers", 0, "--resamples", 50)
    result = run("report", records, "--out", tmp_path / "RESULTS.md", "--card", folder)
    assert result.exit_code == 0, result.output
    assert "age, mean absolute error" in (folder / "README.md").read_text()
    folder.rename(tmp_path / "other")
    assert "No record is of other" in mistake(
        "report", records, "--out", tmp_path / "R.md", "--card", tmp_path / "other"
    )


def test_what_is_left_out_is_said(analyzer: dict[str, Any], tmp_path: Path) -> None:
    for i in range(200):
        (tmp_path / f"{i % 90}_1_0_{i}.jpg").write_bytes(colour(i))
    (tmp_path / "61_1_2017.jpg").write_bytes(colour(1))
    result = run("evaluate", "--data", tmp_path, "--workers", 0, "--resamples", 20)
    assert result.exit_code == 0, result.output
    assert "1 of 201 left out (malformed names): 61_1_2017.jpg." in result.stderr


def test_what_is_true_of_several_splits_is_said_once(analyzer: dict[str, Any], tmp_path: Path) -> None:
    for i, name in enumerate(["Ann", "Bob", "Cleo", "Dan"]):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(colour(i))
    result = run("evaluate", "--data", tmp_path, "--unseen", "--workers", 0)
    assert result.stderr.count("each is read as one person") == 1


def test_prepare_crops_the_chosen_split(data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def prepare(source: Source, folder: Path, *, detector: str, workers: int) -> Prepared:
        assert (source.name, folder, detector, workers) == ("utkface", tmp_path / "out", "haar", 2)
        crops = np.zeros((len(source), 160, 144, 3), np.uint8)
        return Prepared(source.name, crops, source.labels, np.arange(len(source)) > 0)

    monkeypatch.setattr(training.data.prepare, "prepare", prepare)
    words = ("--data", data, "--split", "train", "--out", tmp_path / "out", "--detector", "haar")
    result = run("prepare", *words)
    assert result.exit_code == 0, result.output
    assert f"6 crops in {tmp_path / 'out'}, 1 of them without a face found." in result.stdout


@pytest.mark.parametrize("option", [["--track"], ["--on", "hf-jobs"]])
def test_a_generator_trains_here_and_without_live_curves(option: list[str]) -> None:
    assert "leave out --track and --on" in mistake("fit", "dcgan-faces", *option)
