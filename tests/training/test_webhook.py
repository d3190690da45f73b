"""What the Hub tells the gate's server, what that runs, and what it comments; the gate itself is a stand-in."""

import json
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import gradio
import pytest
from huggingface_hub import HfApi, WebhookPayload
from huggingface_hub.community import DiscussionComment

import training.webhook
from facekit.errors import PushError
from facekit.hub import Address
from tests.loopback_hub import LoopbackHub
from training.webhook import GateServer, post_comment, pull_requests, secret, serve

TOKEN = "hf_ada_may_write"
PULL = Address("ada/net", "refs/pr/1")
STAND_IN = """
import json, os, sys
with open(os.environ["GATE_LOG"], "a") as log:
    log.write(json.dumps([sys.argv[1:], "FACEKIT_WEBHOOK_SECRET" in os.environ]) + chr(10))
if text := os.environ.get("GATE_SAYS"):
    open(sys.argv[sys.argv.index("--markdown") + 1], "w").write(text)
    open(sys.argv[sys.argv.index("--json") + 1], "w").write("{}")
print("a warning", "No checkpoint `x`: " + os.environ["HF_TOKEN"], sep=chr(10), file=sys.stderr)
sys.exit(11)
"""


def payload(scope: str, action: str = "create", name: str = "ada/net", **fields: Any) -> WebhookPayload:
    """As the Hub sends it when something happens to a model repository."""
    url = {"web": f"https://hub.test/{name}", "api": f"https://hub.test/api/models/{name}"}
    repo = {"id": "1", "type": "model", "name": name, "private": False, "url": url, "owner": {"id": "2"}}
    told = {"event": {"action": action, "scope": scope}, "repo": repo, "webhook": {"id": "3", "version": 3}}
    return WebhookPayload.model_validate(told | fields)


def talk(num: int = 1, status: str = "open", is_pull: bool = True) -> dict[str, Any]:
    url = {"web": f"https://hub.test/ada/net/discussions/{num}"}
    about = {"id": "4", "num": num, "title": "Better", "status": status, "isPullRequest": is_pull}
    return {"discussion": about | {"url": url, "author": {"id": "5"}, "changes": {"base": "refs/heads/main"}}}


def moved(*refs: str, new: str | None = "b" * 40) -> dict[str, Any]:
    return {"updatedRefs": [{"ref": ref, "oldSha": "a" * 40, "newSha": new} for ref in refs]}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (payload("discussion", **talk(3)), ["refs/pr/3"]),
        (payload("discussion", **talk(3, "draft")), ["refs/pr/3"]),
        (payload("discussion", "update", **talk(3)), ["refs/pr/3"]),
        (payload("discussion", "update", **talk(3, "merged")), []),
        (payload("discussion", "delete", **talk(3)), []),
        (payload("discussion", **talk(3, is_pull=False)), []),
        (payload("discussion.comment", **talk(3)), []),
        (payload("repo.content", "update", **moved("refs/pr/3", "refs/heads/main", "refs/pr/x")), ["refs/pr/3"]),
        (payload("repo.content", "update", **moved("refs/pr/3", new=None)), []),
        (payload("repo.content", "update", **moved("refs/pr/3"), name="bob/net"), []),
        (payload("repo.config", "update"), []),
    ],
)
def test_only_pull_requests_that_are_new_or_changed_count(told: WebhookPayload, expected: list[str]) -> None:
    assert [one.revision for one in pull_requests(told, ["ada/net"])] == expected


