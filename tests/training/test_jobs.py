"""The request that `fit --on hf-jobs` makes, to a server of our own in the Hub's place."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
OPTIONS = [
    "--on",
    "hf-jobs",
    "--code",
    "git+https://example.org/facekit",
    "--data-repo",
    "ada/faces",
    "--push",
    "ada/net",
]


class Hub(BaseHTTPRequestHandler):
    """Knows who is signed in, and takes jobs; what was asked is kept in `asked`."""

    asked: list[tuple[str, str | None, Any]]
    status = 200

    def do_GET(self) -> None:
        self._answer({"name": "ada", "type": "user", "auth": {"type": "access_token"}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, self.headers["Authorization"], body))
        self._answer({"id": "123", "status": {"stage": "RUNNING"}, "owner": {"id": "1", "name": "ada", "type": "user"}})

    def _answer(self, content: object) -> None:
        sent = json.dumps(content).encode()
        self.send_response(self.status if self.command == "POST" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[tuple[str, type[Hub]]]:
    handler = type("Handler", (Hub,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()


def fit(hub: str, home: Path, *words: str, token: str | None = "secret") -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    signed_in = {"HF_TOKEN": token} if token else {}
    return subprocess.run(
        [sys.executable, "-m", "training", "fit", *words],
        cwd=ROOT,
        env=kept | signed_in | {"HF_ENDPOINT": hub, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_job_trains_and_proposes_the_checkpoint(hub: tuple[str, type[Hub]], tmp_path: Path) -> None:
    address, handler = hub
    done = fit(
        address, tmp_path, "faces", "epochs=3", "--small", *OPTIONS, "--flavor", "a10g-small", "--timeout", "90m"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("/ada/123")
    ((path, authorization, job),) = handler.asked
    assert (path, authorization) == ("/api/jobs/ada", "Bearer secret")
    assert (job["flavor"], job["timeoutSeconds"], job["dockerImage"]) == ("a10g-small", 5400, "python:3.12")
    assert job["secrets"] == {"HF_TOKEN": "secret"}
    assert job["labels"]["name"] == "facekit-faces"
    (volume,) = job["volumes"]
    assert (volume["type"], volume["source"], volume["mountPath"]) == ("dataset", "ada/faces", "/data")
    shell, options, script = job["command"]
    assert (shell, options) == ("bash", "-euc")
    assert script.splitlines() == [
        "pip install --quiet 'facekit[train] @ git+https://example.org/facekit'",
        "checkpoint=$(python -m training fit faces data_root=/data epochs=3 --small)",
        'python -m training push "$checkpoint" --repo ada/net --pr',
    ]


@pytest.mark.parametrize(
    ("words", "token", "sentence"),
    [
        (["faces", *OPTIONS], None, "Nobody is signed in to the Hub: run `hf auth login` first."),
        (["faces", "epoch=3", *OPTIONS], "secret", "Recipe faces: field epoch"),
        (["faces", "--on", "hf-jobs"], "secret", "A job needs --code, --data-repo and --push"),
        (
            ["faces", *OPTIONS, "--resume"],
            "secret",
            "A job starts anew and draws no curves: leave out --track and --resume",
        ),
        (["faces", "--on", "the-moon"], "secret", "hf-jobs"),
    ],
)
def test_mistakes_cost_nothing(
    words: list[str], token: str | None, sentence: str, hub: tuple[str, type[Hub]], tmp_path: Path
) -> None:
    address, handler = hub
    done = fit(address, tmp_path, *words, token=token)
    assert done.returncode == 2
    assert sentence in done.stderr and len(done.stderr.splitlines()) == 1
    assert not handler.asked


def test_a_job_that_is_not_taken_is_one_sentence(hub: tuple[str, type[Hub]], tmp_path: Path) -> None:
    address, handler = hub
    handler.status = 403
    done = fit(address, tmp_path, "faces", *OPTIONS)
    assert done.returncode == 2
    assert done.stderr.startswith("The Hub did not take the job (") and len(done.stderr.splitlines()) == 1
