"""Find a checkpoint by name: shipped inside the package, a folder, in the cache, or on the Hugging Face Hub."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from hashlib import sha256
from os.path import isdir
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

from facekit.checkpoints import (
    MAX_TEXT_BYTES,
    MAX_WEIGHT_BYTES,
    joint_digest,
)
from facekit.errors import CheckpointNotFound, DamagedCheckpoint, HubUnreachable
from facekit.shipped import CLASSIFIER, GENERATOR, Kind, shipped, shipped_folder

if TYPE_CHECKING:
    from huggingface_hub import HfApi, ModelInfo

Token = str | bool | None
"""A visitor's own token; `None` for the environment's where it is needed, `False` for none at all."""


class Address(NamedTuple):
    """Where on the Hub a checkpoint is.

    Attributes:
        repository: `user/name`.
        revision: branch, tag, commit, or `refs/pr/3` for a pull request; `None` for the main branch.
    """

    repository: str
    revision: str | None = None

    def __str__(self) -> str:
        """As one may write it: `user/name@revision`."""
        return self.repository if self.revision is None else f"{self.repository}@{self.revision}"


def generator_digest(folder: Path) -> str:
    """SHA-256, in hexadecimal, of all that decides what the generator in `folder` draws: its weights and settings."""
    settings, weights = (folder / file for file in GENERATOR.files[1:])
    kept = {key: value for key, value in json.loads(settings.read_bytes()).items() if not key.startswith("_diffusers")}
    return joint_digest(weights, kept)


_SECONDS: Final = 4.0  # the Hub is asked once, this long
_SECONDS_IF_CACHED: Final = 1.5  # and so long whether what is cached is still the newest
_QUIET_SECONDS: Final = 30.0  # so long a Hub that did not answer is not asked again about what is cached
_DOWNLOAD_SECONDS, _SLOWEST = 15.0, 100_000.0  # a download has so long, and a second for so many bytes
_MOST_FILES, _MOST_OPTIONAL_BYTES = 300, 32 * 2**20
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_REVISION: Final = re.compile(r"(?!.*\.\.)(?!.*//)[A-Za-z0-9][A-Za-z0-9._/+-]{0,200}")
_PICKLES: Final = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")
_OTHER_PATHS: Final = ("spaces", "datasets", "collections", "papers", "docs", "blog", "settings")
_HUB_HOSTS: Final = ("huggingface.co", "hf.co", "www.huggingface.co")

_silent_since: dict[str, float] = {}
_private: dict[str, TemporaryDirectory[str]] = {}

Answer = TypeVar("Answer")


def find_checkpoint(
    name: str | None = None, *, revision: str | None = None, kind: Kind = CLASSIFIER, token: Token = None
) -> Path:
    """The folder of a checkpoint: shipped, a folder, cached, else downloaded from the Hub.

    Args:
        name: `None` for the default, a shipped name, a folder, or what `parse_address` understands.
        revision: branch, tag, commit or `refs/pr/N` of a Hub repository, or `epoch-N` of a shipped generator, where
            `name` does not say it.
        kind: what is looked for.
        token: for repositories that not everybody may read.

    Raises:
        CheckpointNotFound: no such checkpoint anywhere, or not for whoever asks.
        DamagedCheckpoint: what is there is larger than a checkpoint can be.
        HubUnreachable: it is neither shipped nor cached, and the Hub did not answer.
    """
    name = name or kind.default
    inside = shipped_folder(name, kind, revision)
    if inside is not None:
        return inside
    if isdir(name):
        if revision is not None:
            raise CheckpointNotFound(
                f"{name} has no revisions: only repositories on the Hub do, as user/name@{revision}."
            )
        return Path(name)
    address = parse_address(name, revision)
    if address is None:
        known = ", ".join(shipped(kind)) or "none"
        raise CheckpointNotFound(
            f"No checkpoint {name!r}: name a shipped one ({known}), a folder, or user/name[@revision] on the Hub."
        )
    return fetch(address, kind=kind, token=token)


def parse_address(text: str, revision: str | None = None) -> Address | None:
    """Where on the Hub `text` points to; `None` where it is no address.

    Args:
        text: `user/name`, `user/name@revision`, or the link of a repository, a branch, a commit or a pull request.
        revision: the revision where the text has none.
    """
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    text = text.strip()
    try:
        repository, said = _parse_link(text) if "://" in text else _split(text)
        validate_repo_id(repository)
    except (HFValidationError, ValueError):  # the latter is of links
        return None
    revision = said or revision
    if repository.count("/") != 1 or (revision is not None and not _REVISION.fullmatch(revision)):
        return None
    return Address(repository, revision)


def _split(text: str) -> tuple[str, str | None]:
    repository, at, revision = text.partition("@")
    return repository, (revision if at else None)


def _parse_link(text: str) -> tuple[str, str | None]:
    """The repository and revision of a link to the Hub; an empty repository where it is none."""
    from huggingface_hub import constants

    link = urlsplit(text)
    if link.netloc not in (*_HUB_HOSTS, urlsplit(constants.ENDPOINT).netloc):
        return "", None
    user, name, what, rest = [*unquote(link.path).strip("/").split("/", 3), "", "", "", ""][:4]
    if what == "discussions":
        return f"{user}/{name}", f"refs/pr/{rest.split('/')[0]}"
    if what == "tree" and not rest.startswith("main/"):  # a branch's name may have slashes; checkpoints lie at the top
        return f"{user}/{name}", rest.rstrip("/")
    if what in ("blob", "resolve", "commit"):
        pull = re.match(r"refs/pr/\d+", rest)
        return f"{user}/{name}", pull[0] if pull else rest.split("/")[0]
    return ("", None) if user in _OTHER_PATHS else (f"{user}/{name}", None)


def commit_of(folder: Path) -> str | None:
    """The commit that a folder of the Hub's cache holds; `None` for any other folder."""
    return folder.name if folder.parent.name == "snapshots" and _COMMIT.fullmatch(folder.name) else None


