"""Files that are whole or not there: written beside their place, which they take when they are complete."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from facekit.errors import FacekitError


@contextlib.contextmanager
def whole_file(path: Path, option: str = "") -> Iterator[Path]:
    """An empty file to write to, which takes the name `path` when the block ends well, and goes when it does not.

    A symbolic link stays: the file that it leads to is replaced.

    Args:
        option: what a command calls the place, for messages.

    Raises:
        FacekitError: something that is no file, such as a folder, a pipe or a device, has that name.
        OSError: the file cannot be written.
    """
    place = Path(os.path.realpath(path))
    if os.path.lexists(place) and not place.is_file():
        raise FacekitError(f"{path} exists and is not a file: {_advice(option)}.")
    beside = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    beside.touch(exist_ok=False)
    try:
        yield beside
        os.replace(beside, place)
    finally:
        beside.unlink(missing_ok=True)


def check_place(path: Path, option: str = "") -> None:
    """See that `whole_file` can write there: before the work whose result it is for.

    Raises:
        FacekitError: it cannot.
    """
    try:
        with contextlib.suppress(_OnlyTried), whole_file(path, option):
            raise _OnlyTried
    except OSError as error:
        raise cannot_write(path, error, option) from None


def cannot_write(path: Path, error: OSError, option: str = "") -> FacekitError:
    """The error to raise where `path` cannot be written."""
    return FacekitError(f"Cannot write {path} ({error.strerror or error}): {_advice(option)}.")


class _OnlyTried(Exception):
    """Ends `whole_file` before it replaces anything."""


def _advice(option: str) -> str:
    return f"choose another place for {option}" if option else "choose another place"
