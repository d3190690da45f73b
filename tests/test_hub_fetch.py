"""Checkpoints from a Hub: found, cached, kept apart, and refused where they are hostile."""

import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import perf_counter
from typing import Any

import pytest
import torch
from huggingface_hub import HfApi, constants
from safetensors.torch import load, save

from facekit import FaceAnalyzer, FaceGenerator
from facekit import hub as facekit_hub
from facekit.checkpoints import CheckpointConfig, read_checkpoint, write_checkpoint
from facekit.errors import CheckpointNotFound, DamagedCheckpoint, HubUnreachable
from facekit.hub import Address, commit_of, fetch, find_checkpoint, parse_address
from facekit.labels import ATTRIBUTES
from facekit.nets import build
from facekit.nets.dcgan import DcganGenerator
from facekit.shipped import GENERATOR
from facekit.tasks import ALL_TASKS
from tests.loopback_hub import LoopbackHub

NETWORK = {"widths": [4, 4, 8, 8], "depths": [1, 1, 1, 1]}
HEADS = {head: task.size for head, task in ALL_TASKS.items()}
ANN, BOB = "hf_tokenOfAnn", "hf_tokenOfBob"


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("checkpoint")
    write_checkpoint(folder, build("face-net", HEADS, NETWORK), CheckpointConfig(network=NETWORK), card="# Mine\n")
    return files_of(folder)


@pytest.fixture(autouse=True)
def awake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facekit_hub, "_silent_since", {})


def gone(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the Hub's machine were off; nothing listens on port 9."""
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ann/net", Address("ann/net")),
        (" ann/net@v1.0 ", Address("ann/net", "v1.0")),
        ("ann/net@refs/pr/3", Address("ann/net", "refs/pr/3")),
        ("https://huggingface.co/ann/net", Address("ann/net")),
        ("https://huggingface.co/ann/net/tree/feature/eyes", Address("ann/net", "feature/eyes")),
        ("https://huggingface.co/spaces/ann/net", None),
        ("https://[x", None),
        ("https://huggingface.co/ann/net/discussions/3#files", Address("ann/net", "refs/pr/3")),
        ("https://huggingface.co/ann/net/tree/refs%2Fpr%2F12", Address("ann/net", "refs/pr/12")),
        ("https://hf.co/ann/net/blob/main/config.json", Address("ann/net", "main")),
        ("https://huggingface.co/ann/net/commit/" + "a" * 40, Address("ann/net", "a" * 40)),
        *((text, None) for text in ("", "ann", "ann/net/more", "../net", "ann/..", "ann/net@../../x", "ann/net@a b")),
        *((text, None) for text in ("https://example.org/ann/net", "ann/net@-x", "file:///etc/passwd", "ann/net@a//b")),
    ],
)
def test_addresses(text: str, expected: Address | None) -> None:
    assert parse_address(text) == expected


def test_an_address_may_be_told_in_two_parts() -> None:
    assert parse_address("ann/net", "v1") == Address("ann/net", "v1")
    assert parse_address("ann/net@v2", "v1") == Address("ann/net", "v2")


def test_it_is_loaded_like_a_shipped_one(hub: LoopbackHub, checkpoint: dict[str, bytes]) -> None:
    commit = hub.put("ann/net", checkpoint | {"evil.py": b"raise SystemExit", "pytorch_model.bin": b"pickle"})
    analyzer = FaceAnalyzer.from_pretrained("ann/net")
    assert analyzer.checkpoint.name == "ann/net"
    assert commit_of(analyzer.checkpoint.folder) == commit
    assert analyzer.checkpoint.card == "# Mine\n"
    fetched = {request.path.rsplit("/", 1)[-1] for request in hub.requests() if "/resolve/" in request.path}
    assert fetched == {"README.md", "config.json", "model.safetensors"}


def test_revisions(hub: LoopbackHub, checkpoint: dict[str, bytes]) -> None:
    hub.add_user("ann", ANN)
    first = hub.put("ann/net", checkpoint)
    api = HfApi(endpoint=hub.url, token=ANN)
    api.create_tag("ann/net", tag="v1")
    pull = api.upload_file(path_or_fileobj=b"# Better\n", path_in_repo="README.md", repo_id="ann/net", create_pr=True)
    second = hub.put("ann/net", {"README.md": b"# Second\n"})
    cards = {
        name: read_checkpoint(find_checkpoint(name)).card for name in ("ann/net@v1", "ann/net", "ann/net@" + first)
    }
    assert cards == {"ann/net@v1": "# Mine\n", "ann/net": "# Second\n", "ann/net@" + first: "# Mine\n"}
    assert pull.pr_revision == "refs/pr/1"
    assert read_checkpoint(find_checkpoint("ann/net", revision="refs/pr/1")).card == "# Better\n"
    assert commit_of(find_checkpoint("ann/net")) == second
    with pytest.raises(CheckpointNotFound, match="no revision 'v9'"):
        find_checkpoint("ann/net@v9")