def fetch(address: Address, *, kind: Kind = CLASSIFIER, token: Token = None) -> Path:
    """The folder of a checkpoint on the Hub, from the cache where that holds its newest commit.

    A commit by its whole hash cannot change: it comes from the cache without a question. Everything else is asked for
    once, briefly; where nobody answers, the cache serves what it has. A token is sent only where the repository cannot
    be read without, and what a visitor's own token opened is kept apart from what all may read, until the process ends.

    Raises:
        CheckpointNotFound, DamagedCheckpoint, HubUnreachable: as `find_checkpoint`.
    """
    from huggingface_hub import constants, get_token
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    ways: list[tuple[str | bool, Path]] = [(False, Path(constants.HF_HUB_CACHE))]
    if isinstance(token, str):
        ways.append((token, _private_cache(sha256(token.encode()).hexdigest())))
    elif token is None and (own := get_token()):
        ways.append((own, ways[0][1]))
    cached = next((found for _, folder in ways if (found := _cached(address, kind, folder))), None)
    if cached and (address.revision == cached.name or constants.HF_HUB_OFFLINE or _is_silent()):
        return cached
    seconds = _SECONDS_IF_CACHED if cached else _SECONDS
    refused: HfHubHTTPError | None = None
    for sent, folder in ways:
        try:
            return _download(address, kind, _look_up(address, sent, seconds), sent, folder)
        except (GatedRepoError, RepositoryNotFoundError) as error:
            refused = error
        except HfHubHTTPError as error:
            if error.response.status_code not in (401, 403):  # too many questions, say
                if cached:
                    return cached
                raise _told(address, error) from None
            refused = error
        except HubUnreachable:
            if cached:
                return cached
            raise
    assert refused is not None
    raise _told(address, refused) from None


