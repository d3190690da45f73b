"""video: frames with their times, upright; what is no clip, or not a whole one, is told."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facekit.errors import VideoError
from facekit.video import read_frames

FRAMES, RATE = 40, 20


def write(path: Path, height: int = 96, width: int = 128, codec: str = "MJPG") -> Path:
    """Two seconds of noise, the upper half of it dark."""
    random = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), RATE, (width, height))
    for _ in range(FRAMES):
        frame = random.integers(128, 256, (height, width, 3), np.uint8)
        frame[: height // 2] //= 16
        writer.write(frame)
    writer.release()
    return path


def cut(path: Path) -> Path:
    """Half of the file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def read(path: Path) -> tuple[list[float], list[NDArray[np.uint8]], str]:
    """Times, frames, and the sentence that ended them, if one did."""
    times, frames = [], []
    try:
        for time, frame in read_frames(path):
            times.append(time)
            frames.append(frame)
    except VideoError as error:
        return times, frames, str(error)
    return times, frames, ""


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a.mp4", "mp4v"), ("a.mkv", "mp4v")])
def test_every_frame_has_its_time(name: str, codec: str, tmp_path: Path) -> None:
    times, frames, error = read(write(tmp_path / name, codec=codec))
    assert times == pytest.approx([i / RATE for i in range(FRAMES)], abs=0.002)
    assert {frame.shape for frame in frames} == {(96, 128, 3)} and not error


def test_a_phone_clip_is_turned_upright(tmp_path: Path) -> None:
    path = write(tmp_path / "phone.mp4", codec="mp4v")
    content = bytearray(path.read_bytes())
    matrix = content.find(b"tkhd") + 44
    quarter = (0, 65536, 0, -65536, 0, 0, 96 * 65536, 0, 2**30)
    content[matrix : matrix + 36] = struct.pack(">9i", *quarter)
    path.write_bytes(content)
    frame = read(path)[1][0]
    assert frame.shape == (128, 96, 3)
    assert frame[:, :40].mean() > 150 and frame[:, 56:].mean() < 40, "the dark half is on the right"


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a.mkv", "mp4v")])
def test_a_clip_that_is_cut_short_is_read_and_told(name: str, codec: str, tmp_path: Path) -> None:
    times, _, error = read(cut(write(tmp_path / name, codec=codec)))
    assert 10 < len(times) < 30
    assert f"{name} ends after {len(times)} of {FRAMES} frames: copy it again" in error


def test_what_is_no_clip_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no clip\n" * 100)
    os.mkfifo(tmp_path / "pipe.mp4")
    cut(write(tmp_path / "cut.mp4", codec="mp4v"))
    sentences = {
        "folder.mp4": "is a folder: name a clip in it.",
        "empty.mp4": "is empty: choose another file.",
        "text.mp4": "has no frames that can be read: save it as MP4",
        "pipe.mp4": "is not a file: name a clip.",
        "cut.mp4": "has no frames that can be read: save it as MP4",
        "missing.mp4": "does not exist: name a clip",
    }
    for name, words in sentences.items():
        assert words in read(tmp_path / name)[2]


def test_a_clip_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")  # root may read every file

    path = write(tmp_path / "a.avi")
    monkeypatch.setattr(Path, "open", refuse)
    assert "cannot be read (Permission denied): check the path and its permissions." in read(path)[2]


def test_the_decoder_says_nothing_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no clip\n" * 100)
    script = "import sys, pathlib, facekit.video as video; [*video.read_frames(pathlib.Path(sys.argv[1]))]"
    for path in (tmp_path / "text.mp4", cut(write(tmp_path / "a.mkv", codec="mp4v"))):
        ended = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True)  # OpenCV asks once
        assert "VideoError" in ended.stderr and " @ 0x" not in ended.stderr
