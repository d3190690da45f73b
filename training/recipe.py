"""Recipes: one small YAML file an experiment, and their schema. A typo is an error that names the field."""

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from facekit.checkpoints import Side
from facekit.errors import RecipeError, UnknownName
from facekit.gan_settings import GanSettings
from facekit.labels import GENDER_ATTRIBUTE
from facekit.tasks import ALL_TASKS, Attribute, CheckedTasks
from training.augment import Strength

RECIPES = Path(__file__).parent / "recipes"

SMALL = "-small"
"""What the name of a recipe's small form ends in."""

FROM_RECIPE = "recipe:"
"""What `init` begins with where it names a recipe whose checkpoint to start from."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataSet(_Frozen):
    """One data set of a recipe.

    Attributes:
        path: file or folder, relative to the recipe's `data_root`, or `hub:owner/name`.
        batch: pictures of this set in every batch.
        hold_out: share of the training pictures kept for validation where the set has no validation split, in [0, 1).
        limit: pictures to crop at all, a random choice of both splits together that is the same in every recipe;
            `null` for all of them.
        balance: labels whose every combination makes the same share of the batches: attributes, "gender", "age" (by
            tens of years) or "expression". Validation takes equally many of each.
        photos_per_person: leave out the training pictures of people with fewer; `null` for none.
        count, validation_count: pictures to use of those; with `balance` no more of any combination than there are
            of the rarest. `null` for all of them, the rarer ones more often.
    """

    path: str
    batch: int = Field(gt=0)
    hold_out: float = Field(0.0, ge=0, lt=1)
    limit: int | None = Field(None, gt=0)
    balance: tuple[str, ...] = ()
    photos_per_person: int | None = Field(None, gt=0)
    count: int | None = Field(None, gt=0)
    validation_count: int | None = Field(None, gt=0)


class Losses(_Frozen):
    """Weights of the heads' losses, and details of each.

    Attributes:
        attributes, combinations, identity, age, expression: the weight of a head by its kind: of binary cross-entropy
            (mean over the attributes); of cross-entropy; of cross-entropy; of cross-entropy with a normal distribution
            about the true age (Gao et al., 2018), or with the band, or the absolute error in years; of cross-entropy
            with the annotators' shares.
        heads: weights of single heads, in place of those by kind.
        names: weights of single attributes in the mean; the others have 1.
        balance: whether the combinations of a head weigh inversely to how often they occur.
        uncertainty: whether a learned variance a head divides its loss (Kendall et al., 2018).
        uncertainty_rate: learning rate of the logarithms of these variances in every step; the recipe's own, made for
            pretrained weights, may be too small to move them.
        age_years: weight, beside the distribution's loss, of the absolute error of the expected age in years.
        age_spread: standard deviation of that normal distribution, in years.
        single_label: share of the data set's own single expression label in the target; the votes have the rest.
        teacher: share of a head's loss that is its distance to the teacher's probabilities, over all pictures; the
            labels have the rest.
    """

    attributes: float = Field(6.0, ge=0)
    combinations: float = Field(1.0, ge=0)
    identity: float = Field(1.0, ge=0)
    age: float = Field(0.5, ge=0)
    expression: float = Field(1.0, ge=0)
    heads: dict[str, Annotated[float, Field(ge=0)]] = {}
    names: dict[Attribute, Annotated[float, Field(ge=0)]] = {GENDER_ATTRIBUTE: 8.0}
    balance: bool = False
    uncertainty: bool = False
    uncertainty_rate: float = Field(1e-2, gt=0)
    age_years: float = Field(0.1, ge=0)
    age_spread: float = Field(2.5, gt=0)
    single_label: float = Field(0.6, ge=0, le=1)
    teacher: float = Field(0.5, ge=0, le=1)


class Optimizer(_Frozen):
    """The optimizer, and which parameters it moves how fast.

    Attributes:
        name: "adamw", "adam", "sgd" or "rmsprop".
        weight_decay: on kernels and matrices; biases and norms are never pulled to zero.
        momentum: of SGD and RMSprop.
        rates: pattern of parameter names to a factor of the learning rate; the first that matches counts, `*` stands
            for anything, and 0 freezes: `{stem.*: 0, stages.*: 0.01}`.
        l2: pattern of parameter names, read as those of `rates`, to a strength: the loss gets the strength times the
            sum of the squares of these parameters, biases and norms included, as Keras' regularizer `l2` defines it.
        clip: largest norm of the gradient; `null` for none.
    """

    name: Literal["adamw", "adam", "sgd", "rmsprop"] = "adamw"
    weight_decay: float = Field(0.05, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    rates: dict[str, Annotated[float, Field(ge=0)]] = {}
    l2: dict[str, Annotated[float, Field(ge=0)]] = {}
    clip: float | None = Field(5.0, gt=0)


class RunRecipe(_Frozen):
    """What decides any training run, whatever trains.

    Attributes:
        name, description: of the recipe; the name is that of its file.
        data_root: folder that the data sets' paths are relative to.
        cache: folder for prepared crops.
        runs: folder that numbered run folders are made in.
        detector: what finds the faces to crop.
        framing: one of `align.FRAMINGS`, which part of a photo the network sees.
        precision: "no" (float32), "bf16", "fp16", or "auto": bf16 where the processor has instructions for it.
    """

    name: str
    description: str
    data_root: str = "data"
    cache: str = "prepared"
    runs: str = "runs"
    seed: int = 0
    data: tuple[DataSet, ...] = Field(min_length=1)
    detector: str = "mtcnn"
    framing: Literal["face", "face-fine", "frame"] = "face"
    epochs: int = Field(gt=0)
    precision: Literal["auto", "no", "bf16", "fp16"] = "auto"

    @field_validator("precision", mode="before")
    @classmethod
    def _no(cls, precision: object) -> object:
        """YAML reads a bare `no` as false."""
        return "no" if precision is False else precision

    @property
    def batch_size(self) -> int:
        """Pictures a batch, over all data sets and processes."""
        return sum(part.batch for part in self.data)


class Recipe(RunRecipe):
    """Everything that decides the training of a network that reads faces.

    Attributes:
        architecture, network: one of `nets.ARCHITECTURES`, and the arguments of its class without the heads.
        tasks: what each head of the network answers.
        negligible: combinations of attributes that make less than this share of the training pictures get no output.
        init: a checkpoint (shipped name, folder, Hub repository) to start from instead of random weights, or
            `recipe:NAME` for that of another recipe's last run, which is made first where there is none. Heads of
            other tasks start at random all the same.
        teacher: a checkpoint whose probabilities the network learns beside the labels, also of pictures that nobody
            labelled (`losses.teacher`); `null` for none.
        input_size: width and height of the network's pictures in pixels; the framing's if not said.
        sizes: (first epoch, share of `input_size`) pairs: small pictures first; the last is the network's.
        epochs, steps: an epoch is `steps` updates of the weights.
        accumulate: batches whose gradients make one update.
        learning_rate: reached after `warmup` steps, held, then linear to 0 over the last `decay` share of the steps.
        step_down: share of the steps after which the rate falls tenfold, again and again; with `decay: 0` this is the
            step-down policy of Caffe and DIGITS.
        best_by: what makes an epoch the best one, whose weights are kept: the "score" of its validation figures, or
            the smallest validation "loss".
        patience: stop after this many epochs that are no better than the best; `null` for never.
        ema: decay of the moving average of the weights (less over the first updates, see `ema.moving_average`), which
            is what is evaluated and kept; 0 for the weights as they are.
        workers: processes that read and augment pictures beside the training; by default none on a CPU, which they
            would take from it, and all but one of its cores beside a GPU, 16 at most.
    """

    architecture: str = "face-net"
    network: dict[str, Any] = {}
    tasks: CheckedTasks = ALL_TASKS
    negligible: float = Field(0.0, ge=0, lt=0.5)
    init: str | None = None
    teacher: str | None = None
    input_size: tuple[Side, Side] | None = None
    steps: int = Field(gt=0)
    sizes: tuple[tuple[int, Annotated[float, Field(gt=0)]], ...] = Field(((0, 1.0),), min_length=1)
    learning_rate: float = Field(2e-3, gt=0)
    accumulate: int = Field(1, gt=0)
    warmup: int = Field(300, ge=0)
    decay: float = Field(0.3, ge=0, le=1)
    step_down: float | None = Field(None, gt=0, lt=1)
    best_by: Literal["score", "loss"] = "score"
    patience: int | None = Field(None, gt=0)
    ema: float = Field(0.999, ge=0, lt=1)
    workers: int | None = Field(None, ge=0)
    optimizer: Optimizer = Optimizer()
    losses: Losses = Losses()
    augment: Strength = Strength()

    @field_validator("sizes")
    @classmethod
    def _rising(cls, sizes: tuple[tuple[int, float], ...]) -> tuple[tuple[int, float], ...]:
        if sizes[0][0] or any(one >= other for (one, _), (other, _) in pairwise(sizes)):
            raise ValueError("the first epochs have to start at 0 and rise")
        return sizes

    @field_validator("losses")
    @classmethod
    def _of_heads(cls, losses: Losses, info: ValidationInfo) -> Losses:
        heads = info.data.get("tasks", {})
        unknown = [head for head in losses.heads if head not in heads]
        if unknown and heads:
            raise ValueError(f"heads has {unknown[0]!r}, which is none of {', '.join(heads)}")
        return losses


class GanRecipe(RunRecipe):
    """Everything that decides the training of a generator of faces.

    Attributes:
        architecture: "dcgan" or "published", the pair of 2022.
        size: width and height of the pictures in pixels.
        generator, discriminator: the other arguments of the two classes of `nets.dcgan`, without the attributes.
        attributes: those that can be chosen once it is trained.
        settings: of `gan.Gan`: loss, rates, penalties.
        epochs, steps: an epoch is `steps` steps; `null` for as many as go through the first set once.
        shown: faces drawn from the same noise after every epoch.
        snapshots: epochs whose weights are kept beside the last ones.
        judged: faces drawn after every epoch to judge their diversity beside validation pictures; 0 for none.
    """

    architecture: Literal["dcgan", "published"] = "dcgan"
    size: int = 64
    generator: dict[str, Any] = {}
    discriminator: dict[str, Any] = {}
    attributes: tuple[Attribute, ...] = ()
    settings: GanSettings = GanSettings()
    steps: int | None = Field(None, gt=0)
    shown: int = Field(36, gt=0, le=256)
    snapshots: tuple[int, ...] = (1, 3, 8)
    judged: int = Field(500, ge=0)


Kind = Literal["classifier", "gan"]

KINDS: dict[str, type[Recipe] | type[GanRecipe]] = {"classifier": Recipe, "gan": GanRecipe}
"""A recipe's `kind`, a classifier if it does not say, to its schema."""


