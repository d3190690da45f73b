"""What the loopback Hub holds, in memory: users, and repositories with their commits, refs and discussions."""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatch
from functools import cached_property
from typing import Any, Final

import yaml

LARGE: Final = (
    ".bin",
    ".ckpt",
    ".h5",
    ".npy",
    ".npz",
    ".onnx",
    ".pickle",
    ".pkl",
    ".pt",
    ".pth",
    ".safetensors",
    ".zip",
)
"""Suffixes of the files that go through LFS."""


class Refusal(Exception):
    """An answer that is no success; the client picks its exception by `code`, sent as X-Error-Code."""

    def __init__(
        self, status: int, message: str, code: str = "", headers: dict[str, str] | None = None, **body: object
    ):
        self.status, self.body = status, {"error": message, **body}
        self.headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {}), **(headers or {})}


def now() -> str:
    """The time in the one format that the client reads."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class User:
    """Somebody with a token; `spaces` are the owners whose repositories are theirs: they and their organisations."""

    name: str
    write: bool
    spaces: tuple[str, ...]


@dataclass(frozen=True)
class File:
    """A file of one commit; a large one is stored in LFS and leaves a pointer in git."""

    content: bytes
    large: bool

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def pointer(self) -> bytes:
        """What git itself stores."""
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.content)}\n"
        return text.encode() if self.large else self.content

    @cached_property
    def blob(self) -> str:
        """The sha1 under which git stores it."""
        return hashlib.sha1(b"blob %d\0" % len(self.pointer) + self.pointer).hexdigest()

    @property
    def oid(self) -> str:
        """What the client compares with its own file, and names it by in its cache."""
        return self.sha256 if self.large else self.blob

    def lfs(self, key: str) -> dict[str, Any]:
        """What a listing says about a large file; its sha256 has another key in every listing."""
        told = {key: self.sha256, "size": len(self.content), "pointerSize": len(self.pointer)}
        return {"lfs": told} if self.large else {}


def is_large(path: str, size: int, sample: bytes) -> bool:
    """Whether a file goes through LFS: by its suffix, its size, or because it is no text."""
    return size > 0 and (path.endswith(LARGE) or size > 10 * 2**20 or b"\0" in sample)


def is_ignored(path: str, patterns: str) -> bool:
    """Whether a .gitignore with only plain patterns leaves out `path`."""
    lines = [line.strip().strip("/") for line in patterns.splitlines() if line.strip() and not line.startswith("#")]
    parts = path.split("/")
    return any(fnmatch(part, line) for line in lines for part in (path, *parts))


def upload_mode(file: dict[str, Any], present: File | None, ignored: str) -> dict[str, Any]:
    """What the client is to do with one file that it wants to push."""
    path, sample = file["path"], base64.b64decode(file["sample"])
    mode = "lfs" if is_large(path, file["size"], sample) else "regular"
    oid = {"oid": present.oid} if present else {}
    return {"path": path, "uploadMode": mode, "shouldIgnore": is_ignored(path, ignored), **oid}


@dataclass(frozen=True)
class Commit:
    """One state of all files."""

    sha: str
    parent: str | None
    files: Mapping[str, File]
    title: str
    message: str
    author: str
    date: str = field(default_factory=now)

    @cached_property
    def card(self) -> dict[str, Any]:
        """The metadata at the head of README.md."""
        readme = self.files["README.md"].content.decode(errors="replace") if "README.md" in self.files else ""
        try:
            return metadata(readme)
        except ValueError:
            return {}

    def listed(self, path: str) -> dict[str, Any] | None:
        """One file or folder, as `RepoFile` and `RepoFolder` read it; `None` if it is neither."""
        if file := self.files.get(path):
            return {"type": "file", "path": path, "oid": file.blob, "size": len(file.content), **file.lfs("oid")}
        inside = sorted((name, file.oid) for name, file in self.files.items() if name.startswith(f"{path}/"))
        tree = hashlib.sha1(repr(inside).encode()).hexdigest()
        return {"type": "directory", "path": path, "oid": tree, "size": 0} if inside else None


def metadata(readme: str) -> dict[str, Any]:
    """The YAML at the head of a card.

    Raises:
        ValueError: it is not a mapping in YAML.
    """
    head = re.match(r"---\s*\n(.*?)^---\s*$", readme, re.DOTALL | re.MULTILINE)
    try:
        read = (yaml.safe_load(head[1]) or {}) if head else {}
    except yaml.YAMLError as error:
        raise ValueError(f"the metadata is not YAML: {error}") from None
    if not isinstance(read, dict):
        raise ValueError("the metadata is not a mapping")
    return read


@dataclass
class Discussion:
    """A discussion, or a pull request when `base`, the commit it starts from, is there."""

    num: int
    title: str
    author: str
    status: str
    base: str | None
    created: str = field(default_factory=now)
    events: list[dict[str, Any]] = field(default_factory=list)
    merged: str | None = None

    def fits(self, type: str, status: str, author: str) -> bool:
        """Whether it belongs to a list that was asked for by these."""
        kind = "pull_request" if self.base else "discussion"
        state = "closed" if self.status in ("closed", "merged") else "open"
        return type in ("all", kind) and status in ("all", state) and author in ("", self.author)

    def add(self, type: str, author: str, **data: object) -> dict[str, Any]:
        """Append an event and return it as the client reads it."""
        event = {
            "id": secrets.token_hex(12),
            "type": type,
            "createdAt": now(),
            "author": {"name": author},
            "data": data,
        }
        self.events.append(event)
        return event

    def comment(self, author: str, text: str) -> dict[str, Any]:
        """Append a comment and return it as the client reads it."""
        latest = {"raw": text, "html": "", "updatedAt": now(), "author": {"name": author}}
        return self.add("comment", author, edited=False, hidden=False, latest=latest, history=[])


class Repository:
    """A model repository: commits by sha, and refs by their full names (refs/heads/main, refs/tags/v1, refs/pr/1)."""

    def __init__(self, id: str, author: str, private: bool) -> None:
        self.id, self.private, self.created = id, private, now()
        self.commits: dict[str, Commit] = {}
        self.refs: dict[str, str | None] = {"refs/heads/main": None}
        self.discussions: list[Discussion] = []
        attributes = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LARGE).encode()
        self.commit("main", {".gitattributes": File(attributes, large=False)}, "initial commit", "", author)

    @property
    def owner(self) -> str:
        return self.id.partition("/")[0]

    def ref(self, revision: str) -> str:
        """The full name of a branch or pull request, which can be committed to.

        Raises:
            Refusal: there is none.
        """
        name = revision if revision.startswith("refs/") else f"refs/heads/{revision}"
        if name not in self.refs or name.startswith("refs/tags/"):
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return name

    def resolve(self, revision: str) -> Commit:
        """The commit that a branch, tag, pull request or (shortened) sha means.

        Raises:
            Refusal: it means none.
        """
        for name in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            if sha := self.refs.get(name):
                return self.commits[sha]
        found = [commit for sha, commit in self.commits.items() if len(revision) >= 7 and sha.startswith(revision)]
        if len(found) != 1:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return found[0]

    def commit(
        self, revision: str, changes: Mapping[str, File | None], title: str, message: str, author: str
    ) -> Commit:
        """Put files (`None` deletes) on top of a branch or pull request; without a change there is no new commit."""
        ref = self.ref(revision)
        parent = self.refs[ref]
        before = self.commits[parent].files if parent else {}
        files = {path: file for path, file in {**before, **changes}.items() if file is not None}
        if parent and files == before:
            return self.commits[parent]
        seed = f"{len(self.commits)} {parent} {title} {author} {now()} {secrets.token_hex(4)}"
        commit = Commit(hashlib.sha1(seed.encode()).hexdigest(), parent, files, title, message, author)
        self.commits[commit.sha] = commit
        self.refs[ref] = commit.sha
        return commit

    def history(self, commit: Commit) -> list[Commit]:
        """A commit and those before it, the newest first."""
        found = [commit]
        while parent := found[-1].parent:
            found.append(self.commits[parent])
        return found

    def discussion(self, num: int) -> Discussion:
        """A discussion by its number, which counts from 1."""
        if not 1 <= num <= len(self.discussions):
            raise Refusal(404, "Discussion not found", "DiscussionNotFound")
        return self.discussions[num - 1]

    def discuss(self, title: str, author: str, status: str, pull_request: bool) -> Discussion:
        """Open a discussion, or a pull request from the present head of main."""
        base = self.refs["refs/heads/main"] if pull_request else None
        opened = Discussion(len(self.discussions) + 1, title, author, status, base)
        self.discussions.append(opened)
        if pull_request:
            self.refs[f"refs/pr/{opened.num}"] = base
        return opened

    def proposed(self, opened: Discussion) -> tuple[dict[str, File | None], list[str]]:
        """What a pull request changes, and which of it main has changed differently since (the conflicts)."""
        base = self.commits[opened.base or ""].files
        head, main = self.resolve(f"refs/pr/{opened.num}").files, self.resolve("main").files
        changes = {path: head.get(path) for path in base.keys() | head.keys() if base.get(path) != head.get(path)}
        conflicts = [path for path in changes if main.get(path) not in (base.get(path), changes[path])]
        return changes, sorted(conflicts)

    def merge(self, opened: Discussion, author: str) -> None:
        """Bring a pull request into main.

        Raises:
            Refusal: it is not open, or conflicts with main.
        """
        if opened.base is None or opened.status != "open":
            raise Refusal(400, f"This cannot be merged: it is {opened.status}")
        changes, conflicts = self.proposed(opened)
        if conflicts:
            raise Refusal(409, f"This cannot be merged: {', '.join(conflicts)} changed on main, too")
        merged = self.commit("main", changes, f"{opened.title} (#{opened.num})", "", author)
        opened.status, opened.merged = "merged", merged.sha
        opened.add("status-change", author, status="merged")

    # What the client reads

    def described(self, commit: Commit, blobs: bool = False) -> dict[str, Any]:
        """The repository at a commit, as `ModelInfo` reads it."""
        card = {key: value for key, value in commit.card.items() if key != "model-index"}
        named = {key: card.get(key) for key in ("library_name", "pipeline_tag")}
        siblings: list[dict[str, Any]] = [{"rfilename": path} for path in commit.files]
        for sibling, file in zip(siblings, commit.files.values(), strict=True):
            sibling |= {"size": len(file.content), "blobId": file.blob, **file.lfs("sha256")} if blobs else {}
        return {
            "id": self.id,
            "author": self.owner,
            "sha": commit.sha,
            "private": self.private,
            "createdAt": self.created,
            "lastModified": commit.date,
            "tags": [*(card.get("tags") or []), *filter(None, named.values())],
            "cardData": card,
            "model-index": commit.card.get("model-index"),
            "siblings": siblings,
            **named,
        }

    def outlined(self, one: Discussion) -> dict[str, Any]:
        """A discussion in a list."""
        of = {"repo": {"name": self.id, "type": "model"}, "author": {"name": one.author}, "createdAt": one.created}
        return {"num": one.num, "title": one.title, "status": one.status, "isPullRequest": bool(one.base), **of}

    def detailed(self, one: Discussion) -> dict[str, Any]:
        """A discussion with its events."""
        pull: dict[str, Any] = {}
        if one.base:
            conflicts = [] if one.merged else self.proposed(one)[1]
            pull = {
                "changes": {"base": "refs/heads/main", "mergeCommitId": one.merged},
                "filesWithConflicts": conflicts,
            }
        return {**self.outlined(one), "events": one.events, **pull}
