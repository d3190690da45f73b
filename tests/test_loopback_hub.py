"""The loopback Hub is one as far as the unmodified client can tell, and misbehaves only when told to."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import CommitOperationAdd, HfApi, ModelCard, constants, errors, hf_hub_download, snapshot_download
from huggingface_hub.hf_api import RepoFile
from safetensors.numpy import save

from tests.loopback_hub import LoopbackHub

ROOT = Path(__file__).parents[1]
TOKEN, READER, STRANGER = "hf_ada_may_write", "hf_ada_may_read", "hf_bob_may_write"
WEIGHTS = save({"weight": np.random.default_rng(0).standard_normal((256, 256), dtype=np.float32)})
CARD = b"---\nlicense: mit\ntags: [faces]\nmodel-index: [{name: net, results: []}]\n---\n# A net\n"
FILES = {"model.safetensors": WEIGHTS, "config.json": b'{"task": "smile"}\n', "README.md": CARD}


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        yield hub


@pytest.fixture
def hub(server: LoopbackHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LoopbackHub:
    """With two users and nothing else, and nobody signed in."""
    server.reset()
    server.add_user("ada", TOKEN)
    server.add_user("ada", READER, write=False)
    server.add_user("bob", STRANGER)
    server.patch(monkeypatch, home=tmp_path / "home")
    return server


@pytest.fixture
def api(hub: LoopbackHub) -> HfApi:
    return HfApi(endpoint=hub.url, token=TOKEN)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "checkpoint"
    made.mkdir()
    for name, content in FILES.items():
        (made / name).write_bytes(content)
    return made


def pulled(repository: str, revision: str | None = None, token: str | None = None) -> dict[str, bytes]:
    place = Path(snapshot_download(repository, revision=revision, token=token))
    return {str(file.relative_to(place)): file.read_bytes() for file in place.rglob("*") if file.is_file()}


def without_attributes(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if name != ".gitattributes"}


def refuses(status: int) -> "pytest.RaisesExc[errors.HfHubHTTPError]":
    return pytest.raises(errors.HfHubHTTPError, check=lambda error: error.response.status_code == status)


def test_a_push_comes_back_byte_for_byte(hub: LoopbackHub, api: HfApi, folder: Path) -> None:
    made = api.create_repo("ada/net")
    assert (made.repo_id, str(made)) == ("ada/net", f"{hub.url}/ada/net")
    pushed = api.upload_folder(repo_id="ada/net", folder_path=folder, commit_message="First")
    assert pushed.repo_url.repo_id == "ada/net"
    assert without_attributes(hub.files("ada/net")) == FILES
    assert without_attributes(pulled("ada/net")) == FILES

    asked = hub.requests()
    large = [one for one in asked if one.path.startswith("/storage/")]
    assert [(one.method, one.status) for one in large] == [("PUT", 200), ("GET", 200)]
    assert [one.received for one in large] == [len(WEIGHTS), 0] and [one.sent for one in large] == [0, len(WEIGHTS)]
    assert not any(one.authorized for one in large)
    assert {one.host.partition(":")[0] for one in large} == {"localhost"}
    assert {one.host.partition(":")[0] for one in asked if one not in large} == {"127.0.0.1"}
    assert [one.target for one in asked if one.status not in (200, 302)] == []


def test_listings_agree_with_the_files(hub: LoopbackHub, api: HfApi) -> None:
    sha = hub.put("ada/net", {**FILES, "figures/a/roc.svg": b"<svg/>"})
    info = api.model_info("ada/net", files_metadata=True)
    assert (info.sha, info.author, info.private, info.tags) == (sha, "ada", False, ["faces"])
    assert info.card_data is not None and info.card_data.license == "mit"
    held = {one.rfilename: one for one in info.siblings or ()}
    for name, content in FILES.items():
        assert held[name].size == len(content)
    lfs = held["model.safetensors"].lfs
    assert lfs is not None and (lfs.size, lfs.pointer_size) == (len(WEIGHTS), 131)
    assert held["config.json"].lfs is None
    config = ["git", "hash-object", "--stdin"]
    blob = subprocess.run(config, input=FILES["config.json"], capture_output=True, check=True).stdout.decode().strip()
    assert held["config.json"].blob_id == blob

    assert [one.path for one in api.list_repo_tree("ada/net")] == [".gitattributes", *sorted([*FILES, "figures"])]
    deep = {one.path: one for one in api.list_repo_tree("ada/net", recursive=True)}
    assert deep.keys() == {".gitattributes", *FILES, "figures", "figures/a", "figures/a/roc.svg"}
    weights = deep["model.safetensors"]
    assert isinstance(weights, RepoFile) and weights.lfs == lfs
    assert [one.path for one in api.list_repo_tree("ada/net", "figures")] == ["figures/a"]
    found = api.get_paths_info("ada/net", ["README.md", "figures", "nothing"])
    assert [(type(one).__name__, one.path) for one in found] == [("RepoFile", "README.md"), ("RepoFolder", "figures")]
    assert api.model_info("ada/net", expand=["sha"]).sha == sha


def test_a_pull_request_is_reviewed_merged_and_tagged(hub: LoopbackHub, api: HfApi, folder: Path) -> None:
    before = hub.put("ada/net", {"config.json": b"{}"})
    bob = HfApi(token=STRANGER)
    opened = bob.upload_folder(repo_id="ada/net", folder_path=folder, create_pr=True, commit_message="Better")
    assert (opened.pr_num, opened.pr_revision) == (1, "refs/pr/1")
    assert hub.requests()[-1].target == "/api/models/ada/net/commit/main?create_pr=1"

    assert without_attributes(pulled("ada/net", "refs/pr/1")) == FILES
    assert without_attributes(pulled("ada/net")) == {"config.json": b"{}"}
    with pytest.raises(errors.RemoteEntryNotFoundError):
        hf_hub_download("ada/net", "model.safetensors")
    change = [CommitOperationAdd("notes.txt", b"new")]
    more = bob.create_commit("ada/net", change, commit_message="More", revision="refs/pr/1", parent_commit=opened.oid)
    refs = api.list_repo_refs("ada/net", include_pull_requests=True)
    assert [(one.name, one.target_commit) for one in refs.branches] == [("main", before)]
    assert [(one.ref, one.target_commit) for one in refs.pull_requests or ()] == [("refs/pr/1", more.oid)]

    comment = api.comment_discussion("ada/net", 1, "Verdict: **better**")
    assert (comment.author, comment.content) == ("ada", "Verdict: **better**")
    details = api.get_discussion_details("ada/net", 1)
    assert [one.type for one in details.events] == ["comment", "commit", "commit", "comment"]
    assert (details.status, details.target_branch, details.conflicting_files) == ("open", "refs/heads/main", [])
    assert [one.title for one in api.get_repo_discussions("ada/net", discussion_type="pull_request")] == ["Better"]
    with refuses(403):
        bob.merge_pull_request("ada/net", 1)
    api.merge_pull_request("ada/net", 1, comment="Thanks")
    details = api.get_discussion_details("ada/net", 1)
    assert details.status == "merged" and details.merge_commit_oid == api.model_info("ada/net").sha
    with refuses(400):
        api.merge_pull_request("ada/net", 1)

    api.create_tag("ada/net", tag="v1")
    with refuses(409):
        api.create_tag("ada/net", tag="v1")
    hub.put("ada/net", {"notes.txt": b"later"})
    assert without_attributes(pulled("ada/net", "v1")) == {**FILES, "notes.txt": b"new"}
    assert pulled("ada/net")["notes.txt"] == b"later"
    assert [one.name for one in api.list_repo_refs("ada/net").tags] == ["v1"]


def test_a_pull_request_without_commits_waits_as_a_draft(hub: LoopbackHub, api: HfApi) -> None:
    hub.put("ada/net", {"a.txt": b"a", "b.txt": b"b"})
    assert api.create_discussion("ada/net", "A question").is_pull_request is False
    opened = api.create_pull_request("ada/net", "Two changes")
    assert (opened.num, opened.status) == (2, "draft")
    with refuses(400):
        api.merge_pull_request("ada/net", 2)
    assert api.change_discussion_status("ada/net", 2, "open").new_status == "open"
    api.upload_file(repo_id="ada/net", path_or_fileobj=b"theirs", path_in_repo="a.txt", revision="refs/pr/2")
    hub.put("ada/net", {"b.txt": b"ours"})
    assert api.get_discussion_details("ada/net", 2).conflicting_files == []
    hub.put("ada/net", {"a.txt": b"ours"})
    assert api.get_discussion_details("ada/net", 2).conflicting_files == ["a.txt"]
    with refuses(409):
        api.merge_pull_request("ada/net", 2)
    hub.put("ada/net", {"a.txt": b"a"})
    api.merge_pull_request("ada/net", 2)
    assert without_attributes(hub.files("ada/net")) == {"a.txt": b"theirs", "b.txt": b"ours"}


def test_a_stale_parent_is_refused(hub: LoopbackHub, api: HfApi) -> None:
    first = hub.put("ada/net", {"a.txt": b"1"})
    second = hub.put("ada/net", {"a.txt": b"2"})

    def push(parent: str, create_pr: bool = False) -> str:
        change = [CommitOperationAdd("a.txt", b"3")]
        return api.create_commit("ada/net", change, commit_message="3", parent_commit=parent, create_pr=create_pr).oid

    for create_pr in (False, True):
        with refuses(412):
            push(first, create_pr)
    assert hub.files("ada/net")["a.txt"] == b"2" and not list(api.get_repo_discussions("ada/net"))
    third = push(second)
    assert [one.commit_id for one in api.list_repo_commits("ada/net")][:3] == [third, second, first]


def test_what_is_there_already_is_neither_sent_nor_committed(hub: LoopbackHub, api: HfApi, folder: Path) -> None:
    sha = hub.put("ada/net", FILES)
    assert api.upload_folder(repo_id="ada/net", folder_path=folder).oid == sha
    assert not [one for one in hub.requests() if one.method == "PUT" or "/commit/" in one.path]
    same = api.upload_folder(repo_id="ada/net", folder_path=folder, create_pr=True)
    assert (same.oid, same.pr_url) == (sha, None)

    api.create_repo("ada/copy")
    api.upload_folder(repo_id="ada/copy", folder_path=folder)
    assert not [one for one in hub.requests() if one.method == "PUT"]  # LFS knows these weights
    assert without_attributes(hub.files("ada/copy")) == FILES


def test_ignored_files_stay_away(hub: LoopbackHub, api: HfApi, folder: Path) -> None:
    (folder / ".gitignore").write_text("*.log\nscratch/\n")
    (folder / "scratch").mkdir()
    for name in ("run.log", "scratch/big.safetensors", "logs.txt"):
        (folder / name).write_bytes(b"x")
    api.create_repo("ada/net")
    api.upload_folder(repo_id="ada/net", folder_path=folder)
    assert hub.files("ada/net").keys() == {".gitattributes", ".gitignore", "logs.txt", *FILES}


def test_files_are_deleted_and_branches_part(hub: LoopbackHub, api: HfApi) -> None:
    hub.put("ada/net", FILES | {"old/a.txt": b"a", "older.txt": b"b"})
    api.create_branch("ada/net", branch="work/next")
    api.delete_folder("old", "ada/net", revision="work/next")
    api.delete_file("config.json", "ada/net", revision="work/next")
    left = {".gitattributes", "README.md", "model.safetensors", "older.txt"}
    assert hub.files("ada/net", "work/next").keys() == pulled("ada/net", "work/next").keys() == left
    assert "config.json" in hub.files("ada/net")
    with pytest.raises(errors.RemoteEntryNotFoundError):
        api.delete_file("nothing.txt", "ada/net")
    with pytest.raises(errors.RevisionNotFoundError):
        api.model_info("ada/net", revision="nowhere")


def test_repositories_are_made_found_hidden_and_removed(hub: LoopbackHub, api: HfApi) -> None:
    for name in ("one", "two"):
        api.create_repo(f"ada/{name}", private=name == "two")
    with refuses(409):
        api.create_repo("ada/one")
    assert api.create_repo("ada/one", exist_ok=True).repo_id == "ada/one"
    hub.put("bob/three", {"README.md": CARD})
    assert {one.id for one in api.list_models(author="ada")} == {"ada/one", "ada/two"}
    assert {one.id for one in huggingface_hub.list_models()} == {"ada/one", "bob/three"}
    assert {one.id for one in huggingface_hub.list_models(filter="faces")} == {"bob/three"}
    api.update_repo_settings("ada/one", private=True)
    assert list(huggingface_hub.list_models(author="ada")) == []
    hub.collect("bob/faces-0123", ["bob/three", "ada/one"])
    held = api.get_collection("bob/faces-0123")
    assert [(one.item_id, one.item_type) for one in held.items] == [("bob/three", "model"), ("ada/one", "model")]
    api.delete_repo("ada/one")
    assert not api.repo_exists("ada/one") and api.repo_exists("ada/two")
    with refuses(404):
        api.delete_repo("ada/one")


def test_tokens_decide_who_may_what(hub: LoopbackHub, api: HfApi, folder: Path) -> None:
    reader, bob = HfApi(token=READER), HfApi(token=STRANGER)
    hub.add_user("eve", "hf_eve", organisations=["lab"])
    eve = HfApi(token="hf_eve")
    assert api.whoami()["auth"]["accessToken"]["role"] == "write"
    assert reader.whoami()["name"] == "ada" and reader.whoami()["auth"]["accessToken"]["role"] == "read"
    assert [one["name"] for one in eve.whoami()["orgs"]] == ["lab"]
    with refuses(401):
        HfApi(token="hf_wrong").whoami()
    hub.put("ada/secret", FILES, private=True)
    assert without_attributes(pulled("ada/secret", token=READER)) == FILES
    for token in (False, STRANGER):
        stranger = HfApi(token=token)
        with pytest.raises(errors.RepositoryNotFoundError):
            stranger.model_info("ada/secret")
        with pytest.raises(errors.RepositoryNotFoundError):
            stranger.hf_hub_download("ada/secret", "config.json", cache_dir=folder / "other")
    hub.put("ada/open", {"a.txt": b"a"})
    bob.auth_check("ada/open")
    for who in (reader, bob):
        with refuses(403):
            who.upload_folder(repo_id="ada/open", folder_path=folder)
        with refuses(403):
            who.auth_check("ada/open", write=True)
    assert without_attributes(hub.files("ada/open")) == {"a.txt": b"a"}
    eve.create_repo("lab/net")
    with refuses(403):
        api.create_repo("lab/other")


def test_cards_are_checked_before_they_are_pushed(hub: LoopbackHub, api: HfApi) -> None:
    api.create_repo("ada/net")
    with pytest.raises(ValueError, match="not YAML"):
        api.upload_file(repo_id="ada/net", path_in_repo="README.md", path_or_fileobj=b"---\na: [\n---\n")
    assert hub.files("ada/net").keys() == {".gitattributes"}
    ModelCard(CARD.decode()).push_to_hub("ada/net", token=TOKEN)
    assert hub.files("ada/net")["README.md"].decode() == str(ModelCard(CARD.decode()))
    assert ModelCard.load("ada/net").data.license == "mit"


def test_a_cut_download_is_taken_up_again(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)  # what is shorter is lost with its connection
    hub.put("ada/net", FILES)
    hub.cut(100_000, path=r"GET .*model\.safetensors")
    assert Path(hf_hub_download("ada/net", "model.safetensors")).read_bytes() == WEIGHTS
    first, second = (one for one in hub.requests() if one.path.startswith("/storage/"))
    assert (first.status, first.sent, first.cut) == (200, 100_000, True)
    assert (second.status, second.sent, second.cut) == (206, len(WEIGHTS) - 100_000, False)


def test_a_cut_upload_is_sent_again(hub: LoopbackHub, api: HfApi) -> None:
    weights = np.random.default_rng(1).bytes(4 * 2**20)
    api.create_repo("ada/net")
    hub.cut(1_000_000, path="PUT /storage/")
    api.upload_file(repo_id="ada/net", path_or_fileobj=weights, path_in_repo="model.safetensors")
    assert hub.files("ada/net")["model.safetensors"] == weights
    first, second = (one for one in hub.requests() if one.method == "PUT")
    assert first.cut and first.status is None and 1_000_000 < first.received < len(weights)
    assert not second.cut and second.received == len(weights)


def test_a_silent_hub_costs_the_timeout_and_then_answers_again(hub: LoopbackHub) -> None:
    sha = hub.put("ada/net", FILES)
    hub.silent()
    start = time.perf_counter()
    with pytest.raises(httpx2.TimeoutException):
        HfApi().model_info("ada/net", timeout=0.3)
    assert 0.3 <= time.perf_counter() - start < 3
    (asked,) = hub.requests()
    assert asked.status is None
    hub.behave()
    assert HfApi().model_info("ada/net", timeout=5).sha == sha


def test_errors_come_as_often_as_told(hub: LoopbackHub, api: HfApi) -> None:
    hub.put("ada/net", FILES)
    hub.fail(500, path="/api/models/ada/net$", times=2)
    for _ in range(2):
        with refuses(500):
            api.model_info("ada/net")
    assert api.whoami()["name"] == "ada" and api.model_info("ada/net").id == "ada/net"
    with refuses(501):  # not that the loopback Hub knew of likes
        list(api.list_repo_likers("ada/net"))
    assert [one.status for one in hub.requests()] == [500, 500, 200, 200, 501]


def test_a_slow_hub_takes_its_time(hub: LoopbackHub) -> None:
    hub.put("ada/net", FILES)
    chunks = len(WEIGHTS) // 65536
    hub.slow(0.1)
    start = time.perf_counter()
    assert Path(hf_hub_download("ada/net", "model.safetensors")).read_bytes() == WEIGHTS
    assert chunks * 0.1 <= time.perf_counter() - start < 5


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_an_endless_file_outgrows_what_the_listing_says(hub: LoopbackHub, name: str, announced: bool) -> None:
    hub.endless("ada/net", name, size=500, announced=announced)
    (listed,) = HfApi().get_paths_info("ada/net", name)
    assert isinstance(listed, RepoFile) and (listed.size, listed.lfs is None) == (500, name == "config.json")
    url = huggingface_hub.hf_hub_url("ada/net", name)
    assert huggingface_hub.get_hf_file_metadata(url).size == (500 if announced else None)
    got = 0
    with httpx2.stream("GET", url, follow_redirects=True) as answer:
        assert "Content-Length" not in answer.headers
        for piece in answer.iter_bytes():
            got += len(piece)
            if got > 5_000_000:
                break
    assert got > 5_000_000
    time.sleep(0.2)
    assert hub.requests()[-1].sent < 100_000_000  # it stopped when the client left


def test_hostile_names_are_listed_as_they_are(hub: LoopbackHub) -> None:
    hub.put("ada/net", {"../../evil": b"evil", "a b/%2e#?.txt": b"odd"})
    names = [one.path for one in HfApi().list_repo_tree("ada/net", recursive=True)]
    assert {"../../evil", "a b/%2e#?.txt"} <= set(names)
    assert Path(hf_hub_download("ada/net", "a b/%2e#?.txt")).read_bytes() == b"odd"
    with pytest.raises((ValueError, OSError)):
        snapshot_download("ada/net")


def test_parts_of_files_are_served(hub: LoopbackHub) -> None:
    hub.put("ada/net", {"a.txt": b"0123456789"})
    spans = {"bytes=2-4": (206, "bytes 2-4/10"), "bytes=7-": (206, "bytes 7-9/10"), "bytes=-3": (206, "bytes 7-9/10")}
    for span, expected in {**spans, "bytes=10-": (416, "bytes */10")}.items():
        answer = httpx2.get(f"{hub.url}/ada/net/resolve/main/a.txt", headers={"Range": span})
        assert (answer.status_code, answer.headers["Content-Range"]) == expected
        assert answer.content == {"2": b"234", "7": b"789"}.get(expected[1][6], b"")


FLOW = """
import json, sys
from huggingface_hub import HfApi, scan_cache_dir, snapshot_download
repository, folder = sys.argv[1:]
api = HfApi()
api.create_repo(repository, private=True)
api.upload_folder(repo_id=repository, folder_path=folder)
opened = api.upload_file(repo_id=repository, path_or_fileobj=b"1", path_in_repo="a.txt", create_pr=True)
place = snapshot_download(repository, revision=opened.pr_revision)
print(json.dumps([api.whoami()["name"], place, len(scan_cache_dir().repos)]))
"""


def test_a_process_of_its_own_needs_only_the_environment(hub: LoopbackHub, folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "elsewhere"
    done = subprocess.run(
        [sys.executable, "-c", FLOW, "ada/net", str(folder)],
        env=hub.environment(home=home, token=TOKEN),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    name, place, cached = json.loads(done.stdout)
    assert (name, cached) == ("ada", 1) and Path(place).is_relative_to(home)
    assert {file: (Path(place) / file).read_bytes() for file in FILES} == FILES and (Path(place) / "a.txt").is_file()

    asked = hub.requests()
    assert sum(one.authorized for one in asked) > 10 and {one.status for one in asked} <= {200, 302}
    assert any("create_pr=1" in one.target for one in asked)  # queries are in the log
    assert not [one.target for one in asked if re.search(r"hf_|token", one.target)]
    assert TOKEN not in done.stdout + done.stderr


def test_the_patched_client_is_here_and_nowhere_else(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub.put("ada/net", FILES, private=True)
    assert (HfApi().endpoint, huggingface_hub.get_token()) == (hub.url, None)
    with pytest.raises(errors.RepositoryNotFoundError):
        snapshot_download("ada/net")
    with monkeypatch.context() as signed_in:
        hub.patch(signed_in, home=tmp_path / "other", token=TOKEN)
        assert huggingface_hub.get_token() == TOKEN
        assert without_attributes(pulled("ada/net")) == FILES
        assert [one.repo_id for one in huggingface_hub.scan_cache_dir().repos] == ["ada/net"]
    assert huggingface_hub.get_token() is None and str(tmp_path / "home" / "hub") == constants.HF_HUB_CACHE


def test_the_hub_stops_with_the_context_and_with_its_parent() -> None:
    hub = LoopbackHub()
    with refuses(401), hub:
        HfApi(endpoint=hub.url, token="hf_wrong").whoami()
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(hub.url)
    parent = "import tests.loopback_hub as L; h = L.LoopbackHub().__enter__(); print(h.url, flush=True); input()"
    command, pipe = [sys.executable, "-c", parent], subprocess.PIPE
    started = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
    assert started.stdout is not None
    url = started.stdout.readline().strip()
    assert httpx2.get(url).status_code == 200
    started.kill()
    started.communicate()
    time.sleep(1)
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(url)
