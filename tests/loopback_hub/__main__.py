"""The loopback Hub by hand: `python -m tests.loopback_hub --port 8123`; `LoopbackHub` starts it without a port.

Beside what the client sees there is one endpoint for tests, `POST /.loopback/<action>` with the arguments as JSON.
"""

import argparse
import base64
import os
import secrets
import socket
import sys
import threading
from dataclasses import asdict
from typing import Any

import uvicorn

from tests.loopback_hub.oauth import router
from tests.loopback_hub.server import app, collections, endless, objects, repositories, users
from tests.loopback_hub.store import File, Repository, User, is_large, now
from tests.loopback_hub.wire import CONTROL, Behaviour, Protocol, Trouble, Wire

app.include_router(router)
wire = Wire(app)


class Actions:
    """What a test may ask for, by the names of `LoopbackHub`'s methods."""

    def add_user(self, name: str, token: str, write: bool, organisations: list[str]) -> None:
        users[token] = User(name, write, (name, *organisations))

    def put(self, repository: str, files: dict[str, str | None], revision: str, private: bool, message: str) -> str:
        owner = repository.partition("/")[0]
        if repository not in repositories:
            repositories[repository] = Repository(repository, owner, private)
        repo = repositories[repository]
        ref = revision if revision.startswith("refs/") else f"refs/heads/{revision}"
        repo.refs.setdefault(ref, repo.refs["refs/heads/main"])
        changes: dict[str, File | None] = {}
        for path, encoded in files.items():
            content = None if encoded is None else base64.b64decode(encoded)
            changes[path] = None if content is None else File(content, is_large(path, len(content), content[:512]))
        made = repo.commit(revision, changes, message, "", owner)
        objects.update({file.sha256: file.content for file in made.files.values() if file.large})
        return made.sha

    def files(self, repository: str, revision: str) -> dict[str, str]:
        kept = repositories[repository].resolve(revision).files
        return {path: base64.b64encode(file.content).decode() for path, file in kept.items()}

    def endless(self, repository: str, file: str, size: int, announced: bool) -> None:
        encoded = base64.b64encode(secrets.token_hex(size)[:size].encode()).decode()
        self.put(repository, {file: encoded}, "main", False, f"Add {file}")
        endless[repositories[repository].resolve("main").files[file].oid] = announced

    def collect(self, slug: str, items: list[str], title: str) -> None:
        held = [
            {"_id": f"{place:024x}", "id": id, "type": "model", "position": place} for place, id in enumerate(items)
        ]
        about = {"slug": slug, "title": title, "owner": slug.partition("/")[0], "lastUpdated": now()}
        collections[slug] = {**about, "items": held, "position": 0, "private": False, "theme": "green", "upvotes": 0}

    def slow(self, seconds: float) -> None:
        wire.behaviour.slow = seconds

    def silent(self, silent: bool) -> None:
        wire.behaviour.silent = silent

    def trouble(self, **trouble: Any) -> None:
        wire.behaviour.troubles.append(Trouble(**trouble))

    def behave(self) -> None:
        wire.behaviour = Behaviour()

    def requests(self) -> list[dict[str, Any]]:
        return [asdict(one) for one in wire.log]

    def forget(self) -> None:
        wire.log.clear()

    def reset(self) -> None:
        self.behave()
        self.forget()
        for kept in (users, repositories, collections, objects, endless):
            kept.clear()


@app.post(CONTROL + "{action}")
async def act(action: str, arguments: dict[str, Any]) -> Any:
    return {"answer": getattr(Actions(), action)(**arguments)}


def main() -> None:
    parser = argparse.ArgumentParser(description="A Hugging Face Hub for tests, on loopback and in memory")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--until-eof", action="store_true", help="stop as soon as standard input is closed")
    options = parser.parse_args()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", options.port))
    listener.listen()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    if options.until_eof:
        threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
    server = uvicorn.Server(uvicorn.Config(wire, http=Protocol, log_level="critical", timeout_graceful_shutdown=1))
    server.run([listener])


if __name__ == "__main__":
    main()
