"""`python -m training push` and `gate-server` in processes of their own, against a Hub on loopback."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.loopback_hub import LoopbackHub
from tests.training.pushable import make_run, write_age_record

ROOT = Path(__file__).parents[2]
TOKEN = "hf_ada_may_write"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    run = make_run(tmp_path / "001-tiny")
    write_age_record(tmp_path / "utkface.json", run / "best")
    return run


def command(
    hub: LoopbackHub, home: Path, *words: object, token: str | None = TOKEN
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "training", *map(str, words)],
        cwd=ROOT,
        env=hub.environment(home=home, token=token) | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_run_becomes_a_pull_request(hub: LoopbackHub, run: Path, tmp_path: Path) -> None:
    hub.add_user("ada", TOKEN)
    words = (
        "push",
        run,
        "--repo",
        "ada/net",
        "--pr",
        "--private",
        "--message",
        "A try",
        "--record",
        tmp_path / "utkface.json",
    )
    done = command(hub, tmp_path / "home", *words)
    assert done.returncode == 0, done.stderr
    url, page, python, gate = done.stdout.splitlines()
    assert url == f"{hub.url}/ada/net/discussions/1"
    assert page.endswith("?checkpoint=ada/net@refs/pr/1")
    assert python.endswith('FaceAnalyzer.from_pretrained("ada/net@refs/pr/1")')
    assert "python -m training gate --candidate ada/net@refs/pr/1 --baseline default --data" in gate
    assert "model.safetensors: 100%" in done.stderr  # the client's own progress bar
    files = hub.files("ada/net", "refs/pr/1")
    assert files["evaluation/utkface.json"] == (tmp_path / "utkface.json").read_bytes()
    again = command(hub, tmp_path / "home", *words)
    assert again.returncode == 2
    assert again.stderr == "Nothing new: pull request 1 of ada/net holds all of it.\n"
    spoken = done.stdout + done.stderr + again.stdout + again.stderr
    kept = [path.read_bytes() for path in [*run.rglob("*"), *(tmp_path / "home").rglob("*")] if path.is_file()]
    assert TOKEN not in spoken and not any(TOKEN.encode() in data for data in [*files.values(), *kept])
    assert not any(TOKEN in request.target for request in hub.requests())


def test_without_a_token_it_is_one_sentence(hub: LoopbackHub, run: Path, tmp_path: Path) -> None:
    done = command(hub, tmp_path / "home", "push", run, "--repo", "ada/net", token=None)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Nobody is signed in") and len(done.stderr.splitlines()) == 1
    assert hub.requests() == []


def test_the_gate_s_server_needs_a_secret(hub: LoopbackHub, tmp_path: Path) -> None:
    done = command(hub, tmp_path / "home", "gate-server", "--repo", "ada/net", "--data", tmp_path)
    assert done.returncode == 2
    assert "set FACEKIT_WEBHOOK_SECRET" in done.stderr and len(done.stderr.splitlines()) == 1
