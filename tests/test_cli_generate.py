"""python -m facekit generate: files and lines that say which face, one sentence for a mistake, nothing half-written."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from facekit.cli import app
from facekit.cli_generate import read_attributes
from facekit.errors import GenerationError
from facekit.generate import FaceGenerator
from facekit.nets.dcgan import DcganGenerator

NAMES = ("Male", "Smiling", "Eyeglasses")
TABLE = [[0, 1, 0, 0.5], [1, 0, 0, 0.3], [1, 1, 1, 0.2]]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("tiny")
    FaceGenerator(DcganGenerator(size=16, width=4, attributes=NAMES, combinations=TABLE).eval()).save_pretrained(folder)
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["generate", *map(str, arguments)])


def test_files_and_lines(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "faces"
    result = run("--count", 3, "--seed", 7, "--checkpoint", checkpoint, "--out", out, "--truncation", 0.8)
    assert result.exit_code == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [Path(line["file"]).name for line in lines] == ["seed-7-0000.png", "seed-7-0001.png", "seed-7-0002.png"]
    assert [(line["seed"], line["index"], line["truncation"]) for line in lines] == [(7, i, 0.8) for i in range(3)]
    assert sorted(path.name for path in out.iterdir()) == [Path(line["file"]).name for line in lines]
    generator = FaceGenerator.from_pretrained(str(checkpoint))
    for line, face in zip(lines, generator.sample(3, seed=7, truncation=0.8), strict=True):
        with Image.open(line["file"]) as picture:
            np.testing.assert_array_equal(np.asarray(picture), np.asarray(face))
            assert "does not exist" in picture.text["Description"]  # type: ignore[attr-defined]


def test_attributes_are_asked_for_and_told(checkpoint: Path, tmp_path: Path) -> None:
    common = ("--count", 6, "--seed", 1, "--checkpoint", checkpoint, "--out", tmp_path)
    result = run(*common, "--attributes", "Smiling, no-Eyeglasses", "--attributes", "no-Male")
    assert result.exit_code == 0, result.stderr
    told = [json.loads(line)["attributes"] for line in result.stdout.splitlines()]
    assert told == [{"Male": False, "Smiling": True, "Eyeglasses": False}] * 6


def test_a_seed_is_found_where_none_is_given(checkpoint: Path, tmp_path: Path) -> None:
    common = ("--count", 1, "--checkpoint", checkpoint)
    seeds = [json.loads(run(*common, "--out", tmp_path / part).stdout)["seed"] for part in "ab"]
    assert seeds[0] != seeds[1]
    again = json.loads(run(*common, "--out", tmp_path / "c", "--seed", seeds[0]).stdout)
    assert Path(again["file"]).read_bytes() == (tmp_path / "a" / f"seed-{seeds[0]}-0000.png").read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--count", 0), "1 to 1024"),
        (("--count", 2000), "1 to 1024"),
        (("--truncation", 0), "0.1 or more"),
        (("--attributes", "Beard"), "Unknown attribute 'Beard'"),
        (("--attributes", "Smiling,no-Smiling"), "choose one of them"),
        (("--attributes", "Smiling,,Male"), "A name is missing"),
        (("--checkpoint", "nobody"), "No checkpoint 'nobody'"),
    ],
)
def test_mistakes_are_one_sentence(checkpoint: Path, tmp_path: Path, options: tuple[object, ...], message: str) -> None:
    out = tmp_path / "faces"
    result = run("--checkpoint", checkpoint, "--out", out, *options)
    assert result.exit_code == 2
    assert result.stdout == "" and message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1 and result.stderr.strip().endswith(".")
    assert not out.exists(), "nothing is made before it can be filled"


@pytest.mark.parametrize("out", ["", " "])
def test_an_empty_folder_name(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("--count", 1, "--checkpoint", checkpoint, "--out", out)
    assert result.exit_code == 2 and result.stdout == ""
    assert "--out is empty: name a folder" in result.stderr and len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir()), "also the current folder is left alone"


def test_a_folder_that_is_a_file(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    result = run("--count", 1, "--checkpoint", checkpoint, "--out", tmp_path / "file")
    assert result.exit_code == 2 and "choose another folder for --out" in result.stderr
    assert (tmp_path / "file").read_text() == "kept"


def test_nothing_is_half_written(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save, saved = Image.Image.save, []

    def full(self: Image.Image, *arguments: object, **options: object) -> None:
        saved.append(arguments)
        if len(saved) == 3:
            raise OSError(28, "No space left on device")
        save(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Image.Image, "save", full)
    result = run("--count", 4, "--checkpoint", checkpoint, "--out", tmp_path / "faces")
    assert result.exit_code == 2 and "No space left on device" in result.stderr
    assert list((tmp_path / "faces").iterdir()) == []


def test_sigterm_leaves_nothing_behind(tmp_path: Path) -> None:
    code = (
        "import signal, sys; from pathlib import Path; from facekit.cli_generate import write_pictures\n"
        "class Ends:\n"
        "    def save(self, path, **_): path.touch(); signal.raise_signal(signal.SIGTERM)\n"
        "write_pictures(Path(sys.argv[1]), {'a.png': Ends()})"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60, check=False)
    assert done.returncode == 128 + signal.SIGTERM and list(tmp_path.iterdir()) == []


def test_words_of_attributes() -> None:
    assert read_attributes([]) == {}
    assert read_attributes(["Smiling", "no-Male,Smiling"]) == {"Smiling": True, "Male": False}
    with pytest.raises(GenerationError, match="A name is missing"):
        read_attributes(["no-"])
