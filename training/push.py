"""Push a checkpoint to the Hugging Face Hub, or propose it there as a pull request."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from typing import Any, Final

from huggingface_hub import (
    CommitInfo,
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    ModelInfo,
    constants,
    get_token,
)
from huggingface_hub.errors import (
    HfHubHTTPError,
    RepositoryNotFoundError,
)

from facekit.checkpoints import read_config
from facekit.errors import HubUnreachable, PushError
from facekit.hub import Address, parse_address, reply_of
from facekit.shipped import CLASSIFIER, GENERATOR
from training.records import write_record
from training.staging import ENVIRONMENT_FILE, OURS, Source, find_records, find_source, stage

PUSHED_FILE: Final = "pushed.json"
"""In the folder of a run: where it was pushed last."""

_PAUSES: Final = (1.0, 4.0)  # seconds, before the second and the third try of an upload
_TITLE: Final = 100


@dataclass(frozen=True)
class Pushed:
    """What a push has made.

    Attributes:
        repository: `user/name`.
        commit: the new one.
        parent: the head of the main branch that it was put on.
        pull_request: its number, if it is one.
        url: where to look at it.
    """

    repository: str
    commit: str
    parent: str
    pull_request: int | None
    url: str

    @property
    def address(self) -> Address:
        """Where it is loaded from."""
        number = self.pull_request
        return Address(self.repository, None if number is None else f"refs/pr/{number}")


def push(
    run: Path,
    repository: str,
    *,
    pull_request: bool = False,
    private: bool = False,
    message: str | None = None,
    records: Sequence[Path] = (),
    rebase: bool = False,
) -> Pushed:
    """Push a checkpoint as one commit, and write `pushed.json` into the run's folder.

    Sent is what `staging.stage` puts together, as far as the repository does not have it; what it has of another
    checkpoint's records, figures and log goes. Of an interrupted upload, files that have arrived are not sent again.

    Args:
        run: a run, or a checkpoint's folder; see `staging.find_source`.
        repository: `user/name`; made if it does not exist.
        pull_request: propose it, instead of changing the main branch.
        private: make the repository a private one.
        message: title of the commit; what the checkpoint says it is if none.
        records: its evaluation records; see `staging.find_records`.
        rebase: put it on the present head although that has moved since the last push, or since the training began
            with a checkpoint of the repository.

    Raises:
        PushError: nobody is signed in, the token may not, nothing is new, or the repository has moved.
        HubUnreachable: the Hub did not answer.
        CheckpointError, DataError, TrainingError: as `stage`.
    """
    token = own_token()
    address = parse_address(repository)
    if address is None or address.revision is not None:
        raise PushError(f"{repository!r} is no repository on the Hub: write it as user/name.")
    source = find_source(run)
    before = _read_pushed(source, address.repository)
    with TemporaryDirectory(prefix="facekit-push-") as scratch:
        part = Path(scratch) / "staged"
        part.mkdir()
        description = stage(source, part, address.repository, records)
        target = _Target(address.repository, HfApi(endpoint=constants.ENDPOINT, token=token), pull_request)
        target.sign_in()
        head = target.open(private)
        changes = _changes(part, head)
        target.check_new(part, changes, head, before)
        parent = str(head.sha)
        expected = _expected(before) if before else _started_from(source, address.repository)
        if not rebase and expected not in (None, parent):
            raise target.moved(str(expected), parent)
        title = _shortened(message or description or f"Push {source.name}")
        made = target.commit(_operations(part, changes), title, "" if title == description else description, parent)
        pushed = Pushed(address.repository, made.oid, parent, made.pr_num, made.pr_url or made.commit_url)
        try:
            write_record(source.home / PUSHED_FILE, asdict(pushed))
        except OSError as error:
            raise PushError(f"It is at {pushed.url}, but {PUSHED_FILE} could not be written ({error}).") from None
        target.check_whole(part, pushed.commit)
    return pushed


def tried_by(pushed: Pushed, run: Path, records: Sequence[Path] = ()) -> str:
    """How to try, and to judge, what was pushed with `records`: lines for a terminal."""
    address, source = pushed.address, find_source(run)
    name = "FaceGenerator" if source.kind is GENERATOR else "FaceAnalyzer"
    lines = [f"On the page:  ?checkpoint={address}", f'In Python:    {name}.from_pretrained("{address}")']
    if source.kind is CLASSIFIER:
        lines.append(f"The gate:     python -m training gate --candidate {address} --baseline default --data ...")
        if not find_records(source, records) and not read_config(source.folder).metrics:
            where = source.home / "evaluation" / "DATA.json"
            lines.append(
                "Its card has no figures: measure it, and push again.\n"
                f"              python -m training evaluate --checkpoint {source.folder} --data DATA --json {where}"
            )
    return "\n".join(lines)


def own_token() -> str:
    """The token of who is signed in.

    Raises:
        PushError: nobody is.
    """
    token = get_token()
    if token is None:
        raise PushError("Nobody is signed in to the Hub: run `hf auth login` first, or set HF_TOKEN.")
    return token


def refusal(error: HfHubHTTPError, token: str | None) -> PushError:
    """What the Hub says against it, as one sentence without the token."""
    status = error.response.status_code
    if status == 401:
        return PushError("The Hub does not know your token: run `hf auth login` again, or mend HF_TOKEN.")
    return PushError(f"The Hub refused (status {status}: {_said(error, token)}).")


def _said(error: HfHubHTTPError, token: str | None) -> str:
    said = " ".join((error.server_message or "no reason given").split())
    return (said.replace(token, "...") if token else said)[:200].rstrip(".")


@dataclass
class _Target:
    """A repository as somebody who is signed in may change it."""

    repository: str
    api: HfApi
    pull_request: bool
    user: str = ""
    spaces: tuple[str, ...] = ()

    @property
    def token(self) -> str:
        return str(self.api.token)

    def sign_in(self) -> None:
        """Ask who the token belongs to, and whether it may write anything at all."""
        try:
            who: dict[str, Any] = reply_of(self.api.whoami)
        except HfHubHTTPError as error:
            raise refusal(error, self.token) from None
        self.user = str(who.get("name"))
        self.spaces = (self.user, *(str(space.get("name")) for space in who.get("orgs", ())))
        role = ((who.get("auth") or {}).get("accessToken") or {}).get("role")
        if role == "read":
            what = "open pull requests" if self.pull_request else "write"
            raise PushError(
                f"The token of {self.user} may only read: make one that may {what} at "
                f"{constants.ENDPOINT}/settings/tokens, then run `hf auth login`."
            )

    def open(self, private: bool) -> ModelInfo:
        """The head of the main branch with its files; the repository is made if it is missing."""
        try:
            head = self._listing()
        except RepositoryNotFoundError:
            self._create(private)
            return self._listing()
        if private and not head.private:
            raise PushError(
                f"{self.repository} is there and public: make it private on the Hub, or leave out --private."
            )
        return head

    def _listing(self, revision: str = "main") -> ModelInfo:
        try:
            return reply_of(lambda: self.api.model_info(self.repository, revision=revision, files_metadata=True))
        except RepositoryNotFoundError:
            raise
        except HfHubHTTPError as error:
            raise self._refused(error) from None

    def _create(self, private: bool) -> None:
        space = self.repository.partition("/")[0]
        refused = PushError(
            f"There is no repository {self.repository} that {self.user} may see, and {self.user} may not make one in "
            f"{space}: check the name."
        )
        if space not in self.spaces:
            raise refused
        try:
            reply_of(lambda: self.api.create_repo(self.repository, private=private or None, exist_ok=True))
        except HfHubHTTPError as error:
            raise (refused if error.response.status_code == 403 else self._refused(error)) from None

    def check_new(self, part: Path, changes: Sequence[str], head: ModelInfo, before: Mapping[str, Any] | None) -> None:
        """Refuse what is there already: on the main branch, or in the pull request of the last push."""
        if not _matters(changes):
            raise PushError(f"Nothing new: {self.repository} holds all of it at commit {str(head.sha)[:12]}.")
        number = before["pull_request"] if before and self.pull_request else None
        if number is None:
            return
        try:
            if reply_of(lambda: self.api.get_discussion_details(self.repository, number)).status not in (
                "open",
                "draft",
            ):
                return
            same = not _matters(_changes(part, self._listing(f"refs/pr/{number}")))
        except (HfHubHTTPError, PushError):
            return  # it is gone
        if same:
            raise PushError(f"Nothing new: pull request {number} of {self.repository} holds all of it.")

    def moved(self, expected: str, head: str) -> PushError:
        """What to say of a head that is not the one that was expected."""
        return PushError(
            f"The main branch of {self.repository} has moved from {expected[:12]} to {head[:12]}: look at what "
            "changed, then add --rebase to put the push onto its new head."
        )

    def commit(
        self,
        operations: Sequence[CommitOperationAdd | CommitOperationDelete],
        title: str,
        description: str,
        parent: str,
    ) -> CommitInfo:
        """Upload large files, then commit everything at once."""
        self._upload([operation for operation in operations if isinstance(operation, CommitOperationAdd)])
        try:
            return self.api.create_commit(
                self.repository,
                operations,
                commit_message=title,
                commit_description=description,
                create_pr=self.pull_request,
                parent_commit=parent,
            )
        except HfHubHTTPError as error:
            if error.response.status_code == 412:
                raise self.moved(parent, str(self._listing().sha)) from None
            raise self._refused(error) from None
        except ValueError as error:  # a card that it does not take
            raise PushError(f"The Hub does not take it: {' '.join(str(error).split())[:200]}") from None
        except Exception as error:
            raise HubUnreachable(
                f"The connection was lost while the commit was made ({type(error).__name__}): see whether it is at "
                f"{constants.ENDPOINT}/{self.repository}, else run the same again; what was uploaded stays."
            ) from None

    def _upload(self, additions: list[CommitOperationAdd]) -> None:
        """Send what goes to the large-file storage and is not there yet; on a cut connection again, three times."""
        for pause in (*_PAUSES, None):
            try:
                self.api.preupload_lfs_files(self.repository, additions, create_pr=self.pull_request, free_memory=False)
                return
            except Exception as error:
                cause = error.__cause__ if isinstance(error.__cause__, HfHubHTTPError) else error
                if isinstance(cause, HfHubHTTPError) and cause.response.status_code < 500:
                    raise self._refused(cause) from None
                if pause is None:
                    raise HubUnreachable(
                        f"The upload to {self.repository} was cut {len(_PAUSES) + 1} times: run the same again, what "
                        "has arrived is not sent twice."
                    ) from None
                sleep(pause)

    def check_whole(self, part: Path, commit: str) -> None:
        """A repository's .gitignore can leave files out of a commit without a word."""
        try:
            left = _matters(_changes(part, self._listing(commit)))
        except (HubUnreachable, PushError, HfHubHTTPError):
            return  # the commit was made, as the Hub has said
        if left:
            raise PushError(f"Commit {commit[:12]} of {self.repository} lacks {left[0]}: see its .gitignore.")

    def _refused(self, error: HfHubHTTPError) -> PushError:
        if error.response.status_code != 403:
            return refusal(error, self.token)
        said = _said(error, self.token)
        if self.pull_request:
            return PushError(
                f"The token of {self.user} may not open pull requests in {self.repository} ({said}): make one that may "
                f"at {constants.ENDPOINT}/settings/tokens, then run `hf auth login`."
            )
        return PushError(
            f"The token of {self.user} may not write to {self.repository} ({said}): propose it with --pr instead."
        )