@pytest.fixture
def proposed(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LoopbackHub:
    """A Hub with a pull request on ada/net, where ada is signed in."""
    hub.add_user("ada", TOKEN)
    hub.put("ada/net", {"README.md": b"# A net\n"})
    HfApi(endpoint=hub.url, token=TOKEN).create_pull_request("ada/net", "Better")
    hub.put("ada/net", {"notes.txt": b"new"}, revision="refs/pr/1")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("FACEKIT_WEBHOOK_SECRET", "a secret")
    monkeypatch.setenv("GATE_LOG", str(tmp_path / "gate.log"))
    monkeypatch.setenv("GATE_SAYS", "# Better\n\n| a | table |\n")
    return hub


def server(tmp_path: Path, **options: Any) -> GateServer:
    program = tmp_path / "stand_in.py"
    program.write_text(STAND_IN)
    return GateServer(
        ["ada/net"],
        ["data/utkface", "data/celeba"],
        tmp_path / "gates",
        program=(sys.executable, str(program)),
        **options,
    )


def ran(tmp_path: Path) -> list[Any]:
    return [json.loads(line) for line in (tmp_path / "gate.log").read_text().splitlines()]


def comments(hub: LoopbackHub) -> list[str]:
    events = HfApi(endpoint=hub.url).get_discussion_details("ada/net", 1).events
    return [event.content for event in events if isinstance(event, DiscussionComment) and event.content]


def test_the_gate_s_table_becomes_a_comment(proposed: LoopbackHub, tmp_path: Path) -> None:
    gate = server(tmp_path)
    where = gate.judge(PULL)
    assert where and where.startswith(f"{proposed.url}/ada/net/discussions/1#")
    ((words, knows_secret),) = ran(tmp_path)
    assert words[:5] == ["gate", "--candidate", "ada/net@refs/pr/1", "--baseline", "default"]
    assert words[5:9] == ["--data", "data/utkface", "--data", "data/celeba"]
    assert not knows_secret
    commit = HfApi(endpoint=proposed.url).model_info("ada/net", revision="refs/pr/1").sha
    assert comments(proposed)[-1] == f"# Better\n\n| a | table |\n\nJudged at commit `{str(commit)[:12]}`.\n"
    kept = {path.name for path in (tmp_path / "gates" / "ada--net").iterdir()}
    assert kept == {f"1-{str(commit)[:12]}.md", f"1-{str(commit)[:12]}.json"}
    assert gate.judge(PULL) is None and len(ran(tmp_path)) == 1  # that commit has been judged
    proposed.put("ada/net", {"notes.txt": b"newer"}, revision="refs/pr/1")
    assert gate.judge(PULL) and len(ran(tmp_path)) == 2


def test_why_there_is_no_verdict_is_a_comment(
    proposed: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GATE_SAYS")
    server(tmp_path).judge(PULL)
    told = comments(proposed)[-1]
    assert "could not judge this:\n\n```text\nNo checkpoint 'x': ...\n```\n" in told
    assert TOKEN not in told and "warning" not in told
    assert not (tmp_path / "gates").exists()  # it may be tried again


def test_a_verdict_on_what_has_moved_is_not_posted(
    proposed: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = GateServer._run

    def slowly(gate: GateServer, *arguments: Any) -> str:
        said = judged(gate, *arguments)
        proposed.put("ada/net", {"notes.txt": b"newer"}, revision="refs/pr/1")
        return said

    monkeypatch.setattr(GateServer, "_run", slowly)
    before = comments(proposed)
    with pytest.raises(PushError, match="moved while it was judged"):
        server(tmp_path).judge(PULL)
    assert comments(proposed) == before


def test_a_gate_that_takes_too_long_is_ended(proposed: LoopbackHub, tmp_path: Path) -> None:
    gate = GateServer(
        ["ada/net"], [], tmp_path, seconds=0.5, program=(sys.executable, "-c", "import time; time.sleep(60)")
    )
    started = time.monotonic()
    gate.judge(PULL)
    assert time.monotonic() - started < 10
    assert "longer than 0 minutes" in comments(proposed)[-1]


def test_what_waits_does_not_wait_twice(tmp_path: Path) -> None:
    gate = server(tmp_path)
    opened, pushed = payload("discussion", **talk()), payload("repo.content", "update", **moved("refs/pr/1"))
    assert gate.receive(opened) == {"queued": ["ada/net@refs/pr/1"]}
    assert gate.receive(pushed) == {"queued": []}
    assert gate.receive(payload("discussion", **talk(2)))["queued"] == ["ada/net@refs/pr/2"]


def test_without_a_secret_or_a_token_nothing_is_served(
    hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in training.webhook.SECRETS:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(PushError, match="set FACEKIT_WEBHOOK_SECRET"):
        serve(server(tmp_path), block=False)
    monkeypatch.setenv("WEBHOOK_SECRET", "another")
    assert secret() == "another"
    with pytest.raises(PushError, match="Nobody is signed in"):
        serve(server(tmp_path), block=False)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [("ada/net", "is no pull request"), ("ada/net@main", "is no pull request"), ("ada/net@refs/pr/9", "status 404")],
)
def test_a_comment_goes_to_a_pull_request(address: str, sentence: str, proposed: LoopbackHub) -> None:
    with pytest.raises(PushError, match=sentence):
        post_comment(address, "Hello")


def test_a_link_is_an_address_too(proposed: LoopbackHub) -> None:
    post_comment(f"{proposed.url}/ada/net/discussions/1", "Hello")
    assert comments(proposed)[-1] == "Hello"


def tell(address: str, body: bytes, said: str | None) -> Any:
    """Post a message as the Hub does; what is answered."""
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    if said:
        request.add_header("X-Webhook-Secret", said)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return json.load(answer)


def test_the_hub_s_message_sets_off_the_gate(
    proposed: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/webhooks/gate"
    serve(server(tmp_path), host="127.0.0.1", port=port, block=False)
    try:
        body = payload("discussion", **talk()).model_dump_json().encode()
        for said, status in ((None, 401), ("wrong", 403)):
            with pytest.raises(urllib.error.HTTPError) as refusal:
                tell(address, body, said)
            assert refusal.value.code == status
        assert tell(address, body, "a secret") == {"queued": ["ada/net@refs/pr/1"]}
        late = time.monotonic() + 30
        while len(comments(proposed)) < 2 and time.monotonic() < late:
            time.sleep(0.2)
        assert comments(proposed)[-1].startswith("# Better")
        assert len(ran(tmp_path)) == 1
    finally:
        gradio.close_all()
    spoken = "".join(capfd.readouterr())
    assert TOKEN not in spoken and "a secret" not in spoken
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert written and not [text for text in written if TOKEN.encode() in text or b"a secret" in text]
    assert not [request for request in proposed.requests() if TOKEN in request.target]
