"""The viewers of the live tab: each with faces of its own to follow, all of them with a fair share of the machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING

from facekit.errors import FacekitError, ImageTooLarge
from facekit.images import read_image, size_of
from facekit.ui.engine import Engine

if TYPE_CHECKING:
    from facekit.analyze import FaceAnalyzer
    from facekit.face import Report
    from facekit.live import LiveAnalyzer

MAX_FRAME_BYTES, MAX_FRAME_SIDE = 400_000, 1280
"""The largest frame that is taken, in bytes and in pixels of its longer side."""

_SHORTEST = 1 / 40  # seconds between two frames of one viewer


class AudienceFull(FacekitError):
    """As many watch as the machine can serve."""


@contextmanager
def _one_thread() -> Iterator[None]:
    """Networks on one core, for whoever has the turn: a second one is quicker, but waits busily and takes the core that
    decodes the next frame. With it four viewers got 6 analyses a second each, without it 11."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _check_side(*sides: int) -> None:
    if max(sides) > MAX_FRAME_SIDE:
        raise ImageTooLarge(f"A live frame may be {MAX_FRAME_SIDE} pixels wide: send smaller ones.")


class _Viewer:
    """One viewer's faces, and whether a frame of theirs is being looked at."""

    def __init__(self) -> None:
        self.live: LiveAnalyzer | None = None
        self.lock = Lock()
        self.seen = monotonic()


class Audience:
    """Who watches live. Frames take their turns in the engine's line, one frame a viewer at a time; none is kept.

    Args:
        engine: whose default analyzer reads the faces.
        seats: viewers at once.
        patience: seconds without a frame after which a viewer is forgotten.
    """

    def __init__(self, engine: Engine, seats: int = 8, patience: float = 10.0) -> None:
        self.engine, self.seats, self.patience = engine, seats, patience
        self._viewers: dict[str, _Viewer] = {}
        self._lock = Lock()
        self._sweeper: Thread | None = None

    def look(self, viewer: str, frame: bytes, timestamp: float) -> Report | None:
        """What is seen in a viewer's next frame; None where their last one is still being looked at.

        Args:
            viewer: a random text that only this viewer's page knows.
            frame: an encoded picture.
            timestamp: seconds, on the viewer's clock.

        Raises:
            AudienceFull: all seats are taken.
            ImageError: the frame cannot be used.
            VideoError: its time is no finite number, or before that of the last one.
            Busy: too many are waiting for the networks.
        """
        if len(frame) > MAX_FRAME_BYTES:
            raise ImageTooLarge(f"A live frame may have {MAX_FRAME_BYTES // 1000} KB: send smaller ones.")
        with self._seat(viewer) as seat:
            if seat is None:
                return None
            sleep(max(0.0, _SHORTEST - (monotonic() - seat.seen)))
            seat.seen = monotonic()
            _check_side(*size_of(frame))  # some hundred bytes may become megabytes
            pixels = read_image(frame)
            _check_side(*pixels.shape[:2])

            def follow(analyzer: FaceAnalyzer) -> Report:
                from facekit.live import LiveAnalyzer

                seat.live = seat.live or LiveAnalyzer(analyzer)
                with _one_thread():
                    return seat.live(pixels, timestamp)

            return self.engine.with_analyzer(follow, ticket=viewer)

    def leave(self, viewer: str) -> None:
        """Forget a viewer."""
        with self._lock:
            self._viewers.pop(viewer, None)

    @property
    def watching(self) -> int:
        """How many viewers have a seat."""
        with self._lock:
            return len(self._viewers)

    @contextmanager
    def _seat(self, name: str) -> Iterator[_Viewer | None]:
        """The viewer of that name for one frame, or None if a frame of theirs is being looked at."""
        with self._lock:
            if name not in self._viewers:
                if len(self._viewers) >= self.seats:
                    raise AudienceFull(f"{self.seats} others are watching: try again in a few minutes.")
                self._viewers[name] = _Viewer()
            viewer = self._viewers[name]
            if self._sweeper is None:
                self._sweeper = Thread(target=self._sweep, name="audience-sweeper", daemon=True)
                self._sweeper.start()
        if not viewer.lock.acquire(blocking=False):
            yield None
            return
        try:
            yield viewer
        finally:
            viewer.seen = monotonic()
            viewer.lock.release()

    def _sweep(self) -> None:
        while True:
            sleep(self.patience / 4)
            now = monotonic()
            with self._lock:
                self._viewers = {
                    name: viewer
                    for name, viewer in self._viewers.items()
                    if viewer.lock.locked() or now - viewer.seen < self.patience
                }