def _is_silent() -> bool:
    from huggingface_hub import constants

    return monotonic() - _silent_since.get(constants.ENDPOINT, -_QUIET_SECONDS) < _QUIET_SECONDS


def _private_cache(digest: str) -> Path:
    """A folder for what one token opens, by the token's digest; it vanishes with the process."""
    if digest not in _private:
        _private[digest] = TemporaryDirectory(prefix="facekit-private-", ignore_cleanup_errors=True)
    return Path(_private[digest].name)


def caches() -> list[Path]:
    """The folders that downloads are in: the Hub's own cache, and those of tokens."""
    from huggingface_hub import constants

    return [Path(constants.HF_HUB_CACHE), *(Path(one.name) for one in list(_private.values()))]


def _cached(address: Address, kind: Kind, folder: Path) -> Path | None:
    """The snapshot of `address` in a cache, if all its files are there."""
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(address.repository, f, folder, address.revision) for f in kind.files]
    if not all(isinstance(path, str) for path in found):
        return None
    return Path(str(found[0]).removesuffix(kind.files[0]))


def ask_hub(about: str, call: Callable[[HfApi], Answer], token: Token = None) -> Answer:
    """What the Hub answers to `call`, within a few seconds.

    Args:
        about: the repository, owner or collection that is asked about, for errors.

    Raises:
        HubUnreachable: it did not answer in time, or with an error of its own.
        CheckpointNotFound: it refuses.
    """
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return reply_of(lambda: call(_client(token)))
    except HfHubHTTPError as error:
        raise _told(Address(about), error) from None


def _client(token: Token) -> HfApi:
    from huggingface_hub import HfApi, constants

    return HfApi(endpoint=constants.ENDPOINT, token=token)


def reply_of(call: Callable[[], Answer], seconds: float = _SECONDS) -> Answer:
    """What `call`, which asks the Hub one thing, returns within `seconds`.

    Raises:
        HubUnreachable: the Hub did not answer in time, or with an error of its own.
        HfHubHTTPError: it refuses; the client's own error says why.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError

    if constants.HF_HUB_OFFLINE:
        raise HubUnreachable("HF_HUB_OFFLINE is set: unset it to reach the Hub; what is shipped or cached needs none.")
    try:
        answer = within(seconds, call)
    except HfHubHTTPError as error:
        if (status := error.response.status_code) >= 500:
            raise HubUnreachable(
                f"The Hub at {constants.ENDPOINT} has an error of its own (status {status}): try again later."
            ) from None
        raise
    except Exception:  # the client's transport raises whatever it is made of
        _silent_since[constants.ENDPOINT] = monotonic()
        raise HubUnreachable(
            f"The Hub at {constants.ENDPOINT} did not answer: try again with a network; what is shipped or cached "
            "needs none."
        ) from None
    _silent_since.pop(constants.ENDPOINT, None)
    return answer


def _look_up(address: Address, token: str | bool, seconds: float) -> ModelInfo:
    """What the Hub says of a repository: its commit, and its files with their sizes.

    Raises:
        HubUnreachable, HfHubHTTPError: as `reply_of`.
        CheckpointNotFound: there is no such revision.
    """
    from huggingface_hub.errors import RevisionNotFoundError

    repository, revision = address

    def listing() -> ModelInfo:
        return _client(token).model_info(repository, revision=revision, files_metadata=True, timeout=seconds)

    try:
        return reply_of(listing, seconds)
    except RevisionNotFoundError:
        raise CheckpointNotFound(
            f"{repository} has no revision {revision!r}: check the branch, tag or commit."
        ) from None


def _download(address: Address, kind: Kind, info: ModelInfo, token: str | bool, folder: Path) -> Path:
    """The snapshot of a commit, downloaded where it is not cached. Only files of the kind are, and none over its limit.

    Raises:
        CheckpointNotFound: it lacks a file.
        DamagedCheckpoint: a file is too large, whatever the listing says.
        HubUnreachable: the download failed, or crawls.
        HfHubHTTPError: the Hub refuses a file.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    listed = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    if missing := [file for file in kind.files if file not in listed]:
        pickles = [file for file in listed if file.endswith(_PICKLES)]
        why = f"; {pickles[0]} is a pickle, which can run code and is never read here" if pickles else ""
        raise CheckpointNotFound(f"{address} is no checkpoint of facekit: it has no {missing[0]}{why}.")
    optional = [file for file in sorted(listed) if any(re.fullmatch(pattern, file) for pattern in kind.optional)]
    if len(optional) > _MOST_FILES or sum(listed[file] for file in optional) > _MOST_OPTIONAL_BYTES:
        optional = []
    path = ""
    try:
        weights = hf_hub_url(address.repository, kind.files[-1], revision=info.sha, endpoint=constants.ENDPOINT)
        reply_of(lambda: get_hf_file_metadata(weights, token=token, timeout=_SECONDS))  # the client would ask for long
        for file in [*optional, *reversed(kind.files)]:  # the one that tells its kind comes last
            limit = MAX_WEIGHT_BYTES if file.endswith(".safetensors") else MAX_TEXT_BYTES
            larger = DamagedCheckpoint(
                f"{file} of {address} is over {limit >> 20} MB: no checkpoint here is that large."
            )
            if listed[file] > limit:
                raise larger
            get = partial(
                hf_hub_download,
                address.repository,
                file,
                revision=info.sha,
                cache_dir=folder,
                token=token,
                endpoint=constants.ENDPOINT,
                etag_timeout=_SECONDS,
                tqdm_class=_bounded(limit, larger),
            )
            path = within(_DOWNLOAD_SECONDS + listed[file] / _SLOWEST, get)
        if address.revision != info.sha:  # now that all is there, let the cache know this commit by its name as well
            _remember(folder, address, str(info.sha))
    except (DamagedCheckpoint, HfHubHTTPError, HubUnreachable):
        raise
    except Exception as error:  # as in `reply_of`; a full disk is one of them
        raise HubUnreachable(f"The Hub did not deliver {address} ({type(error).__name__}): try again later.") from None
    return Path(path.removesuffix(kind.files[0]))


