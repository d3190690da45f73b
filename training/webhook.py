"""A server that the Hub tells of pull requests: it runs the gate on them, one at a time, and comments what it found."""

import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory
from threading import Lock, Thread
from typing import Final

from huggingface_hub import HfApi, WebhookPayload, constants, get_token
from huggingface_hub.errors import HfHubHTTPError

from facekit.errors import FacekitError, PushError
from facekit.hub import Address, parse_address, reply_of
from training.push import own_token, refusal
from training.records import write_bytes

SECRETS: Final = ("FACEKIT_WEBHOOK_SECRET", "WEBHOOK_SECRET")
"""Environment variables that may hold what the Hub has to say in `X-Webhook-Secret`; the first one counts."""

PATH: Final = "/gate"
"""Below `/webhooks` of the server."""

_PULL: Final = re.compile(r"refs/pr/(\d+)")
_MOST: Final = 60_000  # characters of a comment
_TOLD: Final = 500  # characters of an error in a comment


def post_comment(address: Address | str, markdown: str) -> str:
    """Comment on a pull request as who is signed in.

    Args:
        address: `user/name@refs/pr/3`, or the link of the pull request.

    Returns:
        Where to read it.

    Raises:
        PushError: it is no pull request, nobody is signed in, or the token may not comment.
        HubUnreachable: the Hub did not answer.
    """
    found = parse_address(address) if isinstance(address, str) else address
    pull = _PULL.fullmatch(found.revision or "") if found else None
    if found is None or pull is None:
        raise PushError(f"{address} is no pull request: write it as user/name@refs/pr/3.")
    token, number = own_token(), int(pull[1])
    api = HfApi(endpoint=constants.ENDPOINT, token=token)
    try:
        made = reply_of(lambda: api.comment_discussion(found.repository, number, markdown[:_MOST]))
    except HfHubHTTPError as error:
        raise refusal(error, token) from None
    return f"{constants.ENDPOINT}/{found.repository}/discussions/{number}#{made.id}"


def pull_requests(payload: WebhookPayload, repositories: Sequence[str]) -> list[Address]:
    """The pull requests of some model repositories that a message says are new, open again, or changed.

    A new comment is none of these, or the gate's own would set it off.
    """
    repo, event = payload.repo, payload.event
    if repo.type != "model" or repo.name not in repositories or event.action not in ("create", "update"):
        return []
    if event.scope == "discussion" and (talk := payload.discussion):
        is_open = talk.isPullRequest and talk.status in ("open", "draft")
        return [Address(repo.name, f"refs/pr/{talk.num}")] if is_open else []
    if event.scope.startswith("repo.content"):
        changed = [one.ref for one in payload.updatedRefs or () if one.newSha and _PULL.fullmatch(one.ref)]
        return [Address(repo.name, ref) for ref in changed]
    return []


