"""lab-start writes networks that a run of the laboratory starts with."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from facekit.lab import face_run
from facekit.lab.face_run import FaceRun
from facekit.lab.faces import SIDE, Faces
from facekit.lab.settings import LabSettings
from training.cli import app


def test_networks_are_trained_and_can_be_started_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (300, 1, 1, 3), np.uint8)
    faces = Faces(np.broadcast_to(colours, (300, SIDE, SIDE, 3)).copy(), np.arange(300) < 30)
    faces.write(tmp_path / "faces")
    out = tmp_path / "trained" / "faces-32.safetensors"
    done = CliRunner().invoke(app, ["lab-start", str(tmp_path / "faces"), "--steps", "2", "--out", str(out)])
    assert done.exit_code == 0 and "different faces" in done.output
    monkeypatch.setattr(face_run, "TRAINED", out.parent)
    FaceRun(LabSettings(data="faces-32", start="trained"), faces=Faces.read(32, tmp_path / "faces")).step()