def list_recipes(kind: Kind | None = None) -> dict[str, str]:
    """Name to one-line description of every recipe in `training/recipes`, or of those of one kind."""
    every = {path.stem: _read(path) for path in sorted(RECIPES.glob("*.yaml"))}
    return {name: fields["description"] for name, fields in every.items() if kind in (None, _kind(fields))}


def load_recipe(name: str, overrides: list[str] | None = None, *, small: bool = False) -> Recipe:
    """As `load_any_recipe`, but of a network that reads faces and no other.

    Raises:
        UnknownName, RecipeError: as `load_any_recipe`, and where the recipe trains something else.
    """
    recipe = load_any_recipe(name, overrides, small=small)
    if not isinstance(recipe, Recipe):
        raise RecipeError(f"Recipe {recipe.name} trains a generator of faces: only `fit` takes it.")
    return recipe


def load_any_recipe(name: str, overrides: list[str] | None = None, *, small: bool = False) -> Recipe | GanRecipe:
    """A recipe by name or path, with fields replaced by `field=value` or `part.field=value` (values are YAML).

    A recipe's file may begin with `base`, the name of another one whose fields it has unless it says otherwise, and
    may have a part `small`: fields for a run of minutes on two cores.

    Args:
        small: take the fields under `small`.

    Raises:
        UnknownName: no such recipe.
        RecipeError: a field is unknown or its value does not fit, or there is no small form; the message names it.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else RECIPES / f"{name}.yaml"
    fields = {"name": path.stem, **_read(path)}
    reduced = fields.pop("small", None)
    if small:
        if reduced is None:
            raise RecipeError(f"Recipe {path.stem} has no part `small`: run it as it is.")
        fields["name"] += SMALL
        if not isinstance(reduced, dict):
            raise RecipeError(f"Recipe {path.stem}: field small: it has to hold fields.")
        for key, value in reduced.items():
            _replace(fields, str(key), value)
    for override in overrides or []:
        key, equals, text = override.partition("=")
        if not equals:
            raise RecipeError(f"{override!r} is not field=value.")
        try:
            _replace(fields, key, yaml.safe_load(text))
        except yaml.YAMLError:
            raise RecipeError(f"Field {key}: {text!r} is not YAML: look at its brackets and quotes.") from None
    kind = _kind(fields)
    fields.pop("kind", None)
    if kind not in KINDS:
        raise UnknownName.among("kind of recipe", kind, list(KINDS))
    try:
        return KINDS[kind].model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where, why = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        raise RecipeError(f"Recipe {path.stem}: field {where}: {why}.") from None


def _kind(fields: dict[str, Any]) -> str:
    return str(fields.get("kind", "classifier"))


def _read(path: Path) -> dict[str, Any]:
    """The fields of a recipe's file on top of those of its bases."""
    if not path.is_file():
        name = path.relative_to(RECIPES).with_suffix("") if RECIPES in path.parents else path
        raise UnknownName.among("recipe", str(name), list(list_recipes()))
    try:
        fields = dict(yaml.safe_load(path.read_text()))
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise RecipeError(f"{path.name} is not a YAML mapping: {error}.") from None
    base = fields.pop("base", None)
    return (_read(RECIPES / f"{base}.yaml") if base else {}) | fields


def _replace(fields: dict[str, Any], key: str, value: object) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        fields = fields.setdefault(parent, {})
        if not isinstance(fields, dict):
            raise RecipeError(f"Field {key} does not exist: {parent} has no parts.")
    fields[last] = value