def _remember(folder: Path, address: Address, commit: str) -> None:
    """Write what the client writes when it is asked for a branch, so that it is found by that name offline."""
    from huggingface_hub.file_download import repo_folder_name

    name = repo_folder_name(repo_id=address.repository, repo_type="model")
    ref = folder / name / "refs" / (address.revision or "main")
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text(commit)


def _bounded(limit: int, error: Exception) -> type[Any]:
    """A progress bar that ends a download of more than `limit` bytes with `error`, whatever size was announced."""
    from huggingface_hub.utils.tqdm import tqdm

    class Bounded(tqdm):
        received = 0

        def update(self, n: float | None = 1) -> bool | None:
            self.received += int(n or 0)
            if self.received > limit:
                raise error
            return super().update(n)

    return Bounded


def _told(address: Address, error: Exception) -> CheckpointNotFound | HubUnreachable:
    """The client's refusal as one sentence."""
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    if isinstance(error, GatedRepoError):
        return CheckpointNotFound(f"{address.repository} has terms to accept: do so on the Hub, then sign in here.")
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
    if isinstance(error, RepositoryNotFoundError) or status in (401, 403, 404):
        return CheckpointNotFound(
            f"No repository {address.repository} on the Hub that may be read: check its name, or sign in if it is "
            "private."
        )
    return HubUnreachable(f"The Hub did not deliver {address} (status {status}): try again later.")


def within(seconds: float, call: Callable[[], Answer]) -> Answer:
    """What `call` returns; after `seconds` it is left alone. A timeout of the client's own does not cover looking up a
    name without a network, which takes longest.

    Raises:
        TimeoutError: it took longer.
    """
    future: Future[Answer] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # raised again where the result is waited for
            future.set_exception(error)

    Thread(target=run, name="hub", daemon=True).start()
    return future.result(seconds)
