"""Where a command's answers go: the screen, or a file that is whole or not there."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from facekit.errors import FacekitError


@contextlib.contextmanager
def output(path: Path | None, option: str = "--out") -> Iterator[TextIO]:
    """stdout, or a file that takes its name only when it is complete.

    Args:
        option: what the command calls it, for messages.

    Raises:
        FacekitError: the file cannot be written there.
    """
    if path is None:
        yield sys.stdout
        return
    if path.exists() and not path.is_file():
        raise FacekitError(f"{path} exists and is not a file: choose another place for {option}.")
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise FacekitError(f"Cannot write {path} ({error.strerror}): choose another place for {option}.") from None
    try:
        with open(handle, "w", encoding="utf-8", newline="") as stream:
            yield stream
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp's files are for their owner alone
        os.replace(temporary, path)
    except OSError as error:
        raise FacekitError(f"Cannot write {path} ({error.strerror}): choose another place for {option}.") from None
    finally:
        Path(temporary).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
