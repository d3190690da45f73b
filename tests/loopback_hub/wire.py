"""Between the socket and the app of the loopback Hub: what is asked is written down, and told misbehaviour happens."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.loopback_hub import Request

CONTROL: Final = "/.loopback/"
CHUNK: Final = 64 * 1024

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass
class Trouble:
    """Something that happens to the next `times` requests whose 'METHOD /path' matches `path`.

    Attributes:
        path: a regular expression, searched for in the method and the unquoted path.
        times: how often, counted down.
        after: bytes of a body after which the connection is cut; `None` for no cut.
        status: an answer given in place of the right one; 0 for none.
    """

    path: str
    times: int
    after: int | None = None
    status: int = 0


@dataclass
class Behaviour:
    """How the Hub misbehaves at present; nothing is set in the beginning."""

    slow: float = 0.0  # seconds before each chunk of a body
    silent: bool = False
    troubles: list[Trouble] = field(default_factory=list)

    def trouble(self, line: str, cuts: bool) -> Trouble | None:
        """The first that is still to happen to a request, of the one kind or the other."""
        for trouble in self.troubles:
            if trouble.times > 0 and (trouble.after is not None) == cuts and re.search(trouble.path, line):
                return trouble
        return None


class Protocol(H11Protocol):
    """uvicorn's own, except that it shows the connection to the app, which may then cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app = self.app

        async def shown(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "transport": transport}, receive, send)

        self.app = shown


class Wire:
    """The outermost ASGI app: logs, delays, cuts, refuses or keeps silent, else passes on."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
        self.app = app
        self.behaviour = Behaviour()
        self.log: list[Request] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        raw = scope["raw_path"].decode("ascii")
        scope = {**scope, "path": raw}  # still quoted: in refs%2Fpr%2F1 the slashes belong to the name
        if raw.startswith(CONTROL):
            return await self.app(scope, receive, send)
        headers = dict(scope["headers"])
        target = raw + ("?" + scope["query_string"].decode("ascii") if scope["query_string"] else "")
        entry = Request(scope["method"], raw, target, headers.get(b"host", b"").decode(), b"authorization" in headers)
        self.log.append(entry)
        line = f"{entry.method} {unquote(raw)}"
        if self.behaviour.silent:
            return await self._keep_silent(receive)
        if failure := self.behaviour.trouble(line, cuts=False):
            failure.times -= 1
            entry.status = failure.status
            return await _answer(failure.status, send)
        conversation = _Conversation(self.behaviour, self.behaviour.trouble(line, cuts=True), entry, scope["transport"])
        return await self.app(scope, conversation.receiver(receive), conversation.sender(send))

    async def _keep_silent(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


async def _answer(status: int, send: Send) -> None:
    body = json.dumps({"error": f"The loopback Hub was told to answer {status}"}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@dataclass
class _Conversation:
    """One request and its answer, counted, slowed and perhaps cut."""

    behaviour: Behaviour
    cut: Trouble | None
    entry: Request
    transport: asyncio.Transport

    def receiver(self, receive: Receive) -> Receive:
        async def counted() -> Message:
            message = await receive()
            if message["type"] == "http.request" and message.get("body"):
                await asyncio.sleep(self.behaviour.slow)
                self._passes(self.entry.received, len(message["body"]))
                self.entry.received += len(message["body"])
                if self.entry.cut:
                    self.transport.abort()
                    raise ConnectionAbortedError
            return message

        return counted

    def sender(self, send: Send) -> Send:
        async def counted(message: Message) -> None:
            if self.entry.cut:
                return None
            if message["type"] == "http.response.start":
                self.entry.status = message["status"]
            body = message.get("body", b"")
            if not body or self.entry.method == "HEAD":
                return await send(message)
            for start in range(0, len(body), CHUNK):
                piece = body[start : start + CHUNK]
                await asyncio.sleep(self.behaviour.slow)
                piece = piece[: self._passes(self.entry.sent, len(piece))]
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                self.entry.sent += len(piece)
                if self.entry.cut:
                    self.transport.close()  # what was written still arrives
                    raise ConnectionAbortedError
            return await send({**message, "body": b""})

        return counted

    def _passes(self, before: int, size: int) -> int:
        """How many of the next `size` bytes still pass; if not all, this is the cut."""
        cut = self.cut
        if cut is None or cut.after is None or cut.times < 1 or before + size <= cut.after:
            return size
        cut.times -= 1
        self.entry.cut = True
        return cut.after - before
