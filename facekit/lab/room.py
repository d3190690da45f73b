"""The laboratory's seats: who may run, who waits, and whose runs end because nobody watches them any more."""

import multiprocessing
import os
import select
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from threading import Condition, Lock, Thread
from time import monotonic, sleep
from typing import Any, Final

from facekit.errors import FacekitError, LabError
from facekit.lab.commands import read_command
from facekit.lab.settings import LabSettings

SIDES: Final = ("left", "right")
"""The runs of a visitor: the first, and the one beside it."""

_EVENTS: Final = 600  # of a run that are kept for a slow visitor
_LINE: Final = 100  # who waits, at most
_ENDED: Final = "This run has ended: start it again."
_BUSY: Final = "This run has much to do already: wait a moment, then try again."


class RoomFull(FacekitError):
    """Too many are waiting for a seat."""


@dataclass(eq=False)
class _Run:
    """A process and what it has sent."""

    process: Any
    pipe: Connection
    state: dict[str, Any]  # the last event of this kind
    events: deque[tuple[int, dict[str, Any]]] = field(default_factory=lambda: deque(maxlen=_EVENTS))
    count: int = 0
    copy: Any = None  # that was asked for and has come
    threads: int = 0  # that it was told to compute with
    ended: bool = False
    sending: Lock = field(default_factory=Lock)

    def send(self, command: dict[str, Any]) -> bool:
        """Give it a command, unless so many lie there that one would have to wait.

        Raises:
            OSError: it has ended.
        """
        free = select.poll()
        with self.sending:
            free.register(self.pipe, select.POLLOUT)
            if not free.poll(0):
                return False
            self.pipe.send(command)
        return True

    def take(self, event: dict[str, Any]) -> None:
        """Keep what there is to see of an event."""
        if event["kind"] == "copy":
            self.copy = event["copy"]
            return
        if event["kind"] == "state":
            self.state = event
        self.events.append((self.count, event))
        self.count += 1

    def end(self) -> None:
        """Have the page told that nothing more will come, and why, if that is known."""
        if not self.events or self.events[-1][1]["kind"] != "error":
            self.take({"kind": "error", "text": _ENDED})
        self.take({**self.state, "running": False, "ended": True})
        self.ended = True


@dataclass(eq=False)
class _Visitor:
    seen: float
    runs: dict[str, _Run] = field(default_factory=dict)


