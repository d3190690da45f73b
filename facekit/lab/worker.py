"""A run in a process of its own: commands come in through a pipe, what there is to see goes out."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.connection import Connection
from time import monotonic
from typing import Any, Final

import torch

from facekit.errors import FacekitError
from facekit.lab.commands import read_command
from facekit.lab.run import Copy, Snapshot, start_run
from facekit.lab.settings import LabSettings

_KEPT: Final = 24  # snapshots


def work(pipe: Connection, settings: LabSettings, copy: Copy | None = None) -> None:
    """Run until nobody holds the other end of the pipe any more.

    Args:
        copy: the run to go on with, then with `settings`.
    """
    torch.set_num_threads(1)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        try:
            worker = Worker(pipe, settings, copy)
        except FacekitError as error:
            pipe.send({"kind": "error", "text": str(error)})
            return
        worker.serve()


class Worker:
    """What goes on around a run.

    A command is one of `read_command`; or, from the room alone, {"do": "copy"}, or "threads" with their "count".

    An event has a "kind": "frame", "reading", "state", "snapshots", "copy", "rewound" or "error".
    """

    def __init__(self, pipe: Connection, settings: LabSettings, copy: Copy | None) -> None:
        self.pipe, self.run = pipe, start_run(settings)
        if copy is not None:
            self.run.restore(copy.now)
            self.run.change(settings.model_dump())
        self.running, self.rate = False, None
        self.snapshots: list[Snapshot] = copy.earlier if copy else [self.run.snapshot()]
        self.every = copy.every if copy else self.run.every
        self.figures: dict[str, float] = {}
        self.next_frame = self.next_reading = self.next_step = 0.0

    def serve(self) -> None:
        """Answer commands and make steps until the pipe is closed."""
        self._send_snapshots()
        self._show(all_of_it=True)
        while True:
            wait = max(0.0, self.next_step - monotonic()) if self.running else None
            if self.pipe.poll(wait):
                self._safely(lambda: self._obey(self.pipe.recv()))
            elif self.running:
                self._safely(lambda: self._advance(self.run.step))

    def _safely(self, act: Callable[[], None]) -> None:
        """Do it; what goes wrong pauses the run and is told.

        Raises:
            EOFError, OSError: the pipe is closed.
        """
        try:
            act()
        except (EOFError, OSError):
            raise
        except Exception as error:
            self.running = False
            told = isinstance(error, FacekitError)
            self._send("error", text=str(error) if told else "The run cannot do this: rewind, or start it again.")
            self._send_state()

    def _obey(self, command: dict[str, Any]) -> None:
        match command:
            case {"do": "copy"}:
                self._send("copy", copy=Copy(self.run.snapshot(), self.snapshots, self.every))
                return
            case {"do": "threads", "count": count}:
                self.run.use_threads(max(1, count))
                return
        command = read_command(command)
        match command["do"]:
            case "run" | "pause" as what:
                self.running = what == "run"
            case "speed":
                self.rate = command["steps"]
                self.next_step = 0.0
            case "step":
                self._advance(self.run.step)
            case "discriminator" | "generator" as network:
                self._advance(lambda: self.run.step_one(network))
            case "change":
                self.run.change(command["settings"])
            case "rewind":
                self._rewind(command["step"], command["settings"])
        self._show(all_of_it=True)

    def _advance(self, step: Callable[[], dict[str, float]]) -> None:
        before = self.run.steps
        self.figures |= step()
        if self.rate:
            self.next_step = monotonic() + 1 / self.rate
        if self.run.steps != before and self.run.steps % self.every == 0:
            self._keep()
        self._show()

    def _keep(self) -> None:
        """Another snapshot; of too many every second one goes, and they become half as frequent."""
        self.snapshots.append(self.run.snapshot())
        if len(self.snapshots) > _KEPT:
            self.snapshots, self.every = self.snapshots[::2], self.every * 2
        self._send_snapshots()

    def _rewind(self, step: int, settings: dict[str, Any]) -> None:
        chosen = min(self.snapshots, key=lambda one: abs(one.step - step))
        self.run.restore(chosen)
        self.snapshots = [one for one in self.snapshots if one.step <= chosen.step]
        self.figures = {}
        self._send("rewound", step=chosen.step)
        self._send_snapshots()
        if settings:
            self.run.change(settings)

    def _show(self, *, all_of_it: bool = False) -> None:
        now = monotonic()
        if all_of_it or now >= self.next_frame:
            self.next_frame = now + 1 / self.run.frames
            self._send("frame", step=self.run.steps, figures=self.figures, **self.run.frame())
        if all_of_it or now >= self.next_reading:
            self.next_reading = now + self.run.pause
            self._send("reading", **asdict(self.run.reading()))
        if all_of_it:
            self._send_state()

    def _send_snapshots(self) -> None:
        self._send("snapshots", steps=[one.step for one in self.snapshots])

    def _send_state(self) -> None:
        self._send("state", running=self.running, rate=self.rate, settings=self.run.settings.model_dump())

    def _send(self, kind: str, **content: Any) -> None:
        self.pipe.send({"kind": kind, **content})
