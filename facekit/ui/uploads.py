"""Uploads that the HTTP API makes Gradio write to disk: a folder of our own, emptied at once and swept besides.

The page itself sends photos inside a request and writes no file. API clients upload first and call afterwards, so for
them a file exists in between: each upload gets a folder of its own, is deleted by the call that reads it, and is swept
away when no call comes.
"""

import atexit
import os
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from uuid import uuid4

import gradio as gr
from gradio.data_classes import FileData, ListFiles
from gradio.route_utils import upload_fn
from python_multipart.exceptions import MultipartParseError
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from facekit.images import MAX_BYTES

SECONDS_TO_LIVE = float(os.environ.get("FACEKIT_UPLOAD_SECONDS", "120"))
"""How long an upload may wait for the call that reads it."""


def private_folder() -> Path:
    """A fresh folder for this process, in memory where the system has such a place; Gradio is told to use it.

    It lies inside GRADIO_TEMP_DIR where that is set, and is removed when the process ends.
    """
    memory = Path("/dev/shm")
    base = os.environ.get("GRADIO_TEMP_DIR") or (str(memory) if os.access(memory, os.W_OK) else None)
    if base:
        Path(base).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="facekit-", dir=base))
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    signal.signal(signal.SIGTERM, lambda *_: exit(0))  # so that ending the process runs the line above
    return folder


def sweep(folder: Path, older_than: float) -> None:
    """Delete what lies in `folder` longer than `older_than` seconds, and the folders this leaves empty."""
    for path in sorted(folder.rglob("*"), reverse=True):  # what is inside a folder comes before it
        try:
            if time.time() - path.lstat().st_mtime > older_than:
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        except OSError:  # read and deleted by its call meanwhile, or a folder still in use
            continue


def keep_swept(folder: Path, seconds_to_live: float = SECONDS_TO_LIVE) -> None:
    """Sweep `folder` in the background for as long as the process runs."""

    def forever() -> None:
        while True:
            time.sleep(min(5.0, seconds_to_live / 2))
            sweep(folder, seconds_to_live)

    Thread(target=forever, name="sweep", daemon=True).start()


def upload_route(folder: Path) -> Route:
    """Gradio's upload route with one difference: every upload gets its own folder.

    Gradio names an upload after its content, so that two visitors with the same photo share one file, and deleting it
    for the first would take it from the second.
    """

    async def upload(request: Request) -> Response:
        try:
            files, _, _ = await upload_fn(request, folder / uuid4().hex, MAX_BYTES, None)
        except MultiPartException as error:
            return PlainTextResponse(error.message, status_code=413 if "size" in error.message else 400)
        except (MultipartParseError, KeyError, ValueError):
            return PlainTextResponse("The upload is not a valid multipart form.", status_code=400)
        return JSONResponse(files)

    return Route("/gradio_api/upload", upload, methods=["POST"])


def photo_input() -> gr.File:
    """A file input of the API whose content is read and whose file is deleted in one step; its value is bytes."""
    photo = gr.File(label="photo", visible=False, type="binary")
    photo.preprocess = _read_and_forget  # type: ignore[method-assign]  # gradio writes a .pyi beside any subclass
    return photo


def _read_and_forget(payload: ListFiles | FileData | None) -> bytes:
    """The bytes of an upload; empty where none was sent or where it has been swept away."""
    if not isinstance(payload, FileData):
        return b""
    path = Path(payload.path)
    try:
        return path.read_bytes()
    except OSError:
        return b""
    finally:
        _forget(path)


def _forget(path: Path) -> None:
    """Delete an upload and its folder; nothing outside the folder for uploads is touched."""
    root, path = Path(os.environ["GRADIO_TEMP_DIR"]).resolve(), path.resolve()
    if root in path.parents:
        path.unlink(missing_ok=True)
        with suppress(OSError):  # the folder is shared by the files of one upload: the last one takes it away
            path.parent.rmdir()
