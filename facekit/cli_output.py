"""Where a command's answers go: the screen, or a file that is whole or not there."""

import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from facekit.errors import FacekitError
from facekit.whole_file import cannot_write, whole_file


@contextlib.contextmanager
def output(path: Path | None, option: str = "--out") -> Iterator[TextIO]:
    """stdout, or a file that takes its name only when it is complete; UTF-8 both.

    Whatever may fail to read belongs before the block: an OSError in it is taken for one of writing.

    Args:
        option: what the command calls it, for messages.

    Raises:
        FacekitError: it cannot be written there.
        BrokenPipeError: nobody reads stdout any more, which typer takes for an end.
    """
    if path is None:
        with _screen(option) as stream:
            yield stream
        return
    try:
        with (
            ended_by_sigterm(),
            whole_file(path, option) as place,
            place.open("w", encoding="utf-8", newline="") as file,
        ):
            yield file
    except OSError as error:
        raise cannot_write(path, error, option) from None


def folder(given: str, option: str = "--out") -> Path:
    """The folder that an option names.

    Raises:
        FacekitError: it names none, which would be the current one.
    """
    if not given.strip():
        raise FacekitError(f"{option} is empty: name a folder, such as {option} faces.")
    return Path(given)


def readable(text: str) -> str:
    """Text that is valid UTF-8: what a file's name holds that is not, is replaced by U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@contextlib.contextmanager
def _screen(option: str) -> Iterator[TextIO]:
    """stdout in UTF-8."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes what is left when it ends
        raise FacekitError(
            f"Cannot write the answers ({error.strerror or error}): choose a file with {option}."
        ) from None


@contextlib.contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """SIGTERM, which else ends a program on the spot, raises SystemExit within, so that temporary files go."""
    if threading.current_thread() is not threading.main_thread():  # only that one may say what signals do
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
