import math

import numpy as np
import pytest
import torch

from facekit.answers import age_logits, attribute_logits, decode, quantile
from facekit.checkpoints import Calibration
from facekit.labels import ATTRIBUTES
from facekit.tasks import AgeTask, AttributesTask, CombinationsTask, ExpressionTask, Tasks

MALE, MUSTACHE = ATTRIBUTES.index("Male"), ATTRIBUTES.index("Mustache")
PRODUCT = CombinationsTask(names=("Male", "Mustache"), combinations=((0, 0), (1, 0), (1, 1)))


def test_a_combination_is_read_back_as_its_attributes() -> None:
    shares = torch.tensor([[0.5, 0.2, 0.3]])
    found = decode({"pair": shares.log()}, {"pair": PRODUCT})
    assert found.attributes is not None and found.gender is not None
    assert found.attributes[0, [MALE, MUSTACHE]] == pytest.approx([0.5, 0.3], abs=1e-6)
    assert np.isnan(found.attributes).sum() == 38
    assert found.gender[0] == pytest.approx(0.5, abs=1e-6)
    assert found.age is None and found.years is None and found.expression is None


def test_two_classes_are_one_sigmoid() -> None:
    gender = CombinationsTask(names=("Male",), combinations=((0,), (1,)))
    odds = attribute_logits({"gender": torch.tensor([[1.0, 3.5]])}, {"gender": gender})
    assert odds is not None and odds[0, MALE].item() == pytest.approx(2.5)


def test_heads_share_the_attributes() -> None:
    tasks: Tasks = {"some": AttributesTask(names=("Young", "Smiling")), "pair": PRODUCT}
    found = decode({"some": torch.tensor([[2.0, -2.0]]), "pair": torch.zeros(1, 3)}, tasks)
    assert found.attributes is not None and found.unsure_attributes is not None
    known = {name: p for name, p in zip(ATTRIBUTES, found.attributes[0].tolist(), strict=True) if not math.isnan(p)}
    assert known == pytest.approx({"Male": 2 / 3, "Mustache": 1 / 3, "Smiling": 0.1192029, "Young": 0.8807971})
    assert found.unsure_attributes.sum() == 2  # below the band of 0.75; those not answered are not "unsure"


def test_no_gender_without_its_attribute() -> None:
    assert decode({"a": torch.zeros(2, 1)}, {"a": AttributesTask(names=("Young",))}).gender is None


def test_a_long_tail_does_not_draw_the_age() -> None:
    distribution = torch.zeros(1, 101)
    distribution[0, 20], distribution[0, 80] = 0.75, 0.25  # the mean is 35
    found = decode({"age": (distribution + 1e-9).log()}, {"age": AgeTask()})
    assert found.years is not None
    assert found.years[0] == pytest.approx(19.5 + 0.5 / 0.75, abs=1e-3)


def test_a_band_spreads_over_its_years() -> None:
    tasks: Tasks = {"age": AgeTask(form="bands", first_years=(0, 21, 61))}
    found = decode({"age": torch.tensor([[0.25, 0.5, 0.25]]).log()}, tasks)
    assert found.age is not None and found.years is not None
    assert found.age[0, [0, 20, 21, 60]] == pytest.approx([0.25 / 21, 0.25 / 21, 0.5 / 40, 0.5 / 40])
    assert found.age[0, [61, 100]] == pytest.approx([0.25 / 40] * 2)
    assert found.years[0] == pytest.approx(40.5, abs=1e-3)


def test_a_number_of_years_is_the_answer_itself() -> None:
    tasks: Tasks = {"age": AgeTask(form="years")}
    found = decode({"age": torch.tensor([[3.0], [140.0]])}, tasks, Calibration(age_temperature=8))
    assert found.years is not None and found.low is not None and found.high is not None
    assert found.years.tolist() == [3, 100]
    assert found.low[0] < 3 < found.high[0]
    wider = decode({"age": torch.tensor([[50.0]])}, tasks, Calibration(age_temperature=16))
    narrow = decode({"age": torch.tensor([[50.0]])}, tasks, Calibration(age_temperature=4))
    assert narrow.high is not None and wider.high is not None and narrow.high[0] < wider.high[0]


def test_calibration_acts_on_every_kind() -> None:
    calibration = Calibration(attribute_scale=(2.0,) * 40, attribute_shift=(1.0,) * 40, expression_temperature=2.0)
    tasks: Tasks = {"young": AttributesTask(names=("Young",)), "expression": ExpressionTask()}
    logits = {"young": torch.tensor([[1.0]]), "expression": torch.tensor([[2.0] + [0.0] * 6])}
    found = decode(logits, tasks, calibration)
    assert found.attributes is not None and found.expression is not None
    assert found.attributes[0, ATTRIBUTES.index("Young")] == pytest.approx(1 / (1 + math.exp(-3)))
    assert found.expression[0, 0] == pytest.approx(math.e / (math.e + 6))


def test_no_head_no_answer() -> None:
    assert age_logits({}, {}) is None
    assert attribute_logits({}, {}) is None


def test_quantiles_are_linear_inside_a_year() -> None:
    uniform = np.zeros((1, 101), np.float32)
    uniform[0, 20:30] = 0.1  # 19.5 to 29.5 years
    assert quantile(uniform, 0.1)[0] == pytest.approx(20.5, abs=1e-3)
    assert quantile(uniform, 0.95)[0] == pytest.approx(29.0, abs=1e-3)
