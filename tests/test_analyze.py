import json
from pathlib import Path

import numpy as np
import pytest
import torch

import facekit
from facekit.analyze import FaceAnalyzer
from facekit.checkpoints import CheckpointConfig, write_checkpoint
from facekit.detect import DETECTORS, Detections
from facekit.errors import CheckpointNotFound, ImageError, UnknownName, UnreadableImage
from facekit.labels import ATTRIBUTES, EXPRESSIONS
from facekit.nets import build
from facekit.tasks import AgeTask, AttributesTask


@pytest.fixture(scope="session")
def analyzer() -> FaceAnalyzer:
    return facekit.FaceAnalyzer.from_pretrained()


class Fixed:
    """A detector that finds the same faces everywhere."""

    name = "fixed"

    def __init__(self, *lefts: float) -> None:
        boxes = np.array([[left, 10, left + 40, 50] for left in lefts], np.float32).reshape(-1, 4)
        points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32) * 40
        landmarks = points + boxes[:, None, :2]
        self.detections = Detections(boxes, np.full(len(boxes), 0.9, np.float32), landmarks)

    def __call__(self, image: np.ndarray) -> Detections:
        return self.detections


def test_the_astronaut(analyzer: FaceAnalyzer, astronaut: np.ndarray) -> None:
    """A public-domain portrait that needs no data set: Eileen Collins, 43, smiling, in 1999."""
    report = analyzer(astronaut)
    assert (report.width, report.height, report.detector) == (512, 512, "mtcnn")
    [face] = report.faces
    x1, y1, x2, y2 = face.box
    assert 150 < x1 < 190 and 50 < y1 < 90 and 250 < x2 < 290 and 170 < y2 < 220
    assert face.landmarks.shape == (5, 2)
    assert face.gender is not None and 0.5 <= face.gender.probability <= 1
    assert face.attributes["Smiling"] > 0.8
    assert face.attributes["Eyeglasses"] < 0.2
    assert face.age is not None and face.age.low < face.age.years < face.age.high
    assert 20 < face.age.years < 60
    assert face.expression is not None and face.expression.label == "happy"
    assert sum(face.expression.probabilities.values()) == pytest.approx(1, abs=1e-3)
    json.dumps(report.to_dict())


@pytest.mark.parametrize("detector", ["haar", "mtcnn"])
def test_the_astronaut_is_perceived_as_a_woman(astronaut: np.ndarray, detector: str) -> None:
    report = FaceAnalyzer.from_pretrained(detector=detector)(astronaut)
    best = max(report.faces, key=lambda face: face.box[2] - face.box[0])
    assert best.gender is not None
    assert best.gender.label == "woman" or "gender" in best.unsure


def test_a_device_that_is_not_here() -> None:
    for name in ("nope", "cuda:99"):
        with pytest.raises(UnknownName, match=f"Unknown device '{name}'"):
            FaceAnalyzer.from_pretrained(device=name)


def test_one_picture_is_no_batch(analyzer: FaceAnalyzer, astronaut: np.ndarray) -> None:
    for one in (astronaut, "photo.jpg", b"bytes"):
        with pytest.raises(ImageError, match="put this one into a list"):
            analyzer.batch(one)  # type: ignore[arg-type]


def test_a_batch_says_which_picture_cannot_be_used(analyzer: FaceAnalyzer, astronaut: np.ndarray) -> None:
    with pytest.raises(UnreadableImage, match=r"^Picture 2: .*empty"):
        analyzer.batch([astronaut, b"", b""])
    with pytest.raises(UnreadableImage, match=r"^(?!Picture)"):
        analyzer(b"")


def test_every_form_of_a_picture_gives_the_same_answer(
    analyzer: FaceAnalyzer, astronaut: np.ndarray, tmp_path: Path
) -> None:
    from PIL import Image

    image = Image.fromarray(astronaut)
    image.save(tmp_path / "face.png")
    forms = [astronaut, image, tmp_path / "face.png", str(tmp_path / "face.png"), (tmp_path / "face.png").read_bytes()]
    first, *others = [report.to_dict() for report in analyzer.batch(forms)]
    assert all(other == first for other in others)
    assert analyzer(astronaut).to_dict()["faces"][0]["box"] == first["faces"][0]["box"]


def test_faces_come_left_to_right_and_belong_to_their_picture(analyzer: FaceAnalyzer) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (60, 200, 3), dtype=np.uint8)
    fixed = FaceAnalyzer(analyzer.checkpoint, Fixed(150, 0, 70))
    alone, twice = fixed(picture), fixed.batch([picture, picture[:, ::-1]])
    assert [face.box[0] for face in alone.faces] == [0, 70, 150]
    assert len(twice) == 2
    for face, again in zip(alone.faces, twice[0].faces, strict=True):
        assert face.attributes == pytest.approx(again.attributes, abs=1e-5)


def test_no_face_is_an_empty_list(analyzer: FaceAnalyzer) -> None:
    assert FaceAnalyzer(analyzer.checkpoint, Fixed())(np.zeros((50, 50, 3), np.uint8)).faces == []
    assert analyzer(np.full((1, 1, 3), 128, np.uint8)).faces == []


