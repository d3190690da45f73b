import numpy as np
import pytest

from facekit import FaceAnalyzer
from facekit.errors import UnknownName
from facekit.explain import attribution, layer_activations, overlay


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer.from_pretrained()


@pytest.fixture(scope="module")
def crop(analyzer: FaceAnalyzer, astronaut: np.ndarray) -> np.ndarray:
    return analyzer.crop(astronaut, analyzer(astronaut).faces[0])


@pytest.mark.parametrize("target", ["Smiling", "Eyeglasses", "gender", "age", "expression:happy"])
def test_every_answer_has_a_map(analyzer: FaceAnalyzer, crop: np.ndarray, target: str) -> None:
    heat = attribution(analyzer, crop, target)
    assert heat.shape == crop.shape[:2]
    assert heat.dtype == np.float32
    assert heat.min() == 0
    assert heat.max() in (0, 1)


def test_a_smile_is_seen_in_the_lower_half(analyzer: FaceAnalyzer, crop: np.ndarray) -> None:
    heat = attribution(analyzer, crop, "Smiling")
    middle = len(heat) // 2
    assert heat[middle:].sum() > heat[:middle].sum()


def test_unknown_answers_are_told(analyzer: FaceAnalyzer, crop: np.ndarray) -> None:
    for target in ("Soul", "expression:bored", ""):
        with pytest.raises(UnknownName, match="Smiling"):
            attribution(analyzer, crop, target)


def test_layers_shrink_from_stage_to_stage(analyzer: FaceAnalyzer, crop: np.ndarray) -> None:
    maps = layer_activations(analyzer, crop)
    stages = ["stem", "stage 1", "stage 2", "stage 3", "stage 4"]
    assert list(maps) == [f"{stage}, net {i}" for i in (1, 2, 3) for stage in stages]
    inside, whole = [(32, 28), (32, 28), (16, 14), (8, 7), (4, 4)], [(41, 34), (41, 34), (21, 17), (11, 9), (6, 5)]
    assert [values.shape for values in maps.values()] == inside + whole + inside
    assert all(values.min() >= 0 and values.max() <= 1 for values in maps.values())


def test_overlay_leaves_cold_places_alone(crop: np.ndarray) -> None:
    heat = np.zeros(crop.shape[:2], np.float32)
    assert np.array_equal(overlay(crop, heat), crop)
    heat[:64] = 1
    mixed = overlay(crop, heat)
    assert np.array_equal(mixed[70:], crop[70:])
    assert not np.array_equal(mixed[:60], crop[:60])
