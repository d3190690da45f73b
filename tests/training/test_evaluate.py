"""Evaluation end to end, with a stand-in for the network that reads its answers off the picture's colour."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from facekit.align import FACE
from facekit.answers import Answers
from facekit.checkpoints import Calibration, CheckpointConfig
from facekit.detect import Detections, load_detector
from facekit.errors import DataError
from facekit.labels import ATTRIBUTES, EXPRESSIONS
from training import evaluate
from training.data import LabelArrays, Source
from training.data.prepare import prepare
from training.data.source import labels_from_columns
from training.evaluate import read_prepared, read_source
from training.figures import uncalibrated_attributes, uncalibrated_expression
from training.records import Record, interval_of, look_up

MALE = ATTRIBUTES.index("Male")


class FindsBrightOnes:
    """A detector that finds a face in the middle of every picture with blue in it."""

    name = "stand-in"

    def __call__(self, image: NDArray[np.uint8]) -> Detections:
        if image[..., 2].max() < 100:
            return Detections.none()
        height, width = image.shape[:2]
        size = np.array([width, height], np.float32)
        points = np.array([[0.35, 0.4], [0.65, 0.4], [0.5, 0.55], [0.38, 0.7], [0.62, 0.7]], np.float32) * size
        return Detections(np.array([[0, 0, *size]], np.float32), np.ones(1, np.float32), points[None])


def read_colour(crops: NDArray[np.uint8]) -> Answers:
    """Age is the red of the middle, gender is "man" where green is bright, expression is red modulo seven."""
    assert crops.shape[1:] == (128, 112, 3)
    assert crops.dtype == np.uint8
    assert len(crops) <= 64
    red, green, _ = np.moveaxis(crops[:, 64, 56], 1, 0).astype(np.float32)
    attributes = np.full((len(crops), 40), 0.1, np.float32)
    attributes[:, MALE] = np.where(green > 127, 0.9, 0.1)
    expression = 0.04 + 0.72 * np.eye(7, dtype=np.float32)[red.astype(int) % 7]
    unsure = np.zeros(attributes.shape, bool)
    unsure[:, 0] = True
    age = np.full((len(crops), 101), 1 / 101, np.float32)
    return Answers(attributes, unsure, attributes[:, MALE], age, red, red - 5, red + 5, expression, red > 1e9)


def stand_in(predict: Callable[..., Answers] = read_colour) -> Any:
    config = CheckpointConfig()
    return SimpleNamespace(
        detector=FindsBrightOnes(),
        framing=FACE,
        checkpoint=SimpleNamespace(name="colour", config=config, digest="0" * 64),
        predict=predict,
    )


def colour(red: int, green: int = 0, blue: int = 200) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (96, 96), (red, green, blue)).save(file, "PNG")
    return file.getvalue()


def source(pictures: list[bytes], **columns: list) -> Source:
    arrays = {name: np.array(values) for name, values in columns.items()}
    names = np.array([f"{i}.png" for i in range(len(pictures))])
    return Source("colours", labels_from_columns({"file": names, **arrays}), lambda i: pictures[i])


def measure(pictures: Source, analyzer: Any = None, workers: int = 0, **options: Any) -> Record:
    analyzer = analyzer or stand_in()
    reading = read_source(analyzer, pictures, workers=workers, progress=False)
    return evaluate.measure(analyzer, reading, resamples=100, **options)


@pytest.fixture(scope="module")
def record() -> Record:
    """70 colours (more than one batch), each a tenth wrong: gender, age by 6 years, expression, Smiling."""
    wrong = np.arange(70) % 10 == 0
    pictures = [colour(20 + i, 255 * (i % 2), 200 * (i % 5 > 0)) for i in range(70)]
    man = (np.arange(70) % 2 == 1) ^ wrong
    expression = (20 + np.arange(70) + wrong) % 7
    return measure(
        source(
            pictures,
            gender=np.where(man, "male", "female").tolist(),
            age=(20 + np.arange(70) + 6 * wrong).tolist(),
            expression=[EXPRESSIONS[i] for i in expression],
            race=["white", "black"] * 35,
            Smiling=wrong.tolist(),
        ),
        data="colours/test",
        split="test",
    )


def test_the_fixed_keys_hold_plain_numbers(record: Record) -> None:
    expected = {
        "attributes.mean_accuracy": 0.9,
        "attributes.accuracy.Smiling": 0.9,
        "gender.accuracy": 0.9,
        "age.mae": 0.6,
        "age.within_5": 0.9,
        "expression.accuracy": 0.9,
    }
    for key, value in expected.items():
        assert look_up(record, key) == pytest.approx(value), key
        low, high = interval_of(record, key) or (1, 0)
        assert low < value < high, key
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_it_says_what_was_measured_with_what(record: Record) -> None:
    assert (record["data"], record["split"], record["pictures"]) == ("colours/test", "test", 70)
    assert record["no_face_found"] == 14
    assert record["damaged"] == []
    assert (record["checkpoint"], record["detector"]) == ("colour", "stand-in")
    assert "torch" in record["versions"]


def test_attributes_without_labels_are_left_out(record: Record) -> None:
    assert list(record["attributes"]["accuracy"]) == ["Smiling"]
    assert record["attributes"]["f1"]["Smiling"] == 0  # never answered yes
    assert record["attributes"]["majority_accuracy"]["Smiling"] == pytest.approx(0.9)
    assert record["attributes"]["unsure_share"] == 0  # the unsure one is not labelled


def test_confusion_calibration_and_coverage(record: Record) -> None:
    counts = np.array(record["confusion"]["expression"]["counts"])
    assert counts.sum() == 70
    assert np.trace(counts) == 63
    assert record["confusion"]["gender"]["labels"] == ["woman", "man"]
    assert record["calibration"]["gender"]["ece"] == pytest.approx(0.1)  # 0.9 sure; women right in 80 %, men always
    assert record["calibration"]["expression"]["ece"] == pytest.approx(0.14, abs=1e-6)
    assert record["age"]["coverage_80"] == pytest.approx(0.9)


def test_how_well_answers_are_ranked(record: Record) -> None:
    # 0.1 for 28 women and for 7 of 42 men, 0.9 for the rest: the curve goes from (0, 0) by (0, 5 / 6) to (1, 1)
    assert record["gender"]["roc_auc"] == pytest.approx(11 / 12, abs=1e-6)
    assert record["gender"]["equal_error_rate"] == pytest.approx(1 / 7, abs=1e-6)
    assert record["attributes"]["roc_auc"]["Smiling"] == 0.5  # always answered alike
    assert record["attributes"]["mean_average_precision"] == pytest.approx(0.1)
    assert set(record["expression"]["class_average_precision"]) == set(EXPRESSIONS)
    assert record["expression"]["roc_auc"] > 0.9
    low, high = interval_of(record, "gender.roc_auc") or (1, 0)
    assert low < record["gender"]["roc_auc"] < high


def test_the_cumulative_score_is_a_curve(record: Record) -> None:
    score = record["age"]["cumulative_score"]
    assert list(score) == [str(k) for k in range(16)]
    assert (score["0"], score["5"], score["6"]) == pytest.approx((0.9, record["age"]["within_5"], 1))
    assert interval_of(record, "age.cumulative_score.5") == record["age"]["within_5_interval"]


def answering(**probabilities: list[float]) -> Any:
    """An analyzer that answers these attributes alone, the same for all pictures but in their order."""

    def predict(crops: NDArray[np.uint8]) -> Answers:
        attributes = np.full((len(crops), 40), np.nan, np.float32)
        for name, values in probabilities.items():
            attributes[:, ATTRIBUTES.index(name)] = values
        return Answers(attributes, np.zeros(attributes.shape, bool), None, None, None, None, None, None, None)

    return stand_in(predict)


def test_joint_accuracy_asks_for_all_at_once() -> None:
    yes = {name: [0.9] * 4 for name in ("Male", "Mustache", "Wearing_Lipstick", "Young")}
    labels = {
        "Male": [True, True, True, False],
        "Mustache": [True, True, False, True],
        "Wearing_Lipstick": [True] * 4,
        "Young": [True, False, True, True],
        "Smiling": [True] * 4,
    }
    pictures = source([colour(30)] * 4, **labels)
    found = measure(pictures, answering(**yes))
    assert found["attributes"]["joint_accuracy"] == {"Male+Mustache+Wearing_Lipstick+Young": 0.25, "Male+Young": 0.5}
    assert interval_of(found, "attributes.joint_accuracy.Male+Young") is not None
    few = measure(pictures, answering(Smiling=[0.9] * 4, Young=[0.9] * 4))
    assert few["attributes"]["joint_accuracy"] == {"Smiling+Young": 0.75}
    assert "joint_accuracy" not in measure(pictures, answering(Young=[0.9] * 4))["attributes"]


def test_a_picture_without_all_labels_has_no_joint_answer() -> None:
    attributes = np.full((3, 40), np.nan, np.float32)
    attributes[:, [MALE, ATTRIBUTES.index("Young")]] = [[1, 1], [1, np.nan], [0, 1]]
    labels: LabelArrays = {"file": np.array(["a", "b", "c"]), "attributes": attributes}
    found = measure(Source("some", labels, lambda i: colour(30)), answering(Male=[0.9] * 3, Young=[0.9] * 3))
    assert found["attributes"]["joint_accuracy"] == {"Male+Young": 0.5}


def test_groups_are_gender_by_race_by_age(record: Record) -> None:
    groups = {tuple(group["of"].items()): group for group in record["groups"]}
    assert groups[("race", "white"),]["pictures"] == 35
    assert not groups[("race", "white"),]["small"]
    full = [group for of, group in groups.items() if len(of) == 3]
    assert sum(group["pictures"] for group in full) == 70
    assert all(group["small"] == (group["pictures"] < 20) for group in full)
    assert {"gender", "age", "expression", "attributes"} <= full[0].keys()


def test_nan_labels_do_not_count() -> None:
    pictures = source([colour(30), colour(40), colour(50)], age=[30.0, np.nan, 52.0])
    found = measure(pictures)
    assert found["age"]["mae"] == pytest.approx(1)
    assert found["pictures"] == 3
    assert "gender" not in found
    assert "expression" not in found
    assert "attributes" not in found


def test_some_unknown_answers_of_an_attribute_do_not_count() -> None:
    attributes = np.full((3, 40), np.nan, np.float32)
    attributes[:, MALE] = [0, np.nan, 0]
    attributes[0, 0] = 1  # answered no
    labels: LabelArrays = {"file": np.array(["a", "b", "c"]), "attributes": attributes}
    found = measure(Source("some", labels, lambda i: colour(30)))
    assert found["attributes"]["accuracy"] == {"5_o_Clock_Shadow": 0, "Male": 1}
    assert found["attributes"]["mean_accuracy"] == 0.5


def test_damaged_pictures_are_named_and_do_not_count() -> None:
    found = measure(source([colour(30), b"", colour(50)], age=[30, 99, 50]))
    assert found["pictures"] == 2
    assert found["age"]["mae"] == 0
    assert len(found["damaged"]) == 1
    assert found["damaged"][0].startswith("1.png: ")


def test_a_head_that_is_missing_is_not_measured() -> None:
    def only_age(crops: NDArray[np.uint8]) -> Answers:
        full = read_colour(crops)
        return Answers(None, None, None, full.age, full.years, full.low, full.high, None, None)

    pictures = source([colour(30)] * 2, age=[30, 31], gender=["male", "female"])
    assert measure(pictures, stand_in(only_age)).keys() & {"gender", "age"} == {"age"}
    with pytest.raises(DataError, match="labelled with"):
        measure(source([colour(30)], gender=["male"]), stand_in(only_age))


def test_nothing_readable_is_one_sentence() -> None:
    with pytest.raises(DataError, match="None of the 2 pictures of colours"):
        measure(source([b"", b"no"], age=[1, 2]))


def test_other_sizes_and_kinds_of_picture() -> None:
    file = io.BytesIO()
    Image.new("L", (300, 500), 60).save(file, "PNG")
    found = measure(source([file.getvalue()], age=[60], gender=[1]))
    assert found["age"]["mae"] == 0
    assert found["gender"]["accuracy"] == 1


def test_the_same_seed_gives_the_same_record() -> None:
    pictures = source([colour(30 + i) for i in range(20)], age=[33 + i % 3 for i in range(20)])
    first, again, other = (measure(pictures, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first["age"]["mae_interval"] != other["age"]["mae_interval"]


def test_worker_processes_crop_the_same(astronaut: NDArray[np.uint8]) -> None:
    file = io.BytesIO()
    Image.fromarray(astronaut[:256, 96:352]).save(file, "PNG")
    seen: list[NDArray[np.uint8]] = []

    def remember(crops: NDArray[np.uint8]) -> Answers:
        seen.append(crops)
        return read_colour(crops)

    analyzer = stand_in(remember)
    analyzer.detector = load_detector("mtcnn")
    pictures = source([file.getvalue(), b""], age=[41, 1])
    for workers in (0, 1):
        found = measure(pictures, analyzer, workers=workers)
        assert (found["pictures"], found["no_face_found"], len(found["damaged"])) == (1, 0, 1)
    assert np.array_equal(seen[0], seen[1])


def test_calibration_is_undone() -> None:
    logits = np.random.default_rng(0).normal(0, 2, (5, 40))
    calibration = Calibration(attribute_scale=(0.5,) * 40, attribute_shift=(0.3,) * 40, expression_temperature=2.0)
    calibrated = 1 / (1 + np.exp(-(0.5 * logits + 0.3)))
    assert uncalibrated_attributes(calibrated, calibration) == pytest.approx(1 / (1 + np.exp(-logits)))
    shares = np.exp(logits[:, :7]) / np.exp(logits[:, :7]).sum(1, keepdims=True)
    cooled = np.exp(logits[:, :7] / 2) / np.exp(logits[:, :7] / 2).sum(1, keepdims=True)
    assert uncalibrated_expression(cooled, calibration) == pytest.approx(shares)


def test_prepared_crops_are_answered_as_the_photos_are(tmp_path: Path) -> None:
    pictures = source([colour(20 + 3 * i) for i in range(20)] + [b"damaged"], age=list(range(20, 41)))
    analyzer = stand_in()
    crops = prepare(pictures, tmp_path, detector="haar", workers=0)
    read = read_source(analyzer, pictures, progress=False)
    again = read_prepared(analyzer, pictures, crops)
    assert np.array_equal(read.rows, again.rows)
    assert read.damaged.keys() == again.damaged.keys() == {20}
    pictures.labels["file"][:] = "of one name.png"
    again = read_prepared(analyzer, pictures, prepare(pictures, tmp_path, detector="haar", workers=0))
    assert np.array_equal(read.rows, again.rows)
    assert list(again.damaged) == [20]
    np.testing.assert_allclose(again.answers.years, read.answers.years, atol=0.5)
