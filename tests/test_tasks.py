from itertools import product

import pytest
from pydantic import TypeAdapter, ValidationError

from facekit.tasks import ALL_TASKS, AgeTask, AttributesTask, CheckedTasks, CombinationsTask, answered_by

PAIR = ("Male", "Mustache")


def test_sizes() -> None:
    assert {head: task.size for head, task in ALL_TASKS.items()} == {"attributes": 40, "age": 101, "expression": 7}
    assert CombinationsTask(names=PAIR, combinations=((0, 0), (1, 0), (1, 1))).size == 3
    assert AgeTask(form="bands", first_years=(0, 21, 33)).size == 3
    assert AgeTask(form="years").size == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"names": PAIR, "combinations": [(0,), (1,)]}, "needs 2 values"),
        ({"names": PAIR, "combinations": [(0, 1), (0, 1)]}, "twice"),
        ({"names": PAIR, "combinations": [(0, 1), (0, 0)]}, "same Male"),
        ({"names": ["Soul"], "combinations": [(0,), (1,)]}, "none of the 40"),
    ],
)
def test_combinations_that_cannot_be_meant(fields: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CombinationsTask.model_validate(fields)


@pytest.mark.parametrize("first_years", [(), (0,), (1, 20), (0, 30, 20), (0, 20, 101)])
def test_bands_that_cannot_be_meant(first_years: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError):
        AgeTask(form="bands", first_years=first_years)


def test_two_heads_may_not_answer_the_same() -> None:
    both = {"all": AttributesTask(), "gender": CombinationsTask(names=("Male",), combinations=((0,), (1,)))}
    with pytest.raises(ValidationError, match="two heads answer Male"):
        TypeAdapter(CheckedTasks).validate_python(both)
    kept = {"some": AttributesTask(names=("Young",)), "gender": both["gender"], "age": AgeTask()}
    assert answered_by(TypeAdapter(CheckedTasks).validate_python(kept)) == ["Young", "Male", "age"]


def test_tasks_survive_json() -> None:
    task = CombinationsTask(names=PAIR, combinations=tuple(product((0, 1), repeat=2)))
    adapter = TypeAdapter(CheckedTasks)
    assert adapter.validate_json(adapter.dump_json({"pair": task})) == {"pair": task}
