"""A Hugging Face Hub on loopback that the unmodified huggingface_hub client talks to, good and bad days included.

The server runs in a process of its own, holds everything in memory and dies with the test. Models only, no Xet.

    with LoopbackHub() as hub:
        hub.add_user("ada", "hf_secret")
        api = HfApi(endpoint=hub.url, token="hf_secret")
        api.create_repo("ada/net")
"""

import base64
import json
import os
import select
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import pytest

__all__ = ["LoopbackHub", "Request"]

ROOT = Path(__file__).parents[2]


@dataclass
class Request:
    """One request that the Hub got, in the order of their arrival.

    Attributes:
        method: GET, HEAD, ...
        path: as sent, quoted, without the query.
        target: the path with the query, as sent: the place where a token must never be.
        host: the Host header; LFS files lie on another host name than the rest.
        authorized: whether there was an Authorization header.
        status: of the answer; `None` while there is none.
        received: bytes of the request's body.
        sent: bytes of the answer's body.
        cut: whether the connection was cut, see `LoopbackHub.cut`.
    """

    method: str
    path: str
    target: str
    host: str
    authorized: bool
    status: int | None = None
    received: int = 0
    sent: int = 0
    cut: bool = False


class LoopbackHub:
    """A Hub at `url`, started on entering the context and gone on leaving it, however that happens."""

    url: str

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.loopback_hub", "--until-eof"]
        pipe = subprocess.PIPE  # the server ends when ours closes, even if this process is killed
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe)
        out = self._process.stdout
        assert out is not None
        ready, _, _ = select.select([out], [], [], 60)
        self.url = out.readline().decode().strip() if ready else ""
        if not self.url:
            self.stop()
            raise RuntimeError("the loopback Hub did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server: from now on its address refuses connections."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    # What is on it

    def add_user(self, name: str, token: str, *, write: bool = True, organisations: Sequence[str] = ()) -> None:
        """Add a user, or a further token of one. Without `write` the token only reads."""
        self._ask("add_user", name=name, token=token, write=write, organisations=list(organisations))

    def put(
        self,
        repository: str,
        files: Mapping[str, bytes | None],
        *,
        revision: str = "main",
        private: bool = False,
        message: str = "Put files",
    ) -> str:
        """Commit files without the client, under any name whatsoever, to a repository that is made if need be.

        Args:
            files: contents by path; `None` deletes.
            revision: a branch (made from main if need be) or an existing refs/pr/N.
            private: of a repository that is made; one that is there stays what it is.

        Returns:
            The sha of the commit.
        """
        encoded = {path: None if data is None else _encoded(data) for path, data in files.items()}
        made = self._ask(
            "put", repository=repository, files=encoded, revision=revision, private=private, message=message
        )
        return str(made)

    def files(self, repository: str, revision: str = "main") -> dict[str, bytes]:
        """What a repository holds, read without the client."""
        held: dict[str, str] = self._ask("files", repository=repository, revision=revision)
        return {path: base64.b64decode(data) for path, data in held.items()}

    def collect(self, slug: str, repositories: Sequence[str], *, title: str = "A collection") -> None:
        """Make a collection; `slug` is owner/name, as in the address."""
        self._ask("collect", slug=slug, items=list(repositories), title=title)

    def reset(self) -> None:
        """Forget everything: users, repositories, misbehaviour and requests."""
        self._ask("reset")

    # How it misbehaves

    def slow(self, seconds_per_chunk: float) -> None:
        """Wait before each 64 KiB of every body, in both directions."""
        self._ask("slow", seconds=seconds_per_chunk)

    def cut(self, after_bytes: int, *, path: str = "", times: int = 1) -> None:
        """Cut connections in the middle of a body, sent or received, that is longer than `after_bytes`.

        Args:
            path: a regular expression that is searched for in "METHOD /path": "GET .*model.safetensors" is a
                download, "PUT /storage/" an upload of any LFS file.
            times: how many connections.
        """
        self._ask("trouble", after=after_bytes, path=path, times=times)

    def fail(self, status: int, *, path: str = "", times: int = 1) -> None:
        """Answer the next requests with an error; `path` as in `cut`."""
        self._ask("trouble", status=status, path=path, times=times)

    def silent(self) -> None:
        """Accept connections and never answer, until `behave`."""
        self._ask("silent", silent=True)

    def endless(self, repository: str, file: str, *, size: int = 1000, announced: bool = True) -> None:
        """Add a file that the listing gives `size` bytes, and that never ends when it is downloaded.

        The body has no Content-Length. After 256 MiB it does end, lest a client that takes it all fills the disk.

        Args:
            announced: whether HEAD tells the size; otherwise it tells none.
        """
        self._ask("endless", repository=repository, file=file, size=size, announced=announced)

    def behave(self) -> None:
        """End all misbehaviour, except that endless files stay what they are."""
        self._ask("behave")

    # What was asked

    def requests(self) -> list[Request]:
        """Everything that was asked so far."""
        return [Request(**entry) for entry in self._ask("requests")]

    def forget(self) -> None:
        """Start a new list of requests."""
        self._ask("forget")

    def _ask(self, action: str, **arguments: Any) -> Any:
        request = urllib.request.Request(f"{self.url}/.loopback/{action}", json.dumps(arguments).encode())
        request.add_header("Content-Type", "application/json")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            return json.load(answer)["answer"]

    # How to get there

    def environment(self, *, home: Path, token: str | None = None) -> dict[str, str]:
        """This process's environment with the client turned to this Hub; nobody is signed in without `token`.

        Args:
            home: an empty folder for the cache and the token.
        """
        ours = ("HF_", "HUGGING", "TRANSFORMERS_OFFLINE")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        signed_in = {"HF_TOKEN": token} if token else {}
        plain = dict.fromkeys(("HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_UPDATE_CHECK"), "1")
        direct = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        return kept | signed_in | plain | direct | {"HF_ENDPOINT": self.url, "HF_HOME": str(home)}

    def patch(self, monkeypatch: "pytest.MonkeyPatch", *, home: Path, token: str | None = None) -> None:
        """Turn the client that is imported already, and every process started from here, to this Hub.

        The client reads its environment once, on import. Covered are: `HfApi()` made from now on, the functions of
        the package (`hf_hub_download`, `snapshot_download`, `create_repo`, `upload_folder`, ...), `ModelCard`, the
        cache, the stored token and `scan_cache_dir`. Not covered are `HfApi` objects made before, and copies of the
        constants that other packages made when they were imported.

        Args:
            home: an empty folder for the cache and the token.
        """
        from huggingface_hub import constants, hf_api
        from huggingface_hub.utils import _cache_manager, _http, close_session

        for key in os.environ.keys() - (wanted := self.environment(home=home, token=token)).keys():
            monkeypatch.delenv(key)
        for key, value in wanted.items():
            monkeypatch.setenv(key, value)
        told: dict[str, object] = {
            "ENDPOINT": self.url,
            "HUGGINGFACE_CO_URL_TEMPLATE": self.url + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_URL_HOSTS": constants.HF_URL_HOSTS | {"127.0.0.1"},
            "HF_HOME": str(home),
            "HF_HUB_CACHE": str(home / "hub"),
            "HUGGINGFACE_HUB_CACHE": str(home / "hub"),
            "HF_ASSETS_CACHE": str(home / "assets"),
            "HF_TOKEN_PATH": str(home / "token"),
            "HF_STORED_TOKENS_PATH": str(home / "stored_tokens"),
            "HF_HUB_OFFLINE": False,
            "HF_HUB_DISABLE_IMPLICIT_TOKEN": False,
            "HF_HUB_DISABLE_TELEMETRY": True,
            "HF_HUB_DISABLE_XET": True,
        }
        for name, known in told.items():
            monkeypatch.setattr(constants, name, known)
        monkeypatch.setattr(_cache_manager, "HF_HUB_CACHE", str(home / "hub"))
        monkeypatch.setattr(_http, "_HUB_ORIGINS", _http._HUB_ORIGINS | {_http._url_origin(self.url)})
        monkeypatch.setattr(hf_api.api, "endpoint", self.url)
        monkeypatch.setattr(hf_api.api, "_whoami_cache", {})
        close_session()  # the next one reads NO_PROXY


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
