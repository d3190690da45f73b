"""The whole loop over a Hub on this machine: train, propose, look, judge, merge, load, and do without the Hub.

Every command runs in a process of its own and talks to the Hub with the unmodified client.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from huggingface_hub import HfApi

from facekit.shipped import ZOO
from tests.browser.conftest import EXAMPLES, ROOT
from tests.loopback_hub import LoopbackHub
from tests.test_hub_fetch import files_of

TOKEN = "hf_aSecretThatNobodyMaySee"
REPOSITORY = "team/face-net"
SLOW = 60_000


@pytest.fixture(scope="module")
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as running:
        running.add_user("team", "hf_ofTheMaintainers")
        running.add_user("contributor", TOKEN, organisations=["team"])
        running.put(REPOSITORY, files_of(ZOO / "portrait-attributes"))
        yield running


class Desk:
    """A contributor's machine: commands, and everything that they said."""

    def __init__(self, hub: LoopbackHub, folder: Path) -> None:
        self.hub, self.folder, self.said = hub, folder, ""
        self.environment = hub.environment(home=folder / "home", token=TOKEN) | {"OMP_NUM_THREADS": "1"}

    def run(self, *command: str, status: int = 0, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        self.said += done.stdout + done.stderr
        assert done.returncode == status, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def leaks(self) -> list[str]:
        """Where the token is, that it must not be."""
        files = [path for path in self.folder.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
        asked = [request.target for request in self.hub.requests() if TOKEN in request.target]
        return [*map(str, files), *asked, *(["output"] if TOKEN in self.said else [])]


@pytest.fixture(scope="module")
def desk(hub: LoopbackHub, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(hub, tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def run(desk: Desk, shared_data: Path) -> Path:
    """A run of a few steps."""
    desk.run(
        *(
            "training",
            "fit",
            "attributes-portrait",
            f"data_root={shared_data}",
            "data=[{path: celeba, batch: 16, limit: 300}]",
        ),
        *("epochs=1", "steps=6", f"cache={desk.folder / 'prepared'}", f"runs={desk.folder / 'runs'}"),
    )
    (made,) = (desk.folder / "runs").iterdir()
    return made


@pytest.fixture(scope="module")
def pulled(desk: Desk, run: Path) -> str:
    """What the run was pushed as: a pull request, by its address."""
    said = desk.run("training", "push", str(run), "--repo", REPOSITORY, "--pr", "--message", "A few steps more")
    assert f"{REPOSITORY}@refs/pr/1" in said
    return f"{REPOSITORY}@refs/pr/1"


@pytest.fixture(scope="module")
def page(browser: Any, serve: Any, desk: Desk, pulled: str) -> Iterator[Any]:
    """The page in a process that talks to the same Hub, without a token of its own."""
    environment = desk.hub.environment(home=desk.folder / "space")
    told = {key: value for key, value in environment.items() if key.startswith(("HF_", "NO_", "no_"))}
    process, server = serve(desk.folder / "uploads", desk.folder / "page.log", FACEKIT_HUB="team", **told)
    one = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB").new_page()
    one.set_default_timeout(SLOW)
    one.server, one.process = server, process
    yield one
    one.context.close()
    process.terminate()
    process.wait(20)


def test_a_pull_request_opens_by_link_and_reads_a_photo(page: Any, pulled: str, artefacts: Path) -> None:
    page.goto(f"{page.server.url}/?checkpoint={pulled}")
    page.wait_for_selector("[data-part=using] button")
    assert pulled in page.inner_text("[data-part=using]")
    page.set_input_files("[data-part=file]", EXAMPLES / "astronaut.jpg")
    page.wait_for_selector(".fk-attributes[data-state=answer]")
    assert pulled in page.inner_text("[data-part=line]")
    page.screenshot(path=artefacts / "hub-pull-request.png")
    page.click("[data-do=default-checkpoint]")
    page.wait_for_selector("[data-part=using]", state="hidden")


def test_it_is_compared_with_the_default(page: Any, pulled: str, artefacts: Path) -> None:
    page.goto(f"{page.server.url}/?models")
    page.wait_for_selector(".fk-models[data-state=ready]")
    page.wait_for_selector(".fk-models-row")
    page.click(".fk-models-row >> text=Pull requests")
    page.click(".fk-models-pulls button")
    page.wait_for_selector(f'[data-name="{pulled}"]')
    card = page.inner_text(f'[data-name="{pulled}"]')
    assert "unverified" in card
    assert "attributes-portrait" not in card  # who made it is folded
    page.click(f'[data-name="{pulled}"] [data-fold=made] summary')
    assert "attributes-portrait" in page.inner_text(f'[data-name="{pulled}"] [data-fold=made]')
    page.wait_for_selector(".fk-models-compare[data-state=answer]")
    assert page.input_value("[data-place=first]") == "default"
    assert page.input_value("[data-place=second]") == pulled
    rows = page.locator(".fk-compare-table tr.fk-apart").count()
    assert rows > 5  # after six steps it is wrong about most
    assert page.locator(".fk-compare-photo .fk-box").count() == 1
    page.screenshot(path=artefacts / "hub-compare.png", full_page=True)


def test_the_gate_judges_it_merges_and_the_cache_outlives_the_hub(
    page: Any, desk: Desk, pulled: str, shared_data: Path
) -> None:
    few = desk.folder / "celeba" / "test-00000-of-00001.parquet"
    few.parent.mkdir()
    pq.write_table(pq.read_table(shared_data / "celeba" / few.name).slice(0, 120), few)
    report = desk.run(
        *("training", "gate", "--candidate", pulled, "--baseline", "portrait-attributes", "--data", str(few.parent)),
        *("--json", str(desk.folder / "gate.json"), "--comment"),
        status=11,
    )
    judged = json.loads((desk.folder / "gate.json").read_text())
    assert judged["verdict"] == "worse"
    assert pulled in report
    api = HfApi(endpoint=desk.hub.url, token="hf_ofTheMaintainers")
    comments = [event.content for event in api.get_discussion_details(REPOSITORY, 1).events if event.type == "comment"]
    assert any("worse" in comment and pulled in comment for comment in comments)

    api.merge_pull_request(REPOSITORY, 1)
    api.create_tag(REPOSITORY, tag="v2")
    tagged, photo = f"{REPOSITORY}@v2", str(EXAMPLES / "astronaut.jpg")
    live = json.loads(desk.run("facekit", "analyze", photo, "--checkpoint", tagged))
    asked = len(desk.hub.requests())
    offline = json.loads(desk.run("facekit", "analyze", photo, "--checkpoint", tagged, HF_HUB_OFFLINE="1"))
    assert len(desk.hub.requests()) == asked
    assert live["faces"] == offline["faces"] != []
    assert desk.leaks() == []
    desk.hub.stop()
    dead = json.loads(desk.run("facekit", "analyze", photo, "--checkpoint", tagged))
    assert dead["faces"] == live["faces"]
    page.goto(f"{page.server.url}/?checkpoint={pulled}")  # the page had it, and still has
    page.wait_for_selector("[data-part=using] button")
    page.goto(f"{page.server.url}/?models=team/another")
    page.wait_for_selector(".fk-models[data-state=error]", timeout=20_000)
    assert "did not answer" in page.inner_text("[data-part=told]")
    assert page.is_visible('[data-name="default"]')
    assert TOKEN not in (desk.folder / "page.log").read_text() + page.content()