class Room:
    """Seats for a few visitors at a time, each with up to two runs; the others wait in line.

    Args:
        seats: visitors who may run at once.
        patience: seconds without a word from a visitor after which the seat is given to the next.
    """

    def __init__(self, seats: int = 3, patience: float = 20.0) -> None:
        self.seats, self.patience = seats, patience
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of the runs: two threads are slower on so little
        self._context = multiprocessing.get_context("forkserver")
        # torch and diffusers are imported once, for all of them
        self._context.set_forkserver_preload(["facekit.lab.worker", "facekit.lab.face_run"])
        self._line: dict[str, _Visitor] = {}  # in the order of arrival; the first `seats` are seated
        self._news = Condition()
        self._sweeper: Thread | None = None

    def warm_up(self) -> None:
        """Have everything imported that a run needs, so that the first one starts at once."""
        process = self._context.Process(target=int)  # does nothing, once it is there
        process.start()
        process.join()

    def enter(self, visitor: str) -> int:
        """Say that `visitor` is here. How many must leave before there is a seat; 0 if seated.

        Raises:
            RoomFull: the line is too long.
        """
        with self._news:
            if visitor not in self._line and len(self._line) >= self.seats + _LINE:
                raise RoomFull("Many are waiting for the laboratory: try again in a few minutes.")
            self._line.setdefault(visitor, _Visitor(monotonic())).seen = monotonic()
            if self._sweeper is None:
                self._sweeper = Thread(target=self._sweep, name="lab-sweeper", daemon=True)
                self._sweeper.start()
            return max(0, list(self._line).index(visitor) + 1 - self.seats)

    def start(self, visitor: str, side: str, settings: LabSettings, copy: Any = None) -> None:
        """Start a run, in place of the one that was on this side.

        Raises:
            LabError: there is no such side, or no seat yet.
        """
        if side not in SIDES:
            raise LabError(f"There is no side {side!r}: choose one of {', '.join(SIDES)}.")
        if self.enter(visitor):
            raise LabError("All seats of the laboratory are taken: wait for your turn.")
        self.stop(visitor, side)
        from facekit.lab.worker import work

        here, there = self._context.Pipe()
        process = self._context.Process(target=work, args=(there, settings, copy), daemon=True)
        process.start()
        there.close()
        state = {"kind": "state", "running": False, "rate": None, "settings": settings.model_dump()}
        run = _Run(process, here, state)
        with self._news:
            place = self._line.get(visitor)
            if place is not None:
                place.seen, place.runs[side] = monotonic(), run
        if place is None:  # left meanwhile
            _end(run)
            return
        Thread(target=self._listen, args=(run,), name="lab-listener", daemon=True).start()
        self._share_cores()

    def tell(self, visitor: str, side: str, command: Any) -> None:
        """Give a command to a run.

        Raises:
            LabError: there is no such run (any more), it has too much to do, or `read_command` says that this is wrong.
        """
        checked = read_command(command)
        _send(self._run(visitor, side), checked)

    def fork(self, visitor: str, changes: dict[str, Any], wait: float = 10.0) -> None:
        """Put a copy of the left run on the right, with some settings changed.

        Raises:
            LabError: there is no run to copy, or it does not answer within `wait` seconds, or the settings are wrong.
        """
        run = self._run(visitor, "left")
        run.copy = None  # one that came too late the last time
        _send(run, {"do": "copy"})
        with self._news:
            self._news.wait_for(lambda: run.copy is not None or run.ended, wait)
            copy, run.copy = run.copy, None
        if copy is None:
            raise LabError("The run does not answer: start it again.")
        self.start(visitor, "right", copy.now.settings.changed(changes), copy)

    def watch(self, visitor: str, since: dict[str, int], wait: float = 0.25) -> dict[str, Any]:
        """What the runs of `visitor` have sent since.

        Args:
            since: for each side, the "next" of the answer before; 0 at first.
            wait: seconds to wait for the first news.

        Returns:
            For each side that has a run, {"events": [...], "next": int}.
        """
        self.enter(visitor)
        with self._news:
            runs = self._line[visitor].runs
            self._news.wait_for(lambda: any(run.count > since.get(side, 0) for side, run in runs.items()), wait)
            return {
                side: {"events": [e for n, e in run.events if n >= since.get(side, 0)], "next": run.count}
                for side, run in runs.items()
            }

    def stop(self, visitor: str, side: str) -> None:
        """End a run, if there is one."""
        with self._news:
            run = self._line[visitor].runs.pop(side, None) if visitor in self._line else None
        if run is not None:
            _end(run)
            self._share_cores()

    def leave(self, visitor: str) -> None:
        """End what `visitor` runs and give the seat to the next."""
        with self._news:
            gone = self._line.pop(visitor, None)
        for run in gone.runs.values() if gone else ():
            _end(run)
        self._share_cores()

    @property
    def running(self) -> int:
        """Processes that live."""
        with self._news:
            return sum(run.process.is_alive() for visitor in self._line.values() for run in visitor.runs.values())

    def _run(self, visitor: str, side: str) -> _Run:
        with self._news:
            run = self._line[visitor].runs.get(side) if visitor in self._line else None
        if run is None:
            raise LabError("There is no such run: start one.")
        return run

    def _share_cores(self) -> None:
        """Tell every run with how many threads it may compute: more than there are cores slow each other down."""
        with self._news:
            runs = [run for visitor in self._line.values() for run in visitor.runs.values()]
        for run in runs:
            count = (os.cpu_count() or 1) // len(runs)
            with suppress(OSError):  # it has just ended
                if run.threads != count and run.send({"do": "threads", "count": count}):
                    run.threads = count

    def _listen(self, run: _Run) -> None:
        """Take in what a run sends until it ends."""
        while True:
            try:
                event = run.pipe.recv()
            except (EOFError, OSError):
                event = None
            with self._news:
                if event is None:
                    run.end()
                else:
                    run.take(event)
                self._news.notify_all()
            if event is None:
                return

    def _sweep(self) -> None:
        while True:
            sleep(min(1.0, self.patience / 4))
            with self._news:
                gone = [name for name, one in self._line.items() if monotonic() - one.seen > self.patience]
            for name in gone:
                self.leave(name)
            self._share_cores()  # who was too busy to be told is told now


def _send(run: _Run, command: dict[str, Any]) -> None:
    try:
        taken = run.send(command)
    except OSError:
        raise LabError(_ENDED) from None
    if not taken:
        raise LabError(_BUSY)


def _end(run: _Run) -> None:
    """End a process for good; its listener ends with it."""
    run.process.terminate()
    run.process.join(5)
    if run.process.is_alive():
        run.process.kill()
    run.pipe.close()
