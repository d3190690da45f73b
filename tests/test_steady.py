"""steady: what rests is averaged and held, what changes is followed."""

import numpy as np
import pytest
import torch

from facekit.answers import decode
from facekit.checkpoints import Calibration
from facekit.labels import ATTRIBUTES, EXPRESSIONS
from facekit.steady import Held, OneEuro, SteadyLogits
from facekit.tasks import AgeTask, AttributesTask, CombinationsTask, ExpressionTask

TASKS = {"attributes": AttributesTask(), "age": AgeTask(), "expression": ExpressionTask()}
SMILING, YOUNG = ATTRIBUTES.index("Smiling"), ATTRIBUTES.index("Young")


def test_one_euro_averages_what_rests_and_follows_what_moves() -> None:
    rng = np.random.default_rng(0)
    rest, move = OneEuro(1.5, 6.0), OneEuro(1.5, 6.0)
    still = np.array([rest(rng.normal(100, 2, 4).astype(np.float32), 50, 0.05) for _ in range(200)])
    assert still[50:].std() < 1.3
    for i in range(100):
        at = move(np.full(4, 10.0 * i, np.float32), 50, 0.05)  # four widths of the face a second
    assert (np.abs(at - 990) < 20).all()


def logits(smiling: float, young: float = 0.0, age: int = 30, expression: int = 0) -> dict[str, torch.Tensor]:
    attributes, years, shown = torch.zeros(1, 40), torch.full((1, 101), -5.0), torch.zeros(1, 7)
    attributes[0, SMILING], attributes[0, YOUNG] = smiling, young
    years[0, age], shown[0, expression] = 5.0, 3.0
    return {"attributes": attributes, "age": years, "expression": shown}


def test_a_smile_is_followed_at_once_and_an_age_slowly() -> None:
    steady = SteadyLogits(TASKS)
    for _ in range(60):
        now = steady(logits(-3.0, young=-3.0), 0.1)
    for _ in range(2):  # 0.2 seconds
        now = steady(logits(3.0, young=3.0), 0.1)
    assert float(now["attributes"][0, SMILING]) > 1.5
    assert float(now["attributes"][0, YOUNG]) < -2


def test_the_first_readings_weigh_the_same() -> None:
    steady = SteadyLogits(TASKS)
    for young in (1.0, 2.0, 6.0):
        now = steady(logits(0, young=young), 0.01)
    assert float(now["attributes"][0, YOUNG]) == pytest.approx(3.0)


def test_combinations_and_other_heads_are_averaged_too() -> None:
    steady = SteadyLogits({"pairs": CombinationsTask(names=("Male", "Young"))})
    steady({"pairs": torch.zeros(1, 4)}, 0.1)
    now = steady({"pairs": torch.ones(1, 4)}, 0.1)["pairs"]
    assert (now > 0.5).all() and (now < 1).all()


def hold(held: Held, smiling: float, **others: int) -> tuple[bool, bool, int]:
    """Whether a face smiles, whether that is unsure, and its expression, as they are shown."""
    answers = held(decode(logits(smiling, **others), TASKS))
    assert answers.attributes is not None and answers.unsure_attributes is not None and answers.expression is not None
    assert answers.expression.sum() == pytest.approx(1, abs=1e-5)
    smiles, unsure = answers.attributes[0, SMILING] >= 0.5, answers.unsure_attributes[0, SMILING]
    return bool(smiles), bool(unsure), int(answers.expression[0].argmax())


def test_an_answer_near_its_threshold_is_held() -> None:
    held = Held(Calibration())
    shown = [hold(held, smiling)[0] for smiling in (0.1, -0.2, 0.2, -0.4, -0.7, 0.3, -0.1, 0.8)]
    assert shown == [True, True, True, True, False, False, False, True]


def test_unsure_is_held() -> None:
    held = Held(Calibration())  # unsure below a confidence of .75, log-odds of 1.1
    assert [hold(held, smiling)[1] for smiling in (1.05, 1.2, 1.5, 1.2, 1.0, 0.7)] == [
        True,
        True,
        False,
        False,
        False,
        True,
    ]


def test_an_expression_is_held() -> None:
    held = Held(Calibration())
    first = logits(0)
    first["expression"][0] = torch.tensor([1.0, 0.9, 0, 0, 0, 0, 0])
    near = {**first, "expression": first["expression"][:, [1, 0, 2, 3, 4, 5, 6]]}
    labels = []
    for now in (first, near, logits(0, expression=4)):
        shown = held(decode(now, TASKS)).expression
        assert shown is not None
        labels.append(EXPRESSIONS[int(shown[0].argmax())])
    assert labels == ["angry", "angry", "sad"]


def test_an_age_moves_by_whole_years() -> None:
    held = Held(Calibration())
    years = []
    for age in (30, 31, 30, 34):
        answers = held(
            decode({"age": torch.nn.functional.one_hot(torch.tensor([age]), 101) * 20.0}, {"age": AgeTask()})
        )
        assert answers.attributes is None and answers.years is not None
        years.append(round(float(answers.years[0])))
    assert years == [30, 31, 30, 34]
    small = held(decode({"age": torch.nn.functional.one_hot(torch.tensor([34]), 101) * 4.0}, {"age": AgeTask()}))
    assert small.years is not None and small.low is not None and small.low[0] < small.years[0]


def test_attributes_that_a_checkpoint_does_not_answer_stay_unknown() -> None:
    tasks = {"some": AttributesTask(names=("Smiling",))}
    answers = Held(Calibration())(decode({"some": torch.tensor([[2.0]])}, tasks))
    assert answers.attributes is not None
    assert np.isnan(answers.attributes[0]).sum() == 39
    assert answers.attributes[0, SMILING] > 0.5
