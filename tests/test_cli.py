"""cli: one line a picture, clear ends, nothing half-written, nothing heavy for --help."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from facekit import analyze
from facekit.cli import CSV_COLUMNS, app
from facekit.errors import CheckpointNotFound
from facekit.face import Age, Expression, Face, Gender, Report
from facekit.images import read_image


class FakeAnalyzer:
    """As many faces as the picture's name says: `2-faces.png` has two."""

    def __call__(self, path: Path) -> Report:
        height, width = read_image(path).shape[:2]
        if path.name == "stop.png":
            raise KeyboardInterrupt
        face = Face(
            (1.0, 2.0, 31.0, 42.0),
            0.99,
            np.zeros((5, 2), np.float32),
            attributes={"Smiling": 0.75},
            gender=Gender("woman", 0.9),
            age=Age(30.0, 25.0, 36.0),
            expression=Expression("happy", {"happy": 0.8, "sad": 0.2}),
            unsure=("Smiling", "gender"),
        )
        return Report(width, height, [face] * int(path.name[0]), "fake", "mtcnn", {})


@pytest.fixture(autouse=True)
def fake_analyzer(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    def from_pretrained(name: str | None = None, *, revision: str | None = None, detector: str = "mtcnn") -> Any:
        if name == "nonsense":
            raise CheckpointNotFound("No checkpoint 'nonsense': name a shipped one.")
        return FakeAnalyzer()

    if "real" not in request.node.name:
        monkeypatch.setattr(analyze.FaceAnalyzer, "from_pretrained", from_pretrained)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "inner").mkdir(parents=True)
    for name in ("2-b.png", "0-a.PNG", "inner/1-c.jpg"):
        Image.new("RGB", (64, 48)).save(folder / name)
    (folder / "3-broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("no picture")
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["analyze", *map(str, arguments)])


def is_one_sentence(text: str) -> bool:
    return text.strip().endswith(".") and len(text.strip().splitlines()) == 1 and "Traceback" not in text


def test_jsonl(folder: Path) -> None:
    result = run(folder)
    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [Path(line["file"]).name for line in lines] == ["0-a.PNG", "2-b.png", "3-broken.jpg", "1-c.jpg"]
    assert [len(line["faces"]) for line in lines] == [0, 2, 0, 1]
    assert all(list(line) == ["file", "width", "height", "faces", "error"] for line in lines)
    assert (lines[0]["width"], lines[0]["height"], lines[0]["error"]) == (64, 48, None)
    assert lines[2]["width"] is lines[2]["height"] is None
    assert is_one_sentence(lines[2]["error"])
    assert lines[1]["faces"][0]["gender"] == {"label": "woman", "probability": 0.9}


def test_csv(folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run(folder, "--format", "csv").stdout)))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row["face"] for row in rows] == ["", "1", "2", "", "1"]
    assert rows[1]["x2"] == "31.0"
    assert rows[1]["Smiling"] == "0.75"
    assert rows[1]["Male"] == ""
    assert rows[1]["age_low"] == "25.0"
    assert rows[1]["expression"] == "happy"
    assert rows[1]["unsure"] == "Smiling;gender"
    assert rows[3]["error"]
    assert not rows[0]["error"]


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_out_holds_what_the_screen_would(folder: Path, tmp_path: Path, format: str) -> None:
    out = tmp_path / "answers"
    result = run(folder, "--format", format, "--out", out)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert out.read_text() == run(folder, "--format", format).stdout


