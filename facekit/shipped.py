"""The checkpoints inside the package, and of which files one consists."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from facekit.checkpoints import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE
from facekit.errors import CheckpointNotFound
from facekit.growth import GROWTH

ZOO: Final = Path(__file__).parent / "zoo"

EPOCH: Final = "epoch-"
"""How the revision of a shipped generator begins whose weights are those of an earlier epoch: `epoch-3`."""


@dataclass(frozen=True)
class Kind:
    """One kind of checkpoint.

    Attributes:
        default: the name of the shipped one that is used when none is named.
        files: its files, relative to its folder; the first tells it from the other kinds, the last holds the weights.
        optional: patterns of files that may be missing (regular expressions of whole names).
    """

    default: str
    files: tuple[str, ...]
    optional: tuple[str, ...] = (re.escape(CARD_FILE),)


CLASSIFIER: Final = Kind("default", (CONFIG_FILE, WEIGHTS_FILE))
"""A network that reads faces, see `checkpoints`."""

GENERATOR: Final = Kind(
    "dcgan-conditional",
    ("model_index.json", "generator/config.json", "generator/diffusion_pytorch_model.safetensors"),
    (re.escape(CARD_FILE), r"training\.json", r"growth/\d{4}\.webp", r"growth/log\.jsonl"),
)
"""A diffusers pipeline that makes faces, see `generate`."""


def shipped(kind: Kind = CLASSIFIER) -> list[str]:
    """Names of the checkpoints of one kind inside the package, the default first."""
    names = sorted(folder.parent.name for folder in ZOO.glob(f"*/{kind.files[0]}"))
    return sorted(names, key=lambda name: name != kind.default)


def kept_epochs(folder: Path) -> list[int]:
    """Epochs before its last of which a generator's checkpoint keeps the weights, in order."""
    return sorted(int(path.parent.name) for path in folder.glob(f"{GROWTH}/[0-9]*/{GENERATOR.files[0]}"))


def shipped_folder(name: str, kind: Kind = CLASSIFIER, revision: str | None = None) -> Path | None:
    """The folder of a checkpoint inside the package; `None` where there is none of that name.

    Args:
        name: as `shipped` gives it, or with a revision, as in `dcgan-faces@epoch-3`.
        revision: where `name` has none.

    Raises:
        CheckpointNotFound: it is shipped, but not in that revision.
    """
    plain, _, said = name.partition("@")
    if plain not in shipped(kind):
        return None
    folder, revision = ZOO / plain, said or revision
    if revision is None:
        return folder
    epochs = kept_epochs(folder)
    for epoch in epochs:
        if revision == f"{EPOCH}{epoch}":
            return folder / GROWTH / f"{epoch:04d}"
    known = ", ".join(f"{plain}@{EPOCH}{epoch}" for epoch in epochs)
    raise CheckpointNotFound(
        f"{plain} has no revision {revision!r}: use {plain}{' or ' + known if known else ''}, or user/name@revision "
        "of a repository on the Hub."
    )


def home_of(folder: Path) -> Path:
    """The checkpoint whose weights of an earlier epoch are in `folder`; else `folder` itself."""
    return folder.parent.parent if folder.parent.name == GROWTH else folder
