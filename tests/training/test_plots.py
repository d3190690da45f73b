"""What is drawn of an evaluation, and that it stays small."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facekit.answers import Answers
from facekit.checkpoints import Calibration
from training.data import LabelArrays
from training.figures import figures
from training.metrics.calibration import reliability
from training.plots import draw_figures


def test_every_figure_is_drawn_where_there_are_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((150, 40)) < 0.4).astype(np.float32)
    truth[:, 5] = np.nan
    p = np.clip(rng.normal(0.3 + 0.4 * truth, 0.2), 0.01, 0.99).astype(np.float32)
    p[:, 5] = 0.5
    years = rng.uniform(1, 90, 150).astype(np.float32)
    labels: LabelArrays = {
        "file": np.arange(150).astype(str),
        "attributes": truth,
        "gender": truth[:, 20],
        "age": years + rng.normal(0, 6, 150).astype(np.float32),
        "expression_label": rng.integers(-1, 6, size=150),  # the last does not occur
    }
    unsure = np.zeros((150, 40), bool)
    expression = rng.dirichlet(np.ones(7), 150).astype(np.float32)
    age = np.full((150, 101), 1 / 101, np.float32)
    answers = Answers(p, unsure, p[:, 20], age, years, years - 5, years + 5, expression, unsure[:, 0])
    record = figures(labels, answers, Calibration(), rng, 20)
    written = draw_figures(tmp_path / "figures", labels, answers, record)
    expected = {"confusion-gender", "confusion-expression", "roc", "precision-recall", "reliability"}
    assert {path.stem for path in written} == expected | {"cumulative-score"}
    assert sorted(written) == sorted((tmp_path / "figures").iterdir())
    assert sum(path.stat().st_size for path in written) < 500_000
    for path in written:
        pixels = np.asarray(Image.open(path).convert("L"))
        assert min(pixels.shape) > 300
        assert np.ptp(pixels) > 200, path.name


def test_only_what_is_answered_is_drawn(tmp_path: Path) -> None:
    years = np.array([20, 30, 40], np.float32)
    labels: LabelArrays = {"file": np.array(["a", "b", "c"]), "age": years + 2}
    answers = Answers(None, None, None, np.full((3, 101), 1 / 101), years, years - 5, years + 5, None, None)
    record = figures(labels, answers, Calibration(), np.random.default_rng(0), 20)
    assert [path.name for path in draw_figures(tmp_path, labels, answers, record)] == ["cumulative-score.png"]


def test_reliability_by_hand() -> None:
    confidence = np.array([0.1, 0.2, 0.9, 0.8, 0.9])
    mean, share, counts = reliability(confidence, np.array([0, 1, 1, 1, np.nan]), bins=2)
    assert mean == pytest.approx([0.15, 0.85])
    assert share.tolist() == [0.5, 1]
    assert counts.tolist() == [2, 2]
