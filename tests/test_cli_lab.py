"""lab-faces: from a generator or a folder to faces that the laboratory reads; clear ends."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facekit.cli import app
from facekit.lab.collect import LEAST
from facekit.lab.faces import LABELS, SIDE, Faces


def test_a_generators_faces_become_the_laboratorys(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["lab-faces", "dcgan-conditional", "--count", str(LEAST), "--out", str(tmp_path)])
    assert done.exit_code == 0 and done.output == f"{LEAST} faces in {tmp_path}\n"
    faces = Faces.read(SIDE, tmp_path)
    assert faces.portraits.shape == (LEAST, SIDE, SIDE, 3) and 0 < faces.group.mean() < 0.6
    assert json.loads((tmp_path / LABELS).read_text())["source"] == "dcgan-conditional"


def test_what_gives_no_faces_is_told(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for source, message in [(str(tmp_path), "no pictures"), ("nobody/nothing/here", "No checkpoint")]:
        done = CliRunner().invoke(app, ["lab-faces", source, "--out", str(out)])
        assert done.exit_code == 2 and message in done.output and not out.exists()
    few = CliRunner().invoke(app, ["lab-faces", "dcgan-conditional", "--count", "9", "--out", str(out)])
    assert few.exit_code == 2 and f"at least {LEAST}" in few.output


def test_an_empty_folder_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["lab-faces", "dcgan-conditional", "--out", ""])
    assert done.exit_code == 2 and "--out is empty: name a folder" in done.output
    assert not list(tmp_path.iterdir()), "also the current folder is left alone"


def test_sigterm_leaves_nothing_behind(tmp_path: Path) -> None:
    code = (
        "import signal, sys; import numpy as np; from PIL import Image; from facekit.cli import app\n"
        "from facekit.lab import collect, faces\n"
        "some = faces.Faces(np.zeros((4, 64, 64, 3), np.uint8), np.arange(4) < 1)\n"
        "collect.from_generator = lambda *_: some\n"
        "Image.Image.save = lambda *_, **__: signal.raise_signal(signal.SIGTERM)\n"
        "app(['lab-faces', 'dcgan-faces', '--out', sys.argv[1]])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60, check=False)
    assert done.returncode == 128 + signal.SIGTERM and list(tmp_path.iterdir()) == []
