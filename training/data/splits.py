"""Parts of a source: by index, or held out by a hash that no shuffle or new file can change."""

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from facekit.errors import DataError
from training.data.source import Source


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
    keys = source.labels["file"].astype(str)
    if "identity" in source.labels:
        identity = source.labels["identity"]
        keys = np.where(identity >= 0, np.char.add("identity ", identity.astype(str)), keys)
    held = np.array([position(f"{seed} {key}".encode()) < share for key in keys], bool)
    if held.all() or not held.any():
        raise DataError(
            f"Cannot hold out {share:.0%} of the {len(source)} pictures of {source.name}: one side is empty."
        )
    return subset(source, np.flatnonzero(~held)), subset(source, np.flatnonzero(held))


def position(key: bytes) -> float:
    """A number in [0, 1) that depends on `key` alone, evenly spread (BLAKE2b)."""
    return int.from_bytes(blake2b(key, digest_size=6).digest()) / 2**48