def test_real_photos(analyzer: FaceAnalyzer, shared_data: Path) -> None:
    """43 boxed faces in ten photos (some as small as 37 px): all but a few are found, in either detector's words."""
    import xml.etree.ElementTree as ET

    found = total = 0
    for listing in ("training.xml", "testing.xml"):
        for image in ET.parse(shared_data / "detection" / "faces" / listing).iter("image"):
            report = analyzer(shared_data / "detection" / "faces" / image.attrib["file"])
            centres = np.array([[(f.box[0] + f.box[2]) / 2, (f.box[1] + f.box[3]) / 2] for f in report.faces]).reshape(
                -1, 2
            )
            for box in image.iter("box"):
                left, top, width, height = (int(box.attrib[k]) for k in ("left", "top", "width", "height"))
                middle = np.array([left + width / 2, top + height / 2])
                total += 1
                found += bool((np.abs(centres - middle).max(1) < width / 2).any())
    assert total == 43
    assert found >= 40


@pytest.mark.parametrize("detector", DETECTORS)
def test_both_detectors_see_the_smile(astronaut: np.ndarray, detector: str) -> None:
    report = FaceAnalyzer.from_pretrained(detector=detector)(astronaut)
    best = max(report.faces, key=lambda face: face.box[2] - face.box[0])
    assert best.landmarks_estimated == (detector == "haar")
    assert best.attributes["Smiling"] > 0.8


def test_a_checkpoint_with_one_head_answers_one_question(tmp_path: Path) -> None:
    network = {"widths": [4, 4, 8, 8], "depths": [1, 1, 1, 1]}
    config = CheckpointConfig(network=network, tasks={"age": AgeTask()})
    write_checkpoint(tmp_path, build("face-net", {"age": 101}, network), config)
    fixed = FaceAnalyzer(FaceAnalyzer.from_pretrained(tmp_path).checkpoint, Fixed(0))
    [face] = fixed(np.zeros((60, 60, 3), np.uint8)).faces
    assert face.age is not None
    assert face.attributes == {} and face.gender is None and face.expression is None
    assert face.to_dict()["expression"] is None


def test_predictions_are_calibrated_arrays(analyzer: FaceAnalyzer) -> None:
    width, height = analyzer.framing.size
    crops = np.random.default_rng(0).integers(0, 256, (70, height, width, 3), dtype=np.uint8)
    answers = analyzer.predict(crops)
    assert answers.attributes is not None and answers.attributes.shape == (70, len(ATTRIBUTES))
    assert answers.expression is not None and answers.expression.shape == (70, len(EXPRESSIONS))
    assert answers.age is not None and np.allclose(answers.age.sum(1), 1, atol=1e-4)
    mirrored = analyzer.predict(crops[:3, :, ::-1])
    assert mirrored.attributes is not None
    np.testing.assert_allclose(mirrored.attributes, answers.attributes[:3], atol=1e-4)


def test_what_does_not_exist_is_told() -> None:
    with pytest.raises(UnknownName, match="haar, mtcnn"):
        FaceAnalyzer.from_pretrained(detector="dlib")
    with pytest.raises(CheckpointNotFound, match="default"):
        FaceAnalyzer.from_pretrained("no-such-checkpoint")


def test_a_broken_picture_is_told(analyzer: FaceAnalyzer) -> None:
    with pytest.raises(UnreadableImage):
        analyzer(b"not a picture")


def test_importing_facekit_imports_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, facekit; assert 'torch' not in sys.modules; facekit.Report; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_threads_may_share_one_analyzer(analyzer: FaceAnalyzer, astronaut: np.ndarray) -> None:
    from concurrent.futures import ThreadPoolExecutor

    expected = analyzer(astronaut).to_dict()
    with ThreadPoolExecutor(4) as pool:
        assert all(report.to_dict() == expected for report in pool.map(analyzer, [astronaut] * 6))
    assert torch.is_grad_enabled()


def test_a_network_that_the_fast_kernels_cannot_run_is_run_without_them(tmp_path: Path) -> None:
    model = build("vgg-face", {"attributes": 40}, settings := {"width": 0.125, "hidden": 16, "grid": 3}).eval()
    config = CheckpointConfig(
        architecture="vgg-face", network=settings, tasks={"attributes": AttributesTask()}, input_size=(56, 64)
    )
    write_checkpoint(tmp_path / "vgg", model, config)
    analyzer = FaceAnalyzer.from_pretrained(str(tmp_path / "vgg"))  # its last maps are 1x2, its grid is 3x3
    crops = np.random.default_rng(0).integers(0, 256, (1, 128, 112, 3), np.uint8)
    x = analyzer.normalize(crops)
    with torch.inference_mode():
        wanted = (model(x)["attributes"] + model(x.flip(3))["attributes"]) / 2
    torch.testing.assert_close(analyzer.logits(analyzer.embed(crops))["attributes"], wanted, atol=1e-4, rtol=1e-4)