def test_a_branch_that_moved_is_fetched_again(hub: LoopbackHub, checkpoint: dict[str, bytes]) -> None:
    hub.put("ann/net", checkpoint)
    assert read_checkpoint(find_checkpoint("ann/net")).card == "# Mine\n"
    hub.put("ann/net", {"README.md": b"# Newer\n"})
    hub.forget()
    assert read_checkpoint(find_checkpoint("ann/net")).card == "# Newer\n"
    assert not any("storage" in request.path for request in hub.requests())  # the weights stayed what they were


@pytest.mark.parametrize("name", ["ann/net", "ann/net@v1", "ann/net@refs/pr/1"])
@pytest.mark.parametrize("how", ["gone", "silent", "broken", "offline"])
def test_what_is_cached_needs_no_hub(
    hub: LoopbackHub, checkpoint: dict[str, bytes], name: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add_user("ann", ANN)
    hub.put("ann/net", checkpoint)
    api = HfApi(endpoint=hub.url, token=ANN)
    api.create_tag("ann/net", tag="v1")
    api.create_pull_request("ann/net", title="A pull request")
    there = find_checkpoint(name)
    {
        "gone": lambda: gone(hub, monkeypatch),
        "silent": hub.silent,
        "broken": lambda: hub.fail(503, times=1000),
        "offline": lambda: monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True),
    }[how]()
    start = perf_counter()
    assert find_checkpoint(name) == there
    first = perf_counter() - start
    assert find_checkpoint(name) == there
    hub.behave()
    assert first < 2.5
    assert perf_counter() - start - first < (5 if how == "broken" else 0.5)  # a silent Hub is not waited for twice


@pytest.mark.parametrize("status", [400, 408, 410, 429, 503])
@pytest.mark.parametrize("path", ["/api/models/ann/net", "HEAD "])
def test_a_hub_that_half_works_leaves_what_is_cached(
    hub: LoopbackHub, checkpoint: dict[str, bytes], status: int, path: str
) -> None:
    hub.put("ann/net", checkpoint)
    there = find_checkpoint("ann/net")
    hub.put("ann/net", {"README.md": b"# Newer\n"})
    hub.fail(status, path=path, times=99)
    start = perf_counter()
    assert find_checkpoint("ann/net") == there
    assert perf_counter() - start < 5


