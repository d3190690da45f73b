"""face: reports become plain JSON."""

import json

import numpy as np

from facekit.face import Age, Expression, Face, Gender, Report


def full_face() -> Face:
    return Face(
        box=(1.23456, np.float32(2.5), 30.0, 40.987),  # type: ignore[arg-type]
        score=0.987654,
        landmarks=np.arange(10, dtype=np.float32).reshape(5, 2) / np.float32(3),
        attributes={"Smiling": 0.123456},
        gender=Gender("woman", 0.98765),
        age=Age(31.26, 24.04, 39.96),
        expression=Expression("happy", {"happy": 0.87654, "sad": 0.12346}),
        unsure=("Smiling",),
    )


def test_face_is_rounded() -> None:
    face = full_face().to_dict()
    assert face["box"] == [1.23, 2.5, 30.0, 40.99]
    assert face["score"] == 0.9877
    assert face["landmarks"][1] == [0.67, 1.0]
    assert face["attributes"] == {"Smiling": 0.1235}
    assert face["gender"] == {"label": "woman", "probability": 0.9877} or face["gender"]["probability"] == 0.9876
    assert face["age"] == {"years": 31.3, "low": 24.0, "high": 40.0}
    assert face["expression"] == {"label": "happy", "probabilities": {"happy": 0.8765, "sad": 0.1235}}
    assert face["unsure"] == ["Smiling"]


def test_face_without_answers() -> None:
    face = Face((0, 0, 1, 1), 1.0, np.zeros((5, 2), np.float32)).to_dict()
    assert face["gender"] is face["age"] is face["expression"] is None
    assert face["attributes"] == {}
    assert face["unsure"] == []


def test_report_survives_json() -> None:
    report = Report(64, 48, [full_face()], "default", "mtcnn", {"detect": 1.0, "read": 2.0}).to_dict()
    assert set(report) == {"width", "height", "faces"}
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert Report(64, 48, [], "default", "mtcnn", {}).to_dict() == {"width": 64, "height": 48, "faces": []}
