"""What a push sends: a checkpoint, its card, its evaluation and how it was made, side by side in one folder."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from facekit.checkpoints import CARD_FILE, Checkpoint, read_checkpoint
from facekit.errors import CheckpointNotFound, DataError, PushError
from facekit.generate import FaceGenerator
from facekit.growth import TRAINING_FILE
from facekit.shipped import CLASSIFIER, GENERATOR, ZOO, Kind, shipped
from training.compare import Run, figure_names
from training.diversity import PIPELINE
from training.pack import pack
from training.records import Record, read_record, record_files, write_record, write_text
from training.report import model_card, write_card
from training.results import RECORDS
from training.runs import commit, versions
from training.state import LOG, read_log

EVALUATION: Final = "evaluation"
FIGURES: Final = "figures"
RECIPE_FILE: Final = "recipe.yaml"
ENVIRONMENT_FILE: Final = "environment.json"

_BEST: Final = "best"
_RUN_RECIPE: Final = "recipe.json"
_CURVES: Final = "curves.png"
_PLACES: Final = ("data_root", "cache", "runs")
"""Fields of a run's recipe that say where files are on one machine, and nothing of the checkpoint."""

OURS: Final = re.compile(
    rf"{EVALUATION}/[^/]+\.json|{FIGURES}/[^/]+\.png|growth/(\d{{4}}\.webp|log\.jsonl)|log\.jsonl|recipe\.yaml"
)
"""Files in a repository that tell of one checkpoint and of no other: they go when a push has none in their place."""


class Source(NamedTuple):
    """What is to be pushed.

    Attributes:
        kind: what it does.
        folder: where its weights are.
        home: the folder of the run that made it, with log and recipe; `folder` itself where that is not known.
    """

    kind: Kind
    folder: Path
    home: Path

    @property
    def name(self) -> str:
        """Of the run or the folder."""
        return self.home.resolve().name


def find_source(run: Path) -> Source:
    """What `run` names: a run's folder, the `best/` or `pipeline/` inside it, or a checkpoint's folder.

    Raises:
        CheckpointNotFound: there is no checkpoint.
    """
    for kind, inside in ((CLASSIFIER, _BEST), (GENERATOR, PIPELINE)):
        if (run / inside / kind.files[0]).is_file():
            return Source(kind, run / inside, run)
        if (run / kind.files[0]).is_file():
            around = run.resolve().parent
            is_inside = run.resolve().name == inside and (around / _RUN_RECIPE).is_file()
            return Source(kind, run, around if is_inside else run)
    raise CheckpointNotFound(
        f"{run} holds no checkpoint yet: name a run such as runs/001-faces, or the folder of a checkpoint."
    )


def stage(source: Source, part: Path, name: str, records: Sequence[Path] = ()) -> str:
    """Write everything that is pushed into the empty folder `part`, and verify it there.

    Args:
        name: the repository, for the card.
        records: evaluation records, or folders of them; `find_records` looks for some if none.

    Returns:
        What the checkpoint says it is, in a line; may be empty.

    Raises:
        CheckpointError: the checkpoint is damaged, or a record is of other weights.
        DataError: a record or the log cannot be read.
        TrainingError: as `pack`.
    """
    if source.kind is GENERATOR:
        if records:
            raise PushError("Records are of checkpoints that read faces: leave out --record for a generator.")
        training = _stage_generator(source, part, name)
        description = str(training.get("recipe", {}).get("description", ""))
    else:
        checkpoint = _stage_classifier(source, part, name, records)
        training, description = checkpoint.config.training, checkpoint.config.description
        _stage_log(source, part)
    for figure in sorted((source.home / FIGURES).glob("*.png")):
        _copy(figure, part / FIGURES / figure.name)
    _write_making(source, part, training)
    return description


def _stage_classifier(source: Source, part: Path, name: str, given: Sequence[Path]) -> Checkpoint:
    for file in CLASSIFIER.files:
        if (source.folder / file).is_file():
            _copy(source.folder / file, part / file)
    checkpoint = read_checkpoint(part, str(source.folder))  # what is sent, also if a run goes on meanwhile
    records = find_records(source, given)
    where = {str(path): record for path, record in records.items()}
    if not records:  # what config.json holds stays there
        where = {f"the record of {data} in config.json": record for data, record in checkpoint.config.metrics.items()}
    _check_digests(where, checkpoint.digest)
    if records:
        write_card(part, name, list(records.values()))
        for path in records:
            _copy(path, part / EVALUATION / path.name)
    elif (source.folder / CARD_FILE).is_file():
        _copy(source.folder / CARD_FILE, part / CARD_FILE)
    else:
        write_text(part / CARD_FILE, str(model_card(name, checkpoint.config, [])))
    return checkpoint


