"""Find a checkpoint by name: shipped inside the package, a folder, in the cache, or on the Hugging Face Hub."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from facekit.checkpoints import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE
from facekit.errors import CheckpointNotFound, HubUnreachable

ZOO = Path(__file__).parent / "zoo"


@dataclass(frozen=True)
class Kind:
    """One kind of checkpoint.

    Attributes:
        default: the name of the shipped one that is used when none is named.
        files: its files, relative to its folder; the first tells it from the other kinds.
        optional: files that may be missing, or patterns of them.
    """

    default: str
    files: tuple[str, ...]
    optional: tuple[str, ...] = (CARD_FILE,)


CLASSIFIER: Final = Kind("default", (CONFIG_FILE, WEIGHTS_FILE))
"""A network that reads faces, see `checkpoints`."""

GENERATOR: Final = Kind(
    "dcgan-conditional",
    ("model_index.json", "generator/config.json", "generator/diffusion_pytorch_model.safetensors"),
    (CARD_FILE, "training.json", "growth/*.webp", "growth/log.jsonl"),
)
"""A diffusers pipeline that makes faces, see `generate`."""

_SECONDS = 4  # the Hub is asked once, this long


def shipped(kind: Kind = CLASSIFIER) -> list[str]:
    """Names of the checkpoints of one kind inside the package, the default first."""
    names = sorted(folder.parent.name for folder in ZOO.glob(f"*/{kind.files[0]}"))
    return sorted(names, key=lambda name: name != kind.default)


def find_checkpoint(name: str | None = None, *, revision: str | None = None, kind: Kind = CLASSIFIER) -> Path:
    """The folder of a checkpoint: shipped, a folder, cached, else downloaded from the Hub.

    Args:
        name: `None` for the default, a shipped name, a folder, or a Hub repository `user/name`.
        revision: branch, tag or commit of a Hub repository.
        kind: what is looked for.

    Raises:
        CheckpointNotFound: no such checkpoint anywhere.
        HubUnreachable: it is neither shipped nor cached, and the Hub did not answer.
    """
    name = name or kind.default
    if name in shipped(kind):
        return ZOO / name
    if Path(name).is_dir():
        return Path(name)
    if not _is_repository(name):
        known = ", ".join(shipped(kind)) or "none"
        raise CheckpointNotFound(
            f"No checkpoint {name!r}: name a shipped one ({known}), a folder, or a Hub repository as user/name."
        )
    return _from_hub(name, revision, kind)


def _is_repository(name: str) -> bool:
    """Whether `name` has the form `user/name` that the Hub allows."""
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return name.count("/") == 1


def _from_hub(repository: str, revision: str | None, kind: Kind) -> Path:
    """The local snapshot of a Hub repository: the cache first, since a dead network costs seconds."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    wanted = [*kind.files, *kind.optional]
    try:
        cached = Path(snapshot_download(repository, revision=revision, allow_patterns=wanted, local_files_only=True))
        if all((cached / file).is_file() for file in kind.files):
            return cached
    except LocalEntryNotFoundError:
        pass
    _check_reachable()
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=wanted, etag_timeout=_SECONDS))
    except RevisionNotFoundError:
        raise CheckpointNotFound(
            f"{repository} has no revision {revision!r}: check the branch, tag or commit."
        ) from None
    except RepositoryNotFoundError:
        raise CheckpointNotFound(
            f"No repository {repository} on the Hub: check its name, or sign in if it is private."
        ) from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise HubUnreachable(
            f"The Hub did not deliver {repository} ({type(error).__name__}): try again later."
        ) from None


def _check_reachable() -> None:
    """One short request, because the client's own retries against a dead server take 23 seconds.

    Raises:
        HubUnreachable: no answer, or the client is set offline.
    """
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise HubUnreachable("HF_HUB_OFFLINE is set: use a shipped or cached checkpoint, or unset it.")
    try:
        urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=_SECONDS).close()
    except HTTPError:
        pass  # any answer will do
    except (OSError, HTTPException):
        raise HubUnreachable(
            f"The Hub at {constants.ENDPOINT} did not answer: use a shipped checkpoint, or try again with a network."
        ) from None