@dataclass
class GateServer:
    """Runs the gate on the pull requests that it is told of, and comments on them.

    Attributes:
        repositories: those it answers for, `user/name`.
        data: test sets, as the gate takes them.
        reports: a folder for the reports, `user--name/3-<commit>.{md,json}`; a commit whose report is there has been
            judged.
        baseline: what candidates are compared with.
        seconds: the longest that one gate may take.
        program: the command line in front of `gate`.
    """

    repositories: Sequence[str]
    data: Sequence[Path | str]
    reports: Path
    baseline: str = "default"
    seconds: float = 2 * 3600.0
    program: Sequence[str] = (sys.executable, "-m", "training")
    _queue: Queue[Address] = field(default_factory=Queue, init=False)
    _waiting: set[Address] = field(default_factory=set, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def receive(self, payload: WebhookPayload) -> dict[str, list[str]]:
        """Queue what a message of the Hub asks for; what waits already does not wait twice."""
        with self._lock:
            new = [one for one in pull_requests(payload, self.repositories) if one not in self._waiting]
            self._waiting.update(new)
        for address in new:
            self._queue.put(address)
        return {"queued": [str(address) for address in new]}

    def start(self) -> None:
        """Judge in the background from now on, until the process ends."""
        Thread(target=self._work, name="gate", daemon=True).start()

    def _work(self) -> None:
        while True:
            address = self._queue.get()
            with self._lock:
                self._waiting.discard(address)  # told of once more while it is judged, it is judged once more
            try:
                told = self.judge(address) or "judged already"
            except FacekitError as error:
                told = str(error)
            except Exception as error:  # of whatever kind: the next pull request waits
                told = f"{type(error).__name__}: {error}"
            print(f"{address}: {told}", file=sys.stderr, flush=True)

    def judge(self, address: Address) -> str | None:
        """Run the gate on a pull request and comment on it.

        Returns:
            Where the comment is; `None` if its present commit has been judged before.

        Raises:
            PushError: as `post_comment`, or the pull request has moved meanwhile.
            HubUnreachable: as `post_comment`.
        """
        commit = _head(address)
        kept = self.reports / address.repository.replace("/", "--") / f"{str(address.revision)[8:]}-{commit[:12]}.md"
        if kept.exists():
            return None
        with TemporaryDirectory(prefix="facekit-gate-") as scratch:
            report, record = Path(scratch) / "gate.md", Path(scratch) / "gate.json"
            error = self._run(address, report, record)
            if _head(address) != commit:
                raise PushError("It has moved while it was judged: the Hub tells of that, too.")
            told = report.read_text(encoding="utf-8") if report.is_file() else _failed(error)
            where = post_comment(address, f"{told.rstrip()}\n\nJudged at commit `{commit[:12]}`.\n")
            if report.is_file():  # what could not be judged may be tried again
                write_bytes(kept.with_suffix(".json"), record.read_bytes())
                write_bytes(kept, report.read_bytes())
        return where

    def _run(self, address: Address, report: Path, record: Path) -> str:
        """Run the gate in a process of its own, with what it starts; what it says on stderr."""
        words = ["--candidate", str(address), "--baseline", self.baseline]
        words += [word for path in self.data for word in ("--data", str(path))]
        words += ["--markdown", str(report), "--json", str(record)]
        process = subprocess.Popen(
            [*self.program, "gate", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={key: value for key, value in os.environ.items() if key not in SECRETS},
            start_new_session=True,
        )
        try:
            return process.communicate(timeout=self.seconds)[1]
        except subprocess.TimeoutExpired:
            return f"It took longer than {self.seconds / 60:.0f} minutes."
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


def _head(address: Address) -> str:
    """The commit that a pull request is at."""
    token = own_token()
    api = HfApi(endpoint=constants.ENDPOINT, token=token)
    try:
        return str(reply_of(lambda: api.model_info(address.repository, revision=address.revision)).sha)
    except HfHubHTTPError as error:
        raise refusal(error, token) from None


def _failed(error: str) -> str:
    """A comment that says why there is no verdict; what the error holds of the candidate is shown as it is."""
    lines = [line for line in error.splitlines() if line.strip()]
    told = (lines[-1] if lines else "It gave no reason.").replace(get_token() or "\0", "...")
    return f"The gate could not judge this:\n\n```text\n{told[:_TOLD].replace('`', chr(39))}\n```\n"


def secret() -> str:
    """What the Hub has to say so that it is believed.

    Raises:
        PushError: there is none.
    """
    found = next((value for name in SECRETS if (value := os.environ.get(name, "").strip())), None)
    if found is None:
        raise PushError(f"Anybody could set off the gate: set {SECRETS[0]} to the secret of the webhook on the Hub.")
    return found


def serve(gate: GateServer, *, host: str | None = None, port: int | None = None, block: bool = True) -> None:
    """Answer the Hub's webhook at `/webhooks/gate`, until interrupted.

    Args:
        host, port: where to listen; Gradio's own choice if none.
        block: stay here.

    Raises:
        PushError: there is no secret, or nobody is signed in to comment.
    """
    from huggingface_hub import WebhooksServer

    known = secret()
    own_token()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says of itself that it is experimental
        server = WebhooksServer(webhook_secret=known)
    server.add_webhook(PATH)(gate.receive)
    gate.start()
    server.launch(prevent_thread_lock=not block, server_name=host, server_port=port, share=False)
