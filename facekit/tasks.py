"""What the logits of a network's heads mean. Checkpoints and recipes name a task for every head."""

from itertools import pairwise, product
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from facekit.labels import ATTRIBUTES, EXPRESSIONS, MAX_AGE


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _known(name: str) -> str:
    if name not in ATTRIBUTES:
        raise ValueError(f"{name!r} is none of the 40 attributes")
    return name


Attribute = Annotated[str, AfterValidator(_known)]


class AttributesTask(_Frozen):
    """Yes-or-no attributes, a sigmoid each."""

    kind: Literal["attributes"] = "attributes"
    names: tuple[Attribute, ...] = Field(ATTRIBUTES, min_length=1)

    @property
    def size(self) -> int:
        """Number of logits."""
        return len(self.names)


def _all_combinations(fields: dict[str, Any]) -> tuple[tuple[Literal[0, 1], ...], ...]:
    """Of the names; none where these are refused, too many of them for one."""
    return tuple(product((0, 1), repeat=len(fields.get("names", ()))))  # type: ignore[arg-type]


class CombinationsTask(_Frozen):
    """Combinations of attributes, one softmax over all of them; one attribute alone is a softmax over no and yes.

    This is how the thesis of 2017 answers several attributes by one output (their Cartesian product); combinations
    that hardly occur are dropped.

    Attributes:
        names: the attributes.
        combinations: the combinations that are kept, each as the 0 or 1 of every attribute; all if not said.
    """

    kind: Literal["combinations"] = "combinations"
    names: tuple[Attribute, ...] = Field(min_length=1, max_length=12)  # of which there are 4,096 combinations
    combinations: tuple[tuple[Literal[0, 1], ...], ...] = Field(default_factory=_all_combinations, min_length=2)

    @model_validator(mode="after")
    def _check(self) -> "CombinationsTask":
        if any(len(combination) != len(self.names) for combination in self.combinations):
            raise ValueError(f"every combination needs {len(self.names)} values, one for each of the names")
        if len(set(self.combinations)) < len(self.combinations):
            raise ValueError("a combination stands there twice")
        for name, values in zip(self.names, zip(*self.combinations, strict=True), strict=True):
            if len(set(values)) < 2:
                raise ValueError(f"all combinations have the same {name}")
        return self

    @property
    def size(self) -> int:
        """Number of logits."""
        return len(self.combinations)


class AgeTask(_Frozen):
    """Age in years.

    Attributes:
        form: "distribution" over the whole years 0 to 100, "bands" of years, or "years", one number.
        first_years: the first year of every band, from 0 on; the last band ends at 100.
    """

    kind: Literal["age"] = "age"
    form: Literal["distribution", "bands", "years"] = "distribution"
    first_years: tuple[Annotated[int, Field(ge=0, le=MAX_AGE)], ...] = ()

    @model_validator(mode="after")
    def _check(self) -> "AgeTask":
        if self.form == "bands" and (
            len(self.first_years) < 2 or self.first_years[0] or any(a >= b for a, b in pairwise(self.first_years))
        ):
            raise ValueError("first_years has to start at 0 and rise")
        if self.form != "bands" and self.first_years:
            raise ValueError("first_years belongs to the form bands")
        return self

    @property
    def size(self) -> int:
        """Number of logits."""
        return {"distribution": MAX_AGE + 1, "bands": len(self.first_years), "years": 1}[self.form]


class ExpressionTask(_Frozen):
    """One of FER2013's seven expressions, a softmax."""

    kind: Literal["expression"] = "expression"

    @property
    def size(self) -> int:
        """Number of logits."""
        return len(EXPRESSIONS)


class IdentityTask(_Frozen):
    """Which person of the training pictures it is, a softmax; it serves to learn an embedding, and is no answer.

    Attributes:
        people: how many there are; training counts them.
    """

    kind: Literal["identity"] = "identity"
    people: int = Field(2, gt=1)

    @property
    def size(self) -> int:
        """Number of logits."""
        return self.people


Task = Annotated[
    AttributesTask | CombinationsTask | AgeTask | ExpressionTask | IdentityTask, Field(discriminator="kind")
]
Tasks = dict[str, Task]
"""Task by the name of its head."""


def answered_by(tasks: Tasks) -> list[str]:
    """Everything that the heads answer: names of attributes, "age", "expression", "identity"."""
    named = [
        task.names if isinstance(task, AttributesTask | CombinationsTask) else (task.kind,) for task in tasks.values()
    ]
    return [answer for names in named for answer in names]


def check_tasks(tasks: Tasks) -> Tasks:
    """`tasks` itself.

    Raises:
        ValueError: there is none, or two heads answer the same thing.
    """
    answered = answered_by(tasks)
    twice = {answer for answer in answered if answered.count(answer) > 1}
    if twice:
        raise ValueError(f"two heads answer {sorted(twice)[0]}")
    if not tasks:
        raise ValueError("a network needs at least one head")
    return tasks


CheckedTasks = Annotated[Tasks, AfterValidator(check_tasks)]

ALL_TASKS: Tasks = {"attributes": AttributesTask(), "age": AgeTask(), "expression": ExpressionTask()}
"""What the shipped default answers."""
