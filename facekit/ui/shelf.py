"""The checkpoints that visitors may use by name: shipped ones, and those that were fetched from the Hub."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

from facekit.errors import UnknownName
from facekit.ui.turns import Turns

if TYPE_CHECKING:
    from facekit.analyze import FaceAnalyzer
    from facekit.generate import FaceGenerator
    from facekit.shipped import Kind

_KNOWN_SECONDS: Final = 600.0  # so long the Hub is not asked again what a name stands for
_MOST_KEPT: Final = 4  # networks from the Hub that stay in memory
_MOST_LOADING: Final = 8
_MOST_CACHED: Final = 8 * 10**9  # bytes of downloads on a Space's disk

Net = TypeVar("Net", "FaceAnalyzer", "FaceGenerator")


class Shelf:
    """Holds the networks that were asked for, never a picture. Visitors cannot name folders.

    Attributes:
        speeds: milliseconds that the network in a folder took for one face, where it was timed.
    """

    def __init__(self) -> None:
        self.speeds: dict[Path, float] = {}
        self._found: dict[tuple[str, str, str], tuple[Path, float]] = {}
        self._shipped: dict[tuple[Path, str], Any] = {}
        self._fetched: OrderedDict[tuple[Path, str], Any] = OrderedDict()
        self._downloads = Turns(_MOST_LOADING)  # one at a time, so that nobody fills the disk or the line
        self._lock = Lock()

    def find(self, name: str, kind: Kind, *, anew: bool = False) -> Path:
        """The folder of a checkpoint by a shipped name or an address on the Hub, downloaded if need be.

        Args:
            name: what `hub.parse_address` understands, or a shipped name.
            anew: ask the Hub what the name stands for now, however lately it was asked.

        Raises:
            UnknownName: neither shipped nor an address.
            CheckpointError: as `hub.fetch`.
            Busy: too many wait for downloads.
        """
        from facekit.hub import fetch, parse_address
        from facekit.shipped import shipped, shipped_folder
        from facekit.ui.visitor import token_of_visitor

        inside = shipped_folder(name, kind)
        if inside is not None:
            return inside
        address = parse_address(name)
        if address is None:
            known = ", ".join(shipped(kind))
            raise UnknownName(
                f"No checkpoint {name!r}: choose one of {known}, or a repository on the Hub as user/name[@revision]."
            )
        token = token_of_visitor()
        whose = sha256(token.encode()).hexdigest() if isinstance(token, str) else ""
        key = (str(address), kind.default, whose)
        folder, since = self._found.get(key, (None, 0.0))
        if folder is not None and not anew and monotonic() - since < _KNOWN_SECONDS and folder.is_dir():
            return folder
        with self._downloads.take(str(address)):
            folder = fetch(address, kind=kind, token=token)
            if "SPACE_ID" in os.environ:  # elsewhere the cache is its owner's to keep
                tidy_cache(_MOST_CACHED, folder.name)
        self._found[key] = folder, monotonic()
        return folder

    def take(self, folder: Path, how: str, load: Callable[[], Net]) -> Net:
        """The network in `folder`, read if it is not held yet; the longest unused ones from the Hub are let go."""
        from facekit.shipped import ZOO

        kept = self._shipped if folder.is_relative_to(ZOO) else self._fetched
        with self._lock:
            if (folder, how) in kept:
                net: Net = kept[folder, how]
                if kept is self._fetched:
                    self._fetched.move_to_end((folder, how))
                return net
        net = load()
        with self._lock:
            kept[folder, how] = net
            while len(self._fetched) > _MOST_KEPT:
                self._fetched.popitem(last=False)
        return net


def tidy_cache(most: int, kept: str) -> None:
    """Delete the longest unused downloads until `most` bytes of them are left, but not commit `kept`."""
    from huggingface_hub import scan_cache_dir

    from facekit.hub import caches

    held = [scan_cache_dir(folder) for folder in caches() if folder.is_dir()]
    over = sum(one.size_on_disk for one in held) - most
    revisions = [
        (repo.last_accessed, cache, revision) for cache in held for repo in cache.repos for revision in repo.revisions
    ]
    for _, cache, revision in sorted(revisions, key=lambda one: one[0]):
        if over <= 0:
            return
        if revision.commit_hash != kept:
            deletion = cache.delete_revisions(revision.commit_hash)
            deletion.execute()
            over -= deletion.expected_freed_size  # files that another commit has, too, stay
