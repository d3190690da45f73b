"""What the tab *Models* shows of a checkpoint: facts for a card, from files that a stranger may have written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from facekit.checkpoints import CONFIG_FILE, MAX_TEXT_BYTES, digest_of, read_card, read_config
from facekit.errors import DamagedCheckpoint
from facekit.growth import TRAINING_FILE, read_growth
from facekit.hub import commit_of, generator_digest
from facekit.labels import SETS
from facekit.shipped import CLASSIFIER, GENERATOR, ZOO, Kind
from facekit.ui.quality import charts, headline_figures, number

RECORDS: Final = Path(__file__).parents[2] / "training" / "results"
"""The evaluation records of this repository; a Space has them, an installed package does not."""

_LONGEST: Final = 300
_TERMS: Final = re.compile(r"^license(?:_name)?: *([\w.+ -]{1,60})$", re.MULTILINE)


def entry(name: str, folder: Path, kind: Kind) -> dict[str, Any]:
    """One checkpoint as the gallery shows it.

    Returns:
        "name"; "kind": classifier or generator; "shipped"; "verified": whether its figures were measured here;
        "description"; "answers": the kinds of its tasks; "bytes" of
        its weights; "figures" and "charts" as in `quality`; "terms": of its licence; "made": a row for each network
        of which it consists, `{"recipe", "data", "epochs", "steps", "seed", "commit"}`; "commit" on the Hub, or `None`.

    Raises:
        CheckpointNotFound, DamagedCheckpoint: as `read_config`.
    """
    shared = {
        "name": name,
        "shipped": folder.parent == ZOO,
        "bytes": sum((folder / file).stat().st_size for file in kind.files if file.endswith(".safetensors")),
        "terms": _terms(folder),
        "commit": commit_of(folder),
    }
    if kind is GENERATOR:
        training, measured = _json(folder / TRAINING_FILE), verified_diversity(folder)
        return shared | {
            "kind": "generator",
            "verified": bool(measured),
            "description": _text(_mapping(training.get("recipe")).get("description")),
            "answers": ["faces"],
            "figures": _diversity(measured or _last_judged(folder)),
            "charts": [],
            "made": _made(training),
        }
    config = read_config(folder, name)
    records = verified_records(folder)
    metrics = records or config.metrics
    return shared | {
        "kind": "classifier",
        "verified": bool(records),
        "description": _text(config.description),
        "answers": list(dict.fromkeys(task.kind for task in config.tasks.values())),
        "figures": headline_figures(metrics),
        "charts": charts(metrics),
        "made": _made(config.training),
    }


def shipped_entries() -> list[dict[str, Any]]:
    """Every checkpoint inside the package."""
    from facekit.shipped import shipped

    return [entry(name, ZOO / name, kind) for kind in (CLASSIFIER, GENERATOR) for name in shipped(kind)]


def kind_of(folder: Path) -> Kind:
    """Which kind of checkpoint lies in `folder`."""
    return CLASSIFIER if (folder / CONFIG_FILE).is_file() else GENERATOR


@cache
def verified_records(folder: Path) -> dict[str, Any]:
    """The records in `training/results` of exactly this checkpoint, by the name of their data set.

    They are what `training/RESULTS.md` is made of: somebody here ran `python -m training evaluate` on the checkpoint,
    and everybody can again. What a checkpoint says of itself is only that.
    """
    digest = digest_of(folder)
    found: dict[str, Any] = {}
    for file in sorted(RECORDS.glob("*.json")):
        record = json.loads(file.read_bytes())
        if record.get("digest") == digest and "verification" not in record:
            found[SETS.get(Path(str(record["data"])).name, Path(str(record["data"])).name)] = record
    return found


def gate_between(baseline: str, candidate: str) -> dict[str, str] | None:
    """What the gate said of exactly these two, `{"verdict", "sentence"}`, from the records in `training/results/gates`;
    `None` where nobody here has run it.

    Args:
        baseline, candidate: their `checkpoints.digest_of`.
    """
    wanted = {"candidate": candidate, "baseline": baseline}
    for path in sorted((RECORDS / "gates").glob("*.json")):
        judged = json.loads(path.read_bytes())
        if judged.get("digest") == wanted:
            return {"verdict": str(judged["verdict"]), "sentence": str(judged["sentence"])}
    return None


@cache
def verified_diversity(folder: Path) -> dict[str, Any]:
    """The record in `training/results/generators` of exactly this generator, as `python -m facekit diversity` writes
    it; empty where nobody here has measured it."""
    digest = generator_digest(folder)
    records = (json.loads(file.read_bytes()) for file in sorted((RECORDS / "generators").glob("*.json")))
    return next((record for record in records if record.get("digest") == digest), {})


def _last_judged(folder: Path) -> Mapping[str, Any]:
    """What a generator's log says of its last judged epoch."""
    try:
        growth = read_growth(folder)
    except DamagedCheckpoint:
        return {}
    judged = [record for record in growth.log if "vendi" in record] if growth else []
    return judged[-1] if judged else {}


def _diversity(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Figures of how different the faces are: `{"task", "value", "low", "high", "faces"}`, the last of how many.

    Without an interval low and high are the value.
    """
    faces, spread = _whole(record.get("compared")), _mapping(record.get("spread"))
    figures = []
    for task in ("vendi", "recall", "frechet"):
        value = number(record.get(task))
        ends = [end for end in map(number, _list(spread.get(task))) if end is not None]
        if value is not None:
            low, high = ends if len(ends) == 2 else (value, value)
            figures.append({"task": task, "value": value, "low": low, "high": high, "faces": faces})
    return figures


def _made(training: Mapping[str, Any]) -> list[dict[str, Any]]:
    """How it was trained, as far as it says so in the form that facekit writes."""
    members = training.get("members")
    rows = []
    for part in members if isinstance(members, list) else [training]:
        recipe = _mapping(_mapping(part).get("recipe"))
        data = recipe.get("data")
        row = {
            "recipe": _text(recipe.get("name")),
            "data": ", ".join(_text(Path(_text(_mapping(one).get("path"))).name) for one in _list(data)),
            "epochs": _whole(recipe.get("epochs")),
            "steps": _whole(recipe.get("steps")),
            "seed": _whole(recipe.get("seed")),
            "commit": _text(_mapping(part).get("commit"))[:20],
        }
        if any(value not in ("", None) for value in row.values()):
            rows.append(row)
    return rows[:8]


def _terms(folder: Path) -> str:
    """The licence that the card's front matter names; its own name for it, where it is an unusual one."""
    front, _, _ = read_card(folder).removeprefix("---\n").partition("\n---\n")
    return (_TERMS.findall(front[:20_000]) or [""])[-1].strip()


def _json(path: Path) -> Mapping[str, Any]:
    if not path.is_file() or path.stat().st_size > MAX_TEXT_BYTES:
        return {}
    try:
        return _mapping(json.loads(path.read_bytes()))
    except (ValueError, RecursionError):
        raise DamagedCheckpoint(f"{path.name} of {path.parent.name} is damaged: fetch it again.") from None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> Iterable[Any]:
    return value[:20] if isinstance(value, list | tuple) else []


def _text(value: object) -> str:
    """A text that can be sent: JSON may hold half of a surrogate pair."""
    return value[:_LONGEST].encode(errors="replace").decode() if isinstance(value, str) else ""


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and abs(value) < 10**9 else None
