"""The real page in a process of its own, and a real browser to visit it with."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab import Visit, visit

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "facekit" / "ui" / "examples"
CHROMIUM = os.environ.get("FACEKIT_CHROMIUM", "/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--no-first-run",
)


def need(condition: bool, what: str) -> None:
    """Skip by name where something is missing; fail instead where everything is required."""
    if not condition:
        (pytest.fail if os.environ.get("FACEKIT_REQUIRE_ALL") == "1" else pytest.skip)(f"needs {what}")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """A running page.

    Attributes:
        url: where it is served.
        started: `time.monotonic()` when its process was started.
        process: its number.
    """

    url: str
    started: float
    process: int


def start(folder: Path, log: Path, **environment: str) -> tuple[subprocess.Popen[bytes], Server]:
    """Start app.py with `folder` as its folder for temporary files and wait until it answers."""
    port = free_port()
    variables = {**os.environ, "GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(folder), "OMP_NUM_THREADS": "1"}
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=variables | environment, stdout=output, stderr=output
        )
    server = Server(f"http://127.0.0.1:{port}", started, process.pid)
    while time.monotonic() - started < 60:
        if process.poll() is not None:
            pytest.fail(f"app.py ended: {log.read_text()[-2000:]}")
        try:
            urllib.request.urlopen(server.url, timeout=5).close()
            return process, server
        except OSError:
            time.sleep(0.05)
    process.kill()
    pytest.fail("app.py did not answer within a minute")


@pytest.fixture(scope="session")
def serve() -> Callable[..., tuple[subprocess.Popen[bytes], Server]]:
    """Starts another page: `serve(folder_for_temporary_files, log_file)`; whoever starts one ends it."""
    return start


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page, shared by all tests of the session."""
    folder = tmp_path_factory.mktemp("page")
    process, running = start(folder / "uploads", folder / "log.txt")
    yield running
    process.terminate()
    process.wait(20)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Any]:
    """Playwright's entry point."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        need(False, "playwright: pip install playwright")
    with sync_playwright() as entry:
        yield entry


@pytest.fixture(scope="session")
def launch(playwright: Any) -> Callable[..., Any]:
    """Starts the system's Chromium, with more flags if need be."""
    need(Path(CHROMIUM).is_file(), f"{CHROMIUM}: apt-get install chromium")
    return lambda *more: playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *more])


@pytest.fixture(scope="session")
def browser(launch: Any) -> Iterator[Any]:
    """A browser without a camera."""
    one = launch()
    yield one
    one.close()


@pytest.fixture
def visit_lab(browser: Any, server: Server) -> Iterator[Visit]:
    """`visit_lab(path, **options)`: a fresh visitor in the laboratory, whose seat is free again after the test."""
    pages: list[Any] = []

    def one(path: str = "/", **options: Any) -> Any:
        pages.append(visit(browser, server, path, **options))
        return pages[-1]

    yield one
    for page in pages:
        page.goto("about:blank")  # leaves the seat
        page.context.close()


@pytest.fixture
def page(visit_lab: Visit) -> Any:
    """A visitor of the laboratory with a wide screen; the tests of other tabs have their own."""
    return visit_lab()


@pytest.fixture(scope="session")
def fail_at() -> Callable[..., None]:
    """`fail_at(page, *names)`: from now on these functions of the server end as an unexpected error does."""

    def begin(page: Any, *names: str) -> None:
        def answer(route: Any) -> None:
            if route.request.post_data_json["fn_name"] in names:
                route.fulfill(status=500, body="Internal Server Error")
            else:
                route.continue_()

        page.unroute_all()
        page.route("**/component_server/", answer)

    return begin


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Where screenshots are kept."""
    folder = ROOT / os.environ.get("FACEKIT_ARTEFACTS", "artefacts")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
