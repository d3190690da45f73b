"""What is pushed, and what is not: against a Hub on loopback, with the client as it is."""

import json
import shutil
import socket
import time
from hashlib import sha256 as sha256_of
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from huggingface_hub import HfApi, ModelCard, constants
from huggingface_hub.utils import _http

import training.push
import training.staging
from facekit.checkpoints import config_text, read_checkpoint, read_config
from facekit.errors import CheckpointNotFound, DamagedCheckpoint, DataError, HubUnreachable, PushError
from facekit.generate import FaceGenerator
from facekit.hub import find_checkpoint
from tests.loopback_hub import LoopbackHub
from tests.training.pushable import PLACE, make_generator_run, make_run, write_age_record, write_weights
from training.pack import pack
from training.push import Pushed, push, tried_by
from training.recipe import load_any_recipe

TOKEN, READER, STRANGER = "hf_ada_may_write", "hf_ada_may_read", "hf_bob_may_write"
WEIGHTS = "model.safetensors"


@pytest.fixture
def ada(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LoopbackHub:
    """The Hub with ada signed in and nothing on it; no record in training/results."""
    hub.add_user("ada", TOKEN, organisations=["faces"])
    hub.add_user("ada", READER, write=False)
    hub.add_user("bob", STRANGER)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(training.staging, "RECORDS", tmp_path / "results")
    monkeypatch.setattr(training.push, "_PAUSES", (0.0, 0.0))
    return hub


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with a record of it."""
    run = make_run(tmp_path / "001-tiny")
    write_age_record(run / "evaluation" / "utkface.json", run / "best")
    return run


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's own pauses between its tries."""
    monkeypatch.setattr(_http, "time", SimpleNamespace(**{**vars(time), "sleep": lambda seconds: None}))


def head(repository: str = "ada/net", revision: str = "main") -> str:
    return str(HfApi(endpoint=constants.ENDPOINT, token=TOKEN).model_info(repository, revision=revision).sha)


def refused(*arguments: Any, **options: Any) -> str:
    """The one sentence of a push that must fail."""
    with pytest.raises(PushError) as caught:
        push(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message and "hf_" not in message
    return message


def uploads(hub: LoopbackHub) -> list[str]:
    """What was sent to the large-file storage, by its sha256."""
    return [one.path.split("/")[2] for one in hub.requests() if one.method == "PUT" and one.status == 200]


def test_a_push_holds_everything_that_is_known(ada: LoopbackHub, run: Path, tmp_path: Path) -> None:
    before = sorted(path for path in run.rglob("*"))
    made = push(run, "ada/net")
    files = ada.files("ada/net")
    assert files.keys() - {".gitattributes"} == {
        *("README.md", "config.json", WEIGHTS, "recipe.yaml", "environment.json", "log.jsonl"),
        *("evaluation/utkface.json", "figures/curves.png", "figures/roc.png"),
    }
    assert files[WEIGHTS] == (run / "best" / WEIGHTS).read_bytes()  # as it is: float16
    assert files["evaluation/utkface.json"] == (run / "evaluation" / "utkface.json").read_bytes()
    card = ModelCard(files["README.md"].decode())
    assert card.data.model_name == "ada/net" and 'from_pretrained("ada/net")' in card.text
    results = {one.metric_name: one.metric_value for one in card.data.eval_results or []}
    assert results == {"age, mean absolute error": 4.5}
    checkpoint = read_checkpoint(find_checkpoint("ada/net"))
    assert checkpoint.config.metrics["UTKFace"]["digest"] == checkpoint.digest
    (tmp_path / "again.yaml").write_bytes(files["recipe.yaml"])
    assert load_any_recipe(str(tmp_path / "again.yaml")).data[0].path == "utkface"
    environment = json.loads(files["environment.json"])
    assert environment["trained"] == {"commit": "abc123", "versions": {"torch": "2.15.0"}}
    assert environment["pushed"]["hardware"] and environment["pushed"]["versions"]["torch"]
    assert not any(PLACE.encode() in data for data in files.values())
    assert made == Pushed("ada/net", head(), made.parent, None, f"{ada.url}/ada/net/commit/{head()}")
    assert json.loads((run / "pushed.json").read_text())["commit"] == made.commit
    assert sorted(run.rglob("*")) == sorted([*before, run / "pushed.json"])
    assert read_checkpoint(run / "best").config.metrics == {}  # the run's own folder is as it was


def test_a_pull_request_leaves_main_alone_and_loads(
    ada: LoopbackHub, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ada.put("ada/net", {"README.md": b"# Hers\n"})
    monkeypatch.setenv("HF_TOKEN", STRANGER)  # who may not write there may propose
    made = push(run / "best", "ada/net", pull_request=True, message="Better for everyone")
    assert (head(), made.parent, made.pull_request) == (first, first, 1)
    assert made.url == f"{ada.url}/ada/net/discussions/1"
    assert ada.files("ada/net")["README.md"] == b"# Hers\n"
    checkpoint = read_checkpoint(find_checkpoint(str(made.address)))
    assert checkpoint.digest == read_checkpoint(run / "best").digest
    told = tried_by(made, run)
    assert "?checkpoint=ada/net@refs/pr/1" in told and "--candidate ada/net@refs/pr/1 --baseline default" in told
    opened = HfApi(endpoint=ada.url).get_discussion_details("ada/net", 1)
    assert opened.title == "Better for everyone"


def test_nothing_new_is_not_pushed(ada: LoopbackHub, run: Path) -> None:
    made = push(run, "ada/net")
    ada.put("ada/net", {"environment.json": b"{}", "notes.txt": b"hers"})  # from another machine
    ada.forget()
    assert "Nothing new: ada/net holds all of it" in refused(run, "ada/net")
    (run / "pushed.json").unlink()
    assert "Nothing new" in refused(run, "ada/net", pull_request=True)
    assert {one.method for one in ada.requests()} == {"GET"}
    assert made.commit != head()


def test_a_pull_request_is_not_opened_twice(ada: LoopbackHub, run: Path) -> None:
    ada.put("ada/net", {"README.md": b"# Hers\n"})
    push(run, "ada/net", pull_request=True)
    assert "pull request 1 of ada/net holds all of it" in refused(run, "ada/net", pull_request=True)
    HfApi(endpoint=ada.url, token=TOKEN).change_discussion_status("ada/net", 1, "closed")
    assert push(run, "ada/net", pull_request=True).pull_request == 2


def test_records_and_figures_of_other_weights_go(ada: LoopbackHub, run: Path) -> None:
    push(run, "ada/net")
    ada.put("ada/net", {"evaluation/celeba.json": b"{}", "figures/old.png": b"\0", "notes.txt": b"hers"})
    write_weights(run / "best", seed=1)
    write_age_record(run / "evaluation" / "utkface.json", run / "best", mae=4.1)
    (run / "figures" / "roc.png").unlink()
    push(run, "ada/net", rebase=True)
    files = ada.files("ada/net")
    assert not files.keys() & {"evaluation/celeba.json", "figures/old.png", "figures/roc.png"}
    assert files["notes.txt"] == b"hers" and b"4.10 years" in files["README.md"]


def test_a_push_of_ones_own_goes_on_from_the_last(ada: LoopbackHub, run: Path) -> None:
    first = push(run, "ada/net")
    write_weights(run / "best", seed=1)
    write_age_record(run / "evaluation" / "utkface.json", run / "best")
    second = push(run, "ada/net")
    assert second.parent == first.commit and ada.files("ada/net")[WEIGHTS] == (run / "best" / WEIGHTS).read_bytes()


@pytest.mark.parametrize("pull_request", [False, True])
def test_a_stale_parent_is_told_and_rebased(pull_request: bool, ada: LoopbackHub, run: Path) -> None:
    ada.put("ada/net", {"README.md": b"# Hers\n"})
    first = push(run, "ada/net", pull_request=pull_request)
    left = first.parent if pull_request else first.commit
    moved = ada.put("ada/net", {"notes.txt": b"of somebody else"})
    write_weights(run / "best", seed=1)
    write_age_record(run / "evaluation" / "utkface.json", run / "best")
    told = refused(run, "ada/net", pull_request=pull_request)
    assert left[:12] in told and moved[:12] in told and "--rebase" in told
    assert push(run, "ada/net", pull_request=pull_request, rebase=True).parent == moved


def test_a_training_s_start_is_a_parent_too(ada: LoopbackHub, run: Path, tmp_path: Path) -> None:
    pushed = push(run, "ada/net")
    began = read_config(find_checkpoint("ada/net"))
    parent = {"parent": {"repository": "ada/net", "commit": pushed.commit}}
    ours = shutil.copytree(run / "best", tmp_path / "ours")
    (ours / "config.json").write_text(config_text(began.model_copy(update={"training": parent, "metrics": {}})))
    ada.put("ada/net", {"notes.txt": b"somebody was faster"})
    assert "has moved from " + pushed.commit[:12] in refused(ours, "ada/net", pull_request=True)
    push(ours, "ada/net", pull_request=True, rebase=True)


def test_a_push_without_figures_says_how_to_have_some(ada: LoopbackHub, run: Path) -> None:
    assert "no figures" not in tried_by(push(run, "ada/net"), run)
    (run / "evaluation" / "utkface.json").unlink()
    assert "Its card has no figures" in tried_by(push(run, "ada/none"), run)


def test_a_damaged_recipe_is_named(ada: LoopbackHub, run: Path) -> None:
    (run / "recipe.json").write_text("[1, ")
    config = read_config(run / "best")
    (run / "best" / "config.json").write_text(config_text(config.model_copy(update={"training": {}})))
    with pytest.raises(DataError, match=r"recipe\.json is damaged"):
        push(run, "ada/net", records=[])


def test_a_race_ends_as_a_stale_parent(ada: LoopbackHub, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ada.put("ada/net", {"README.md": b"# Hers\n"})
    upload, moved = training.push._Target._upload, []

    def meanwhile(target: Any, additions: Any) -> None:
        upload(target, additions)
        moved.append(ada.put("ada/net", {"notes.txt": b"of somebody else"}))

    monkeypatch.setattr(training.push._Target, "_upload", meanwhile)
    told = refused(run, "ada/net")
    assert first[:12] in told and moved[0][:12] in told and "--rebase" in told
    assert WEIGHTS not in ada.files("ada/net") and not (run / "pushed.json").exists()


@pytest.mark.parametrize(
    ("token", "repository", "options", "sentence"),
    [
        (None, "ada/new", {}, "run `hf auth login` first"),
        ("hf_nobodys", "ada/new", {}, "does not know your token"),
        (READER, "ada/new", {}, "may only read: make one that may write"),
        (READER, "ada/net", {"pull_request": True}, "may only read: make one that may open pull requests"),
        (TOKEN, "bob/new", {}, "no repository bob/new that ada may see, and ada may not make one in bob"),
        (TOKEN, "bob/new", {"pull_request": True}, "no repository bob/new"),
        (TOKEN, "bob/secret", {}, "no repository bob/secret"),
        (TOKEN, "bob/net", {}, "may not write to bob/net"),
        (TOKEN, "ada/net", {"private": True}, "there and public"),
        (TOKEN, "net", {}, "no repository on the Hub"),
        (TOKEN, "ada/net@refs/pr/1", {}, "no repository on the Hub"),
    ],
)
def test_who_may_not_is_told_so_before_anything_is_sent(
    token: str | None,
    repository: str,
    options: dict[str, Any],
    sentence: str,
    ada: LoopbackHub,
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("ada/net", "bob/net", "bob/secret"):
        ada.put(name, {"README.md": b"# A net\n"}, private=name == "bob/secret")
    monkeypatch.delenv("HF_TOKEN")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    assert sentence in refused(run, repository, **options)
    assert uploads(ada) == []
    assert not (run / "pushed.json").exists()
    if repository == "bob/net":
        assert "--pr" in refused(run, repository)
        assert push(run, repository, pull_request=True).pull_request == 1


@pytest.mark.parametrize("pull_request", [False, True])
def test_a_token_that_may_do_other_things_only(
    pull_request: bool, ada: LoopbackHub, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fine-grained ones do not say what they may; the Hub refuses the commit."""
    ada.put("ada/net", {"README.md": b"# A net\n"})
    ada.fail(403, path="POST /api/models/ada/net/preupload")
    told = refused(run, "ada/net", pull_request=pull_request)
    assert ("may not open pull requests" if pull_request else "propose it with --pr") in told


def test_a_new_repository_is_private_if_wanted(ada: LoopbackHub, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push(run, "faces/net", private=True)
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    assert "no repository faces/net" in refused(run, "faces/net")


def test_a_record_of_other_weights_is_refused(ada: LoopbackHub, run: Path, tmp_path: Path) -> None:
    other = write_age_record(tmp_path / "other" / "utkface.json", run / "best", digest="f" * 64)
    told = refused(run, "ada/net", records=[other])
    assert str(other) in told and "(ffffffffffff, not " in told
    config = json.loads((run / "best" / "config.json").read_text())
    config["metrics"] = {"UTKFace": {"pictures": 10, "digest": "f" * 64}}
    (run / "best" / "config.json").write_text(json.dumps(config))
    (run / "evaluation" / "utkface.json").unlink()
    assert "the record of UTKFace in config.json" in refused(run, "ada/net")
    assert ada.requests() == []


def test_records_that_do_not_say_whose_they_are_are_refused(ada: LoopbackHub, run: Path, tmp_path: Path) -> None:
    (run / "evaluation" / "utkface.json").unlink()
    old = write_age_record(tmp_path / "results" / "ours.json", run / "best")
    write_age_record(tmp_path / "results" / "default.json", run / "best", checkpoint="default")
    record = json.loads(old.read_text())
    del record["digest"]
    old.write_text(json.dumps(record))
    assert "ours.json was measured with other weights or settings (None" in refused(run, "ada/net")


def test_records_of_one_name_are_not_mixed_up(ada: LoopbackHub, run: Path, tmp_path: Path) -> None:
    records = [write_age_record(tmp_path / side / "utkface.json", run / "best") for side in "ab"]
    with pytest.raises(DataError, match=r"called utkface\.json"):
        push(run, "ada/net", records=records)


def test_a_card_that_is_there_stays_without_records(ada: LoopbackHub, run: Path) -> None:
    (run / "evaluation" / "utkface.json").unlink()
    push(run, "ada/none")
    assert b"Not evaluated yet" in ada.files("ada/none")["README.md"]
    (run / "best" / "README.md").write_text("---\nlicense: mit\n---\n# Mine\n")
    push(run, "ada/mine")
    assert ada.files("ada/mine")["README.md"].endswith(b"# Mine\n")


@pytest.mark.parametrize("harm", ["cut", "config", "nothing"])
def test_a_damaged_checkpoint_is_not_sent(harm: str, ada: LoopbackHub, run: Path) -> None:
    if harm == "nothing":
        (run / "best" / "config.json").unlink()
    elif harm == "cut":
        data = (run / "best" / WEIGHTS).read_bytes()
        (run / "best" / WEIGHTS).write_bytes(data[:-10])
    else:
        (run / "best" / "config.json").write_text("{}")
    with pytest.raises(CheckpointNotFound if harm == "nothing" else DamagedCheckpoint):
        push(run, "ada/net")
    assert ada.requests() == []


def test_a_cut_connection_is_tried_again(ada: LoopbackHub, run: Path, no_waiting: None) -> None:
    ada.cut(1000, path="PUT /storage/", times=2)
    push(run, "ada/net")
    assert ada.files("ada/net")[WEIGHTS] == (run / "best" / WEIGHTS).read_bytes()
    assert [one.cut for one in ada.requests() if one.method == "PUT"].count(True) == 2


def test_what_has_arrived_is_not_sent_again(ada: LoopbackHub, run: Path, no_waiting: None) -> None:
    sha256 = sha256_of((run / "best" / WEIGHTS).read_bytes()).hexdigest()
    ada.cut(1000, path=f"PUT /storage/{sha256}", times=1000)
    with pytest.raises(HubUnreachable, match="run the same again"):
        push(run, "ada/net")
    arrived = uploads(ada)
    assert len(arrived) == 2 and sha256 not in arrived  # both figures
    ada.behave()
    ada.forget()
    push(run, "ada/net")
    assert uploads(ada) == [sha256]


def test_after_a_cut_commit_the_same_is_run_again(ada: LoopbackHub, run: Path) -> None:
    ada.cut(10, path="POST /api/models/ada/net/commit/")
    with pytest.raises(HubUnreachable, match="else run the same again"):
        push(run, "ada/net")
    ada.forget()
    push(run, "ada/net")
    assert uploads(ada) == []


def test_what_gitignore_leaves_out_is_told(ada: LoopbackHub, run: Path) -> None:
    ada.put("ada/net", {".gitignore": b"*.jsonl\n"})
    assert "lacks log.jsonl: see its .gitignore" in refused(run, "ada/net")


def test_a_card_the_hub_does_not_take_is_told(ada: LoopbackHub, run: Path) -> None:
    (run / "evaluation" / "utkface.json").unlink()
    (run / "best" / "README.md").write_text("---\n{not: yaml\n---\n# Mine\n")
    assert "The Hub does not take it: Invalid metadata in README.md" in refused(run, "ada/net")


@pytest.mark.parametrize("listens", [True, False])
def test_an_unreachable_hub_is_told_within_five_seconds(
    listens: bool, ada: LoopbackHub, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada.silent()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        if not listens:
            monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        monkeypatch.setattr(training.push, "stage", lambda *_: "")  # which is not the Hub's time
        started = time.monotonic()
        with pytest.raises(HubUnreachable, match="did not answer"):
            push(run, "ada/net")
        assert time.monotonic() - started < 5


def test_a_hub_with_an_error_of_its_own(ada: LoopbackHub, run: Path) -> None:
    ada.fail(500, path="GET /api/whoami")
    with pytest.raises(HubUnreachable, match="status 500"):
        push(run, "ada/net")


def test_offline_is_said(ada: LoopbackHub, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    _http.close_session()
    with pytest.raises(HubUnreachable, match="HF_HUB_OFFLINE is set"):
        push(run, "ada/net")
    _http.close_session()


def test_a_damaged_note_of_the_last_push_is_named(ada: LoopbackHub, run: Path) -> None:
    (run / "pushed.json").write_text('{"repository": "ada/net"}')
    assert "pushed.json is damaged: delete it" in refused(run, "ada/net")


def test_a_generator_s_run_is_packed(ada: LoopbackHub, tmp_path: Path) -> None:
    run = make_generator_run(tmp_path / "002-tiny-gan")
    made = push(run, "ada/gan", pull_request=True)
    files = ada.files("ada/gan", "refs/pr/1")
    assert {"generator/diffusion_pytorch_model.safetensors", "growth/0001.webp", "growth/log.jsonl"} <= files.keys()
    assert b'FaceGenerator.from_pretrained("ada/gan")' in files["README.md"] and b"kind: gan" in files["recipe.yaml"]
    pictures = [
        np.asarray(FaceGenerator.from_pretrained(str(n)).sample(2, seed=1)[0]) for n in (run / "pipeline", made.address)
    ]
    assert np.abs(pictures[0].astype(int) - pictures[1]).max() <= 2
    told = tried_by(made, run / "pipeline")
    assert "FaceGenerator" in told and "gate" not in told
    assert "Nothing new" in refused(run, "ada/gan", pull_request=True)
    with pytest.raises(PushError, match="leave out --record"):
        push(run, "ada/gan", records=[tmp_path])


def test_a_generator_s_checkpoint_is_pushed_as_it_is(ada: LoopbackHub, tmp_path: Path) -> None:
    folder = tmp_path / "gan"
    pack(make_generator_run(tmp_path / "002-tiny-gan"), folder)
    push(folder, "ada/gan")
    files = ada.files("ada/gan")
    own = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert all(files[file] == path.read_bytes() for file, path in own.items() if file != "pushed.json")
    (folder / "README.md").unlink()
    assert "has no card" in refused(folder, "ada/other")


def test_the_token_is_nowhere(ada: LoopbackHub, run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    push(run, "ada/net", pull_request=True)
    ada.put("ada/net", {"notes.txt": b"of somebody else"})
    refused(run, "ada/net")
    kept = [path.read_bytes() for path in run.rglob("*") if path.is_file()]
    sent = [*ada.files("ada/net").values(), *ada.files("ada/net", "refs/pr/1").values()]
    assert not any(TOKEN.encode() in data for data in kept + sent)
    assert not any(TOKEN in one.target for one in ada.requests())
    assert TOKEN not in "".join(capfd.readouterr())
