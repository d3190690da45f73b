"""The model card and RESULTS.md, from records as evaluation writes them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import ModelCard

from facekit.answers import Answers
from facekit.checkpoints import Calibration, CheckpointConfig, config_text, read_config
from facekit.errors import DataError
from facekit.tasks import AttributesTask, CombinationsTask
from training.data import LabelArrays
from training.figures import figures, group_table
from training.records import Record, interval_of, look_up, read_record, write_record
from training.report import model_card, results_table, write_card

CONFIG = CheckpointConfig(
    description="A network for tests.",
    tasks={"attributes": AttributesTask()},
    training={
        "recipe": {
            "name": "tiny",
            "seed": 7,
            "epochs": 2,
            "steps": 3,
            "data": [{"path": "celeba", "batch": 4}, {"path": "fer2013", "batch": 2, "hold_out": 0.05}],
        },
        "commit": "abc123",
        "versions": {"torch": "2.15.0"},
        "epoch": 2,
        "pictures": 44688,
        "splits": "0123456789ab",
    },
)


@pytest.fixture(scope="module")
def celeba() -> Record:
    """200 pictures, about 92 % of the attributes right, one in a hundred of them unlabelled."""
    rng = np.random.default_rng(0)
    truth = (rng.random((200, 40)) < 0.4).astype(np.float32)
    p = np.where(rng.random((200, 40)) < 0.92, truth, 1 - truth) * 0.8 + 0.1
    truth[rng.random((200, 40)) < 0.01] = np.nan
    probability = p.astype(np.float32)
    labels: LabelArrays = {
        "file": np.arange(200).astype(str),
        "attributes": truth,
        "gender": truth[:, 20],
        "expression_label": rng.integers(7, size=200),
    }
    expression = rng.dirichlet(np.ones(7), 200).astype(np.float32)
    unsure = rng.random((200, 40)) < 0.1
    answers = Answers(
        probability, unsure, probability[:, 20], None, None, None, None, expression, expression.max(1) < 0.3
    )
    calibration = Calibration(attribute_scale=(0.5,) * 40)
    return {
        "data": "../shared/data/celeba",
        "split": "test",
        "pictures": 200,
        "no_face_found": 3,
        "damaged": [],
        "checkpoint": "default",
        "detector": "mtcnn",
        "command": "python -m training evaluate --data ../shared/data/celeba --split test",
        **figures(labels, answers, calibration, rng, 50),
        "groups": group_table(labels, answers, rng, 50),
    }


def aged(mae: float, **fields: Any) -> Record:
    age = {"mae": mae, "mae_interval": [mae - 0.2, mae + 0.2], "within_5": 0.6, "within_5_interval": [0.58, 0.62]}
    record = {"data": "../shared/data/utkface", "split": "test", "pictures": 10, "no_face_found": 0, "damaged": ["x"]}
    return record | {"checkpoint": "default", "detector": "mtcnn", "age": age} | fields


def test_the_card_s_front_matter_is_read_back(celeba: Record, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(config_text(CONFIG))
    write_card(tmp_path, "default", [celeba, aged(4.5)])
    assert read_config(tmp_path).metrics["UTKFace"]["age"]["mae"] == 4.5
    assert read_config(tmp_path).network == CONFIG.network
    data = ModelCard.load(tmp_path / "README.md").data
    assert (data.license, data.license_name) == ("other", "research-only-non-commercial")
    assert data.model_name == "default"
    assert data.pipeline_tag == "image-classification"
    found = {(r.dataset_type, r.metric_name): r for r in data.eval_results or []}
    assert found["celeba", "mean accuracy of the attributes"].metric_value == celeba["attributes"]["mean_accuracy"]
    assert found["utkface", "age, mean absolute error"].metric_type == "mae"
    assert found["utkface", "age, mean absolute error"].dataset_split == "test"


def test_the_card_is_about_its_own_data_and_answers() -> None:
    part = {"path": "data/mine", "batch": 4, "balance": ["Smiling"], "count": 10000}
    config = CheckpointConfig(
        description="Smiles.",
        tasks={"smile": CombinationsTask(names=("Smiling",))},
        training={"recipe": {"name": "smile", "data": [part]}},
    )
    card = model_card("smile", config, [])
    assert card.data.license_name == "as-its-training-data"
    assert "Trained on mine, whose terms it carries. Read them" in card.text
    assert "mine (train, 10,000 of them, balanced by Smiling)" in card.text
    assert "print(face.box, face.attributes)" in card.text


def test_the_card_says_what_matters(celeba: Record) -> None:
    text = model_card("default", CONFIG, [celeba, aged(4.5)]).text
    for part in (
        "non-commercial research only",
        "perceived",
        "Not for decisions about people",
        "No emotion inference at work or in education",
        "For whom is it worse: CelebA (test)",
        "| gender x age | pictures |",
        "| Eyeglasses | ",
        "| labelled as | pictures | angry |",
        "before calibration",
        "| seed | 7 |",
        "| training pictures | 44,688 |",
        "| splits | 0123456789ab (the same digits: the same pictures) |",
        "abc123",
        "torch 2.15.0",
        "FER2013 (train, less 5.0 % held out for validation)",
        "4.50 years (4.30 to 4.70)",
        'FaceAnalyzer.from_pretrained("default")',
    ):
        assert part in text, part
    assert " nan" not in text
    assert "None" not in text


def test_small_groups_are_marked(celeba: Record) -> None:
    group = {"of": {"race": "other"}, "pictures": 4, "small": True, "age": {"mae": 9.0, "mae_interval": [None, None]}}
    text = model_card("default", CONFIG, [aged(4.5, groups=[group])]).text
    assert "| other * | 4 | 9.00 years |" in text


def test_a_card_without_records_or_history() -> None:
    text = model_card("fresh", CheckpointConfig(network=CONFIG.network), []).text
    assert "Not evaluated yet." in text
    assert "How it was made" not in text


def test_results_compare_with_the_floors(celeba: Record, tmp_path: Path) -> None:
    text = results_table([celeba, aged(5.1)], tmp_path / "RESULTS.md")
    assert "## CelebA, test: `default`" in text
    assert celeba["command"] in text
    assert "| age, mean absolute error | 5.10 years (4.90 to 5.30) | at most 4.90 years | 5.00 years | **no** |" in text
    mean = next(line for line in text.splitlines() if line.startswith("| mean accuracy of the attributes"))
    assert "| 90.5 % | 89.8 % | yes |" in mean
    assert "10 pictures (1 damaged)" in text
    assert "| at most 4.90 years" not in results_table([aged(5.1, split="validation")], tmp_path / "other.md")


def test_what_verification_found_stands_beside_what_was_measured_of_single_faces(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(config_text(CONFIG))
    compared = {"accuracy": 0.7, "accuracy_interval": [0.6, 0.8], "roc_auc": 0.75, "roc_auc_interval": [0.7, 0.8]}
    pairs = aged(0.0, verification=compared, pictures=99)
    del pairs["age"]
    write_card(tmp_path, "default", [pairs, aged(4.5)])
    kept = read_config(tmp_path).metrics["UTKFace"]
    assert (kept["pictures"], kept["age"]["mae"], kept["verification"]) == (10, 4.5, compared)
    card = ModelCard.load(tmp_path / "README.md")
    assert "same person or not, accuracy | 70.0 % (60.0 to 80.0)" in card.text
    kinds = {one.metric_name: one.metric_type for one in card.data.eval_results or []}
    assert kinds["same person or not, area under ROC"] == "roc_auc"
    assert (kinds["same person or not, accuracy"], kinds["age, mean absolute error"]) == ("accuracy", "mae")


def test_results_are_idempotent_and_keep_what_is_around_them(celeba: Record, tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    first = results_table([celeba, aged(4.5)], path)
    assert results_table([aged(4.5), celeba], path) == first == path.read_text()
    path.write_text("# Mine\n\nBefore.\n" + first[first.index("<!--") :] + "\nAfter.\n")
    second = results_table([aged(4.4)], path)
    assert second.startswith("# Mine\n\nBefore.\n<!--")
    assert second.endswith("\nAfter.\n")
    assert "4.40 years" in second
    assert "4.50 years" not in second
    assert "CelebA" not in second
    assert list(tmp_path.iterdir()) == [path]  # no temporary file is left


def test_records_survive_the_file(celeba: Record, tmp_path: Path) -> None:
    write_record(tmp_path / "deep" / "celeba.json", celeba)
    assert read_record(tmp_path / "deep" / "celeba.json") == celeba
    for text in ("{", "[]", "{}"):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(DataError, match=r"bad\.json"):
            read_record(tmp_path / "bad.json")


def test_keys_and_their_intervals() -> None:
    record = {"attributes": {"accuracy": {"Bald": 0.9}, "accuracy_interval": {"Bald": [0.8, 1.0]}}}
    assert look_up(record, "attributes.accuracy.Bald") == 0.9
    assert interval_of(record, "attributes.accuracy.Bald") == [0.8, 1.0]
    assert look_up(record, "gender.accuracy") is None
    assert interval_of(record, "gender.accuracy") is None