def _changes(part: Path, listing: ModelInfo) -> list[str]:
    """Files of the folder that a listing lacks or has otherwise, and those of `OURS` that only the listing has."""
    there = {
        one.rfilename: one.lfs.sha256 if one.lfs else one.blob_id  # as git and its large-file storage name contents
        for one in listing.siblings or ()
    }
    here = {path.relative_to(part).as_posix(): path for path in sorted(part.rglob("*")) if path.is_file()}
    new = [file for file, path in here.items() if there.get(file) not in _names(path.read_bytes())]
    return [*new, *(file for file in there if file not in here and OURS.fullmatch(file))]


def _names(data: bytes) -> tuple[str, str]:
    return hashlib.sha256(data).hexdigest(), hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _matters(changes: Sequence[str]) -> list[str]:
    """Those that make a push worth it: on what it was pushed from does not."""
    return [file for file in changes if file != ENVIRONMENT_FILE]


def _operations(part: Path, changes: Sequence[str]) -> list[CommitOperationAdd | CommitOperationDelete]:
    return [
        CommitOperationAdd(file, part / file) if (part / file).is_file() else CommitOperationDelete(file)
        for file in changes
    ]


def _read_pushed(source: Source, repository: str) -> dict[str, Any] | None:
    """What the last push of this run to this repository made."""
    path = source.home / PUSHED_FILE
    if not path.is_file():
        return None
    try:
        before = asdict(Pushed(**json.loads(path.read_text(encoding="utf-8"))))
    except (ValueError, TypeError):
        raise PushError(f"{path} is damaged: delete it, and the push begins anew.") from None
    return before if before["repository"] == repository else None


def _started_from(source: Source, repository: str) -> str | None:
    """The commit of the repository that the weights were trained on from, where the checkpoint says one."""
    if source.kind is GENERATOR:
        return None
    training = read_config(source.folder).training
    parents = [part.get("parent") or {} for part in training.get("members") or [training]]
    return next((str(one["commit"]) for one in parents if one.get("repository") == repository), None)


def _expected(before: Mapping[str, Any]) -> str:
    """Where the main branch was left by the last push; a pull request does not move it."""
    return str(before["commit"] if before["pull_request"] is None else before["parent"])


def _shortened(text: str) -> str:
    """One line, not too long for a title."""
    line = " ".join(text.split())
    return line if len(line) <= _TITLE else f"{line[: _TITLE - 3].rstrip()}..."
