"""No upload, frame or crop outlives its request: shown on the running server, not claimed."""

import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PHOTO = ROOT / "facekit" / "ui" / "examples" / "astronaut.jpg"
SECONDS_TO_LIVE = 10.0  # long enough for a call to follow its upload on a busy machine


class Page:
    """The real page in a process of its own, told to use a folder of ours for everything temporary."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        variables = {
            "GRADIO_SERVER_PORT": str(port),
            "GRADIO_TEMP_DIR": str(folder),
            "TMPDIR": str(folder),
            "FACEKIT_UPLOAD_SECONDS": str(SECONDS_TO_LIVE),
            "OMP_NUM_THREADS": "1",
        }
        folder.mkdir()
        self.process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env={**os.environ, **variables})
        deadline = time.monotonic() + 90
        while not self.answers():
            assert self.process.poll() is None, "app.py ended"
            assert time.monotonic() < deadline, "app.py did not answer"
            time.sleep(0.2)

    def answers(self) -> bool:
        try:
            urllib.request.urlopen(self.url, timeout=5).close()
        except OSError:
            return False
        return True

    def files(self) -> list[str]:
        """Whatever lies in the folder and can hold a picture (a socket cannot), as paths relative to it."""
        found = [path for path in self.folder.rglob("*") if not path.is_dir() and not path.is_socket()]
        return [str(path.relative_to(self.folder)) for path in found]

    def post(self, path: str, body: bytes, kind: str) -> Any:
        request = urllib.request.Request(self.url + path, body, {"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)

    def upload(self, content: bytes, name: str = "photo.jpg") -> str:
        """Upload without asking for anything; the path on the server."""
        head = f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
        (path,) = self.post("/gradio_api/upload", head + content + b"\r\n--b--\r\n", "multipart/form-data; boundary=b")
        return str(path)

    def analyze(self, photo: Path, *names: str) -> dict[str, Any]:
        """What a visitor with the Python client does."""
        from gradio_client import Client, handle_file

        client = Client(self.url, verbose=False)
        try:
            report: dict[str, Any] = client.predict(handle_file(str(photo)), *names, api_name="/analyze")
        finally:
            client.close()
        return report


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    one = Page(tmp_path_factory.mktemp("privacy") / "temporary")
    yield one
    one.process.terminate()
    assert one.process.wait(20) == 0
    assert list(one.folder.glob("facekit-*")) == [], "ending the page takes its folder away"
    assert one.files() == []


def bomb() -> bytes:
    """A PNG of 170 megapixels and a few hundred kilobytes."""
    file = io.BytesIO()
    Image.new("1", (13_100, 13_000)).save(file, "PNG")
    return file.getvalue()


def dot() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "PNG")
    return file.getvalue()


def test_photo_is_gone_when_the_answer_is_there(page: Page) -> None:
    report = page.analyze(PHOTO)
    assert report["error"] is None
    assert {"width", "height", "faces"} <= report.keys()
    assert len(report["faces"]) >= 1
    assert page.files() == []


def test_same_photo_by_many_at_once(page: Page) -> None:
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: page.analyze(PHOTO), range(4)))
    assert all(report["faces"] for report in reports)
    assert page.files() == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.jpg", b""),
        ("words.jpg", b"these are words"),
        ("cut.jpg", PHOTO.read_bytes()[:9000]),
        ("bomb.png", bomb()),
    ],
)
def test_bad_file_is_gone_after_its_error(page: Page, tmp_path: Path, name: str, content: bytes) -> None:
    from gradio_client.exceptions import AppError

    (tmp_path / name).write_bytes(content)
    with pytest.raises(AppError) as caught:
        page.analyze(tmp_path / name)
    assert "." in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert page.files() == []
    assert page.analyze(PHOTO)["faces"], "the server goes on"


def test_picture_without_a_face(page: Page, tmp_path: Path) -> None:
    (tmp_path / "dot.png").write_bytes(dot())
    assert page.analyze(tmp_path / "dot.png")["faces"] == []
    assert page.files() == []


@pytest.mark.parametrize("names", [("nobody", "default"), ("mtcnn", "nothing"), ("mtcnn", "../../etc")])
def test_unknown_name_is_one_sentence(page: Page, names: tuple[str, str]) -> None:
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError, match=r"(Unknown detector|No checkpoint) .*: choose one of"):
        page.analyze(PHOTO, *names)
    assert page.files() == []


def test_upload_that_nobody_asks_about_is_swept(page: Page) -> None:
    path = page.upload(PHOTO.read_bytes())
    assert Path(path).is_file()
    deadline = time.monotonic() + 4 * SECONDS_TO_LIVE
    while page.files() and time.monotonic() < deadline:
        time.sleep(0.3)
    assert page.files() == []


def test_upload_that_is_cut_off_is_swept(page: Page) -> None:
    with socket.create_connection(("127.0.0.1", int(page.url.rsplit(":", 1)[1]))) as line:
        head = (
            "POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            "Content-Length: 900000\r\n\r\n--b\r\n"
            'Content-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
        )
        line.sendall(head.encode() + PHOTO.read_bytes())
        time.sleep(0.5)
    deadline = time.monotonic() + 4 * SECONDS_TO_LIVE
    while page.files() and time.monotonic() < deadline:
        time.sleep(0.3)
    assert page.files() == []


def test_too_large_a_body_is_refused(page: Page) -> None:
    with pytest.raises((urllib.error.HTTPError, ConnectionError, urllib.error.URLError)) as caught:
        page.upload(bytes(70_000_000))
    if isinstance(caught.value, urllib.error.HTTPError):
        assert caught.value.code == 413
    assert page.files() == []
    assert page.answers()


def test_uploads_are_not_served_again(page: Page) -> None:
    path = page.upload(PHOTO.read_bytes())
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{page.url}/gradio_api/file={PHOTO}")
    sweep = time.monotonic() + 4 * SECONDS_TO_LIVE
    while Path(path).exists() and time.monotonic() < sweep:
        time.sleep(0.3)
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{page.url}/gradio_api/file={path}")


def test_browser_may_talk_to_this_host_only(page: Page) -> None:
    with urllib.request.urlopen(page.url) as reply:
        policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy


def test_no_picture_or_crop_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The functions behind the page, in this process: every decoded picture and crop is gone once its answer is."""
    import base64
    import gc
    import weakref

    from facekit import align, analyze, images
    from facekit.ui import attributes, render
    from facekit.ui.engine import Engine

    kept: list[weakref.ref[Any]] = []

    def watched(make: Any) -> Any:
        def call(*args: Any, **settings: Any) -> Any:
            made = make(*args, **settings)
            kept.append(weakref.ref(made))
            return made

        return call

    for module in (images, render, analyze):
        monkeypatch.setattr(module, "read_image", watched(images.read_image))
    monkeypatch.setattr(analyze, "crop_face", watched(align.crop_face))
    url = "data:image/jpeg;base64," + base64.b64encode((attributes.EXAMPLES / "astronaut.jpg").read_bytes()).decode()
    engine = Engine()
    answer = attributes._analyze(engine, {"photo": url})
    attributes._explain(engine, {"crop": answer["crops"][0], "target": "Smiling"}, "why")
    gc.collect()
    assert len(kept) >= 4
    assert not [picture for picture in kept if picture() is not None]
