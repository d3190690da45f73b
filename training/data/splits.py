"""Parts of a source: by index, or chosen by a hash that no shuffle can change, with every person on one side."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b, sha256
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError
from training.data.layout import WHOLE, warn_left_out
from training.data.source import Source

DIVIDED: Final = ("train", "validation", "test", WHOLE)
"""The splits of a set that has no official ones; see `divide`."""

_NOTHING: Final = sha256(b"").digest()


def subset(source: Source, indices: NDArray[np.int64], name: str | None = None) -> Source:
    """The pictures of `source` at `indices` ((M,) integers), in that order."""
    labels = {key: values[indices] for key, values in source.labels.items()}
    return Source(name or source.name, labels, lambda i: source.read(int(indices[i])))


def hold_out(source: Source, share: float = 0.1, seed: int = 0) -> tuple[Source, Source]:
    """`source` in two: what is kept for training, and about `share` of it to validate on.

    A picture's side depends on `seed` and on its identity (else its file name) alone: nobody is on both sides, and the
    pictures of one side stay there when others come or go.

    Args:
        share: in (0, 1).

    Raises:
        DataError: one side would be empty.
    """
    held = np.array([position(f"{seed} {key}".encode()) < share for key in _keys(source)], bool)
    if held.all() or not held.any():
        raise DataError(
            f"Cannot hold out {share:.0%} of the {len(source)} pictures of {source.name}: one side is empty."
        )
    return subset(source, np.flatnonzero(~held)), subset(source, np.flatnonzero(held))


def divide(source: Source, split: str) -> Source:
    """One of `DIVIDED`: 80, 10 or 10 % of the identities (else pictures) of a set without official splits; or all.

    A hash decides which: random, but the same in every run. Validation and test have one identity each at the least.

    Raises:
        DataError: there are fewer than three.
    """
    if split == WHOLE:
        return source
    keys, of = np.unique(_keys(source), return_inverse=True)
    if len(keys) < 3:
        raise DataError(f"{source.name} has {len(keys)} identities, too few to divide: read it whole, as {WHOLE!r}.")
    rank = np.argsort(np.argsort([position(key.encode()) for key in keys.tolist()]))
    few = max(1, round(len(keys) / 10))
    first, end = {"test": (0, few), "validation": (few, 2 * few), "train": (2 * few, len(keys))}[split]
    return subset(source, np.flatnonzero((rank[of] >= first) & (rank[of] < end)))


def without_copies(
    source: Source, others: Sequence[Source], what: str = "copies of pictures to measure with"
) -> Source:
    """`source` less the pictures that are in one of `others` too, byte for byte; a warning says `what` they are.

    Raises:
        DataError: nothing is left.
    """
    seen = {digest for other in others for digest in digests(other)} - {_NOTHING}
    return _without(source, [digest in seen for digest in digests(source)], what)


def without_repeats(source: Source) -> Source:
    """`source` with the first alone of pictures that are the same byte for byte; a warning counts the others."""
    seen: set[bytes] = set()
    repeated = []
    for digest in digests(source):
        repeated.append(digest in seen)
        seen |= {digest} - {_NOTHING}
    return _without(source, repeated, "copies of each other")


def _without(source: Source, unwanted: list[bool], what: str) -> Source:
    if not any(unwanted):
        return source
    if all(unwanted):
        raise DataError(f"All {len(source)} pictures of {source.name} are {what}: choose other data.")
    mask = np.array(unwanted)
    warn_left_out(what, source.labels["file"][mask].tolist(), len(source))
    return subset(source, np.flatnonzero(~mask))


def digests(source: Source) -> Iterator[bytes]:
    """The SHA-256 of every picture; of nothing, where it cannot be read."""
    for i in range(len(source)):
        try:
            yield sha256(source.read(i) or b"").digest()
        except OSError:
            yield _NOTHING


def _keys(source: Source) -> NDArray[np.str_]:
    """(N,) what must not be torn apart: a picture's identity, else its file name."""
    keys = source.labels["file"].astype(str)
    if "identity" not in source.labels:
        return keys
    identity = source.labels["identity"]
    return np.where(identity >= 0, np.char.add("identity ", identity.astype(str)), keys)


def position(key: bytes) -> float:
    """A number in [0, 1) that depends on `key` alone, evenly spread (BLAKE2b)."""
    return int.from_bytes(blake2b(key, digest_size=6).digest()) / 2**48