def test_nothing_is_half_written(tmp_path: Path) -> None:
    for name in ("1-a.png", "stop.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    out = tmp_path / "answers.jsonl"
    out.write_text("before")
    before = sorted(tmp_path.iterdir())
    result = run(tmp_path / "1-a.png", tmp_path / "stop.png", "--out", out)
    assert result.exit_code != 0
    assert out.read_text() == "before"
    assert sorted(tmp_path.iterdir()) == before


def test_links_stay_and_their_files_are_replaced(folder: Path, tmp_path: Path) -> None:
    out, link = tmp_path / "answers.jsonl", tmp_path / "link.jsonl"
    link.symlink_to(out)
    assert run(folder, "--out", link).exit_code == 0
    assert link.is_symlink()
    assert len(out.read_text().splitlines()) == 4


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_names_that_are_not_utf8(folder: Path, tmp_path: Path, format: str) -> None:
    for source, name in (("2-b.png", b"1-caf\xe9.png"), ("3-broken.jpg", b"broken-\xe9.jpg")):
        os.rename(folder / source, os.path.join(os.fsencode(folder), name))
    out = tmp_path / "answers"
    assert run(folder, "--format", format, "--out", out).exit_code == 0
    result = run(folder, "--format", format)
    assert result.exit_code == 0
    for text in (out.read_text(encoding="utf-8"), result.stdout):
        assert "1-caf\ufffd.png" in text
        assert text.count("broken-\ufffd.jpg") == 2  # its name, and the sentence about it
        assert len(text.splitlines()) == 4 + (format == "csv")


def test_folders_are_searched_for_all_that_photos_end_in(tmp_path: Path) -> None:
    for suffix in ("jfif", "jpe", "MPO"):
        Image.new("RGB", (8, 8)).save(tmp_path / f"0.{suffix}", "JPEG")
    for suffix in ("heic", "HEIF"):
        (tmp_path / f"0.{suffix}").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    lines = [json.loads(line) for line in run(tmp_path).stdout.splitlines()]
    assert {Path(line["file"]).suffix: "HEIC" in str(line["error"]) for line in lines} == {
        ".jfif": False, ".jpe": False, ".MPO": False, ".heic": True, ".HEIF": True,
    }  # fmt: skip


def test_every_file_failed(folder: Path, tmp_path: Path) -> None:
    result = run(folder / "3-broken.jpg", tmp_path / "missing.png")
    assert result.exit_code == 1
    assert all(json.loads(line)["error"] for line in result.stdout.splitlines())


@pytest.mark.parametrize(
    "options",
    [
        ("--detector", "nonsense"),
        ("--checkpoint", "nonsense"),
        ("--out", "/no/such/folder/answers.jsonl"),
        ("--out", "/dev/null"),
    ],
)
def test_usage_errors(folder: Path, options: tuple[str, ...]) -> None:
    result = run(folder, *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert is_one_sentence(result.stderr)


def test_no_pictures(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.exit_code == 2
    assert is_one_sentence(result.stderr)
    assert run().exit_code == 2
    assert run(tmp_path, "--format", "xml").exit_code == 2
    empty = run("")
    assert empty.exit_code == 2 and empty.stdout == "" and is_one_sentence(empty.stderr)


@pytest.mark.parametrize("suffix", ["", ".png"])
def test_a_name_that_is_too_long_is_a_line_with_an_error(suffix: str) -> None:
    result = run("a" * 300 + suffix)
    assert result.exit_code == 1 and json.loads(result.stdout)["error"].endswith(".")


def test_help_is_light() -> None:
    code = (
        "import sys; from facekit.cli import app; app(['--help'], standalone_mode=False); "
        "heavy = {'torch', 'torchvision', 'gradio', 'cv2', 'numpy'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "analyze" in done.stdout


def test_version_and_checkpoints() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout.startswith("facekit 0")
    listed = CliRunner().invoke(app, ["checkpoints"])
    assert listed.exit_code == 0
    assert any(line.split()[0] == "default" for line in listed.stdout.splitlines())


def test_real_run(tmp_path: Path) -> None:
    from skimage.data import astronaut

    Image.fromarray(astronaut()).save(tmp_path / "astronaut.png")
    command = [sys.executable, "-m", "facekit", "analyze", str(tmp_path), "--out", str(tmp_path / "out.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out.jsonl").read_text())
    assert (record["width"], record["height"], record["error"]) == (512, 512, None)
    assert len(record["faces"]) == 1
    assert len(record["faces"][0]["attributes"]) == 40


def start(*words: object, **streams: Any) -> subprocess.Popen[bytes]:
    """The real command, without torch: whatever is read has no faces, and `wait.png` takes a minute."""
    code = (
        "import sys, time; from facekit import analyze; from facekit.cli import app; from facekit.face import Report\n"
        "def read(path): path.name == 'wait.png' and time.sleep(60); return Report(8, 8, [], 'fake', 'mtcnn', {})\n"
        "analyze.FaceAnalyzer.from_pretrained = lambda *_, **__: read\n"
        "app(['analyze', *sys.argv[1:]])"
    )
    return subprocess.Popen([sys.executable, "-c", code, *map(str, words)], stderr=subprocess.PIPE, **streams)


def test_stdout_that_is_full_is_told_and_one_that_is_closed_is_not(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with open("/dev/full", "wb") as full:
        process = start(tmp_path, stdout=full)
    told = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 2
    assert is_one_sentence(told)
    assert "No space left on device" in told and "--out" in told
    reading, writing = os.pipe()
    os.close(reading)
    process = start(tmp_path, stdout=writing)
    os.close(writing)
    assert process.communicate(timeout=60)[1] == b""
    assert process.returncode != 0


def test_stdout_is_utf8_whatever_the_locale_says(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "é.png")
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    process = start(tmp_path, stdout=subprocess.PIPE, env=environment)
    assert json.loads(process.communicate(timeout=60)[0].decode())["file"] == str(tmp_path / "é.png")


def test_sigterm_leaves_nothing_behind(tmp_path: Path) -> None:
    pictures, out = tmp_path / "pictures", tmp_path / "out" / "o.jsonl"
    pictures.mkdir()
    out.parent.mkdir()
    Image.new("RGB", (8, 8)).save(pictures / "wait.png")
    process = start(pictures, "--out", out)
    before = time.monotonic()
    while not list(out.parent.iterdir()):
        assert time.monotonic() - before < 60
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 128 + signal.SIGTERM
    assert list(out.parent.iterdir()) == []


def clip(path: Path, astronaut: np.ndarray, frames: int = 12) -> Path:
    """A short clip of the astronaut, 20 pictures a second."""
    import cv2

    height, width = astronaut.shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 20, (width, height))
    for i in range(frames):
        writer.write(np.roll(astronaut[..., ::-1], 4 * i, 1))
    writer.release()
    return path


def test_real_faces_are_followed_through_a_clip(tmp_path: Path, astronaut: np.ndarray) -> None:
    file = clip(tmp_path / "clip.mp4", astronaut)
    lines = [json.loads(line) for line in run(file).stdout.splitlines()]
    assert [line["time"] for line in lines] == pytest.approx([i / 20 for i in range(12)], abs=0.002)
    assert all([face["track"] for face in line["faces"]] == [1] for line in lines)
    moved = [line["faces"][0]["box"][0] for line in lines]
    assert moved[-1] - moved[0] == pytest.approx(44, abs=10)
    rows = list(csv.DictReader(io.StringIO(run(tmp_path, "--format", "csv").stdout)))
    assert (rows[3]["track"], rows[3]["time"], rows[3]["face"]) == ("1", "0.15", "1")


def test_real_clips_whose_names_are_not_utf8(tmp_path: Path, astronaut: np.ndarray) -> None:
    clip(tmp_path / "clip.mp4", astronaut, 2).rename(tmp_path / os.fsdecode(b"\xe9.mp4"))
    (tmp_path / os.fsdecode(b"broken-\xe9.mp4")).write_bytes(b"no clip")
    broken, *frames = map(json.loads, run(tmp_path).stdout.splitlines())
    assert broken["error"].startswith(f"{tmp_path}/broken-\ufffd.mp4 has no frames")
    assert [Path(frame["file"]).name for frame in frames] == ["\ufffd.mp4"] * 2


def test_a_clip_without_real_frames_is_told(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no clip")
    result = run(tmp_path / "clip.mp4", tmp_path / "missing.mov", "a" * 300 + ".mp4")
    first, second, third = map(json.loads, result.stdout.splitlines())
    assert result.exit_code == 1
    assert "no frames" in first["error"] and "does not exist" in second["error"]
    assert all(is_one_sentence(line["error"]) for line in (first, second, third))