def find_records(source: Source, given: Sequence[Path] = ()) -> dict[Path, Record]:
    """The evaluation records of a checkpoint by their files.

    Those `given`, else those in `evaluation/` of its run, else those of training/results that name the checkpoint.

    Raises:
        DataError: one cannot be read, or two files have the same name.
    """
    own = sorted((source.home / EVALUATION).glob("*.json"))
    if given or own:
        found = {path: read_record(path) for path in record_files(given or own)}
    else:
        every = {path: read_record(path) for path in sorted(RECORDS.glob("*.json"))}
        found = {path: record for path, record in every.items() if _is_of(record, source)}
    names = [path.name for path in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(f"Two records are called {twice[0]}: rename one of them.")
    return found


def _is_of(record: Record, source: Source) -> bool:
    """Whether what a record calls its checkpoint is the folder of this one."""
    name = str(record.get("checkpoint") or "?")
    folder = ZOO / name if name in shipped() else Path(name)
    return folder.resolve() in (source.folder.resolve(), source.home.resolve())


def _check_digests(records: Mapping[str, Record], digest: str) -> None:
    for name, record in records.items():
        if (told := str(record.get("digest"))) != digest:
            raise PushError(
                f"{name} was measured with other weights or settings ({told[:12]}, not {digest[:12]}): evaluate this "
                "checkpoint again, or leave the record out."
            )


def _stage_generator(source: Source, part: Path, name: str) -> dict[str, Any]:
    """A run's newest generator as `pack` makes it, a checkpoint as it is; what its training.json says."""
    if source.home != source.folder:
        pack(source.home, part, name)
    else:
        for path in sorted(source.folder.rglob("*")):
            file = path.relative_to(source.folder).as_posix()
            if file in GENERATOR.files or any(re.fullmatch(pattern, file) for pattern in GENERATOR.optional):
                _copy(path, part / file)
        if not (part / CARD_FILE).is_file():
            raise PushError(
                f"{source.folder} has no card: name its run, or make it with `python -m training pack RUN FOLDER`."
            )
        FaceGenerator.from_pretrained(str(part), device="cpu")
    there = part / TRAINING_FILE
    training: dict[str, Any] = json.loads(there.read_bytes()) if there.is_file() else {}
    return training


def _stage_log(source: Source, part: Path) -> None:
    """The log of a run, and its validation figures drawn over the epochs."""
    epochs = read_log(source.home)
    if not epochs:
        return
    _copy(source.home / LOG, part / LOG)
    run = Run(source.name, {}, epochs)
    if all("validation" in epoch and "score" in epoch for epoch in epochs) and figure_names([run]):
        from training.plots import draw_runs

        draw_runs(part / FIGURES / _CURVES, [run])


def _write_making(source: Source, part: Path, training: Mapping[str, Any]) -> None:
    """The recipe, as `fit` reads it (one document a run of joined and averaged networks), and what it ran on."""
    from training.experiment import hardware

    members: list[Mapping[str, Any]] = training.get("members") or [training]
    runs = [run for member in members for run in (member, *member.get("averaged_with", []))]
    recipes = [dict(run["recipe"]) for run in runs if run.get("recipe")]
    if not recipes and (source.home / _RUN_RECIPE).is_file():
        kept = _read_recipe(source.home / _RUN_RECIPE)
        recipes = [{key: value for key, value in kept.items() if key not in _PLACES}]
    if recipes:
        kind = {"kind": "gan"} if source.kind is GENERATOR else {}
        text = yaml.safe_dump_all([kind | r for r in recipes], sort_keys=False, allow_unicode=True, width=100)
        write_text(part / RECIPE_FILE, text)
    made = [{key: run[key] for key in ("commit", "versions") if key in run} for run in runs]
    pushed = {"commit": commit(), "versions": versions(), "hardware": hardware()}
    write_record(part / ENVIRONMENT_FILE, {"trained": made if len(made) > 1 else made[0], "pushed": pushed})


def _read_recipe(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error}): mend it, or move it away.") from None


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, to)