def test_a_download_that_crawls_is_given_up_and_may_be_tried_again(
    hub: LoopbackHub, checkpoint: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.put("ann/net", checkpoint)
    hub.slow(1.0)
    start = perf_counter()
    with monkeypatch.context() as hurried:
        hurried.setattr(facekit_hub, "_DOWNLOAD_SECONDS", 0.5)
        with pytest.raises(HubUnreachable, match="did not deliver ann/net"):
            fetch(Address("ann/net"))
    assert perf_counter() - start < 5
    hub.behave()
    assert files_of(fetch(Address("ann/net"))) == checkpoint  # although the first may still be on its way


@pytest.mark.parametrize("how", ["gone", "silent", "broken"])
def test_what_is_not_cached_is_told_in_five_seconds(
    hub: LoopbackHub, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    {"gone": lambda: gone(hub, monkeypatch), "silent": hub.silent, "broken": lambda: hub.fail(500, times=99)}[how]()
    start = perf_counter()
    with pytest.raises(HubUnreachable, match=r"did not answer|status 500"):
        find_checkpoint("ann/net")
    assert perf_counter() - start < 5
    hub.behave()


def test_a_cut_download_goes_on(hub: LoopbackHub, checkpoint: dict[str, bytes]) -> None:
    hub.put("ann/net", checkpoint)
    hub.cut(20_000, path="GET .*storage", times=1)
    folder = find_checkpoint("ann/net")
    assert (folder / "model.safetensors").read_bytes() == checkpoint["model.safetensors"]
    assert any(request.cut for request in hub.requests())


def test_private_ones_need_a_token(hub: LoopbackHub, checkpoint: dict[str, bytes]) -> None:
    hub.add_user("ann", ANN)
    hub.add_user("bob", BOB)
    hub.put("ann/secret", checkpoint, private=True)
    opened = find_checkpoint("ann/secret", token=ANN)
    assert read_checkpoint(opened).card == "# Mine\n"
    for token in (None, False, BOB, "hf_nonsense"):
        with pytest.raises(CheckpointNotFound, match="sign in if it is private") as told:
            find_checkpoint("ann/secret", token=token)
        assert "hf_" not in str(told.value)
    assert not opened.is_relative_to(constants.HF_HUB_CACHE)


def test_what_a_token_opened_stays_with_it(
    hub: LoopbackHub, checkpoint: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add_user("ann", ANN)
    commit = hub.put("ann/secret", checkpoint, private=True)
    find_checkpoint("ann/secret", token=ANN)
    gone(hub, monkeypatch)
    assert commit_of(find_checkpoint("ann/secret", token=ANN)) == commit
    for name in ("ann/secret", "ann/secret@" + commit):
        with pytest.raises(HubUnreachable):
            find_checkpoint(name, token=False)


def test_a_token_is_sent_only_where_it_is_needed(hub: LoopbackHub, checkpoint: dict[str, bytes]) -> None:
    hub.add_user("ann", ANN)
    hub.put("ann/net", checkpoint)
    find_checkpoint("ann/net", token=ANN)
    assert not any(request.authorized for request in hub.requests())
    hub.put("ann/secret", checkpoint, private=True)
    find_checkpoint("ann/secret", token=ANN)
    assert any(request.authorized for request in hub.requests())
    assert not any(request.authorized for request in hub.requests() if "storage" in request.path)
    assert not any(ANN in request.target for request in hub.requests())


def test_the_environments_token_opens_ones_own(
    loopback: LoopbackHub, checkpoint: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback.reset()
    loopback.patch(monkeypatch, home=tmp_path, token=ANN)
    loopback.add_user("ann", ANN)
    loopback.put("ann/secret", checkpoint, private=True)
    assert read_checkpoint(find_checkpoint("ann/secret")).card == "# Mine\n"
    with pytest.raises(CheckpointNotFound):
        find_checkpoint("ann/secret", token=False)


def test_generators_come_with_their_growth(hub: LoopbackHub, tmp_path: Path) -> None:
    FaceGenerator(DcganGenerator(size=16, latent=4, width=4).eval()).save_pretrained(tmp_path)
    hub.put("ann/faces", files_of(tmp_path) | {"growth/0001.webp": b"w", "growth/../../0002.webp": b"w", "x.webp": b""})
    folder = find_checkpoint("ann/faces", kind=GENERATOR)
    assert sorted(path.name for path in folder.rglob("*.webp")) == ["0001.webp"]
    assert len(FaceGenerator.from_pretrained("ann/faces").sample(2, seed=0)) == 2
    with pytest.raises(CheckpointNotFound, match=r"no config\.json"):
        find_checkpoint("ann/faces")


# ---- hostile repositories


class Bomb:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return (Path.touch, (Path("pickle-ran"),))  # type: ignore[return-value]


def config(**fields: object) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda good: good | {"config.json": json.dumps(json.loads(good["config.json"]) | fields).encode()}


def weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    def spoil(good: dict[str, bytes]) -> dict[str, bytes]:
        tensors = load(good["model.safetensors"])
        change(tensors)
        return good | {"model.safetensors": save(tensors)}

    return spoil


def header(announced: int, sent: int = 1000) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda good: good | {"model.safetensors": struct.pack("<Q", announced) + b" " * sent}


HOSTILE = {
    "only pickles": (
        lambda good: {"config.json": good["config.json"], "pytorch_model.bin": pickle.dumps(Bomb())},
        "never read",
    ),
    "pickle in disguise": (lambda good: good | {"model.safetensors": pickle.dumps(Bomb())}, "is damaged"),
    "remote code": (config(auto_map={"AutoModel": "evil.Net"}), "auto_map"),
    "trust_remote_code": (config(trust_remote_code=True), "trust_remote_code"),
    "architecture of its own": (config(architecture="evil.Net"), "unknown architecture"),
    "10^12 parameters": (config(network={"widths": [10**6] * 4}), "million parameters"),
    "10^12 wide": (config(network={"widths": [10**12] * 4}), "million parameters|cannot be built"),
    "10^9 layers": (config(network={"depths": [10**9] * 4}), "2,000 tensors"),
    "a huge picture inside": (config(network=NETWORK | {"size": [4000, 4000]}), "32 to 256 pixels"),
    "2^40 combinations": (config(tasks={"x": {"kind": "combinations", "names": ATTRIBUTES}}), "at most 12"),
    "answers too large for numbers": (weights(lambda t: t["heads.age.weight"].fill_(3e38)), "not a number"),
    "a temperature of nothing": (config(calibration={"age_temperature": 1e-300}), "age_temperature"),
    "yes made no": (config(calibration={"attribute_scale": [-1.0] * 40}), "attribute_scale"),
    "a scale beyond numbers": (config(architecture="vgg-face", network={"cosine": 10**400}), "damaged|cannot"),
    "input of 10^6 pixels a side": (config(input_size=[10**6, 10**6]), "input_size"),
    "10^9 people": (config(tasks={"who": {"kind": "identity", "people": 10**9}}), "million parameters"),
    "calibration too short": (config(calibration={"attribute_scale": [1.0]}), "attribute_scale"),
    "calibration not a number": (
        lambda good: (
            good | {"config.json": good["config.json"].replace(b'"age_temperature": 1.0', b'"age_temperature": NaN')}
        ),
        "damaged",
    ),
    "deeply nested": (lambda good: good | {"config.json": b"[" * 100_000}, "is damaged"),
    "config of 5 MB": (lambda good: good | {"config.json": good["config.json"] + b" " * (5 << 20)}, "over 4 MB"),
    "a shape that does not fit": (weights(lambda t: t.update({"stem.0.weight": torch.zeros(1)})), "stem.0.weight"),
    "a tensor more": (weights(lambda t: t.update(more=torch.zeros(1))), "tensor more"),
    "a tensor less": (weights(lambda t: t.pop("stem.0.weight")), "stem.0.weight"),
    "not a number": (weights(lambda t: t["stem.0.weight"].fill_(torch.nan)), "not numbers"),
    "infinite": (weights(lambda t: t["stem.0.weight"].fill_(torch.inf)), "not numbers"),
    "header of 100 MB": (header(100_000_000), "takes over 1 MB"),
    "header longer than anything": (header(2**63), "takes over 1 MB"),
    "empty": (lambda good: good | {"model.safetensors": b""}, "is damaged"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_repository_is_refused(
    hub: LoopbackHub, checkpoint: dict[str, bytes], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spoil, told = HOSTILE[kind]
    hub.put("eve/net", spoil(checkpoint))  # type: ignore[operator]
    peak = getrusage(RUSAGE_SELF).ru_maxrss
    start = perf_counter()
    with pytest.raises((DamagedCheckpoint, CheckpointNotFound), match=told) as error:
        FaceAnalyzer.from_pretrained("eve/net")
    assert perf_counter() - start < 5
    assert getrusage(RUSAGE_SELF).ru_maxrss - peak < 100_000  # KiB, whoever allocates
    assert "eve/net" in str(error.value)
    assert len(str(error.value)) < 500
    assert not (tmp_path / "pickle-ran").exists()


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("file", ["config.json", "README.md"])
def test_an_endless_file_is_let_go(hub: LoopbackHub, checkpoint: dict[str, bytes], file: str, announced: bool) -> None:
    hub.put("eve/net", checkpoint)
    hub.endless("eve/net", file, announced=announced)
    start = perf_counter()
    with pytest.raises(DamagedCheckpoint, match="over 4 MB"):
        find_checkpoint("eve/net")
    assert perf_counter() - start < 10
    assert sum(path.stat().st_size for path in Path(constants.HF_HUB_CACHE).rglob("*") if path.is_file()) < 2**20


def test_endless_weights_end_at_the_limit(
    hub: LoopbackHub, checkpoint: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facekit_hub, "MAX_WEIGHT_BYTES", 30 * 2**20)
    hub.put("eve/net", checkpoint)
    hub.endless("eve/net", "model.safetensors")
    with pytest.raises(DamagedCheckpoint, match="over 30 MB"):
        find_checkpoint("eve/net")
    assert not list(Path(constants.HF_HUB_CACHE).rglob("*.incomplete"))


def test_names_that_leave_the_folder_are_left_alone(
    hub: LoopbackHub, checkpoint: dict[str, bytes], tmp_path: Path
) -> None:
    hub.put("eve/net", checkpoint | {"../../evil.txt": b"x", "growth/../../evil.txt": b"x", "/etc/evil.txt": b"x"})
    assert read_checkpoint(find_checkpoint("eve/net")).card == "# Mine\n"
    assert not list(tmp_path.rglob("evil.txt"))
    assert not Path("/etc/evil.txt").exists()


def test_a_listing_that_says_too_much_is_not_even_fetched(
    hub: LoopbackHub, checkpoint: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facekit_hub, "MAX_WEIGHT_BYTES", 1000)
    hub.put("eve/net", checkpoint)
    with pytest.raises(DamagedCheckpoint, match=r"model\.safetensors of eve/net is over"):
        fetch(Address("eve/net"))
    assert not any("storage" in request.path for request in hub.requests())
