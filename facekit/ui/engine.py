"""What answers behind the page: analyzers that load in the background and work one at a time."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

from facekit.errors import FacekitError
from facekit.lab.room import Room
from facekit.ui.shelf import Shelf
from facekit.ui.turns import Turns

if TYPE_CHECKING:
    from facekit.analyze import FaceAnalyzer
    from facekit.generate import FaceGenerator

Answer = TypeVar("Answer")

DEFAULT_CHECKPOINT, DEFAULT_DETECTOR = "default", "mtcnn"

_HEAD_START = 2.0  # seconds that the page has to open before importing torch takes the processor

_FIRST_PHOTO = Path(__file__).parent / "examples" / "astronaut.jpg"


class Engine:
    """Analyzers by checkpoint and detector. Holds weights, never a picture.

    Attributes:
        state: "warming" until the first analyzer has answered once, then "ready"; "failed" if it could not be loaded.
        failure: one sentence, empty unless `state` is "failed".
        drawing: "warming" until the default generator has drawn once, then "ready"; "failed" if it could not be loaded.
        turns: the line that everything which runs a network stands in.
        shelf: the networks.
        room: the seats of the collapse lab.
        page_is_open: set by the first visitor's page; warming up need not wait for it any longer.
    """

    def __init__(self) -> None:
        self.state, self.failure, self.drawing = "warming", "", "warming"
        self.turns = Turns()
        self.room = Room()
        self.page_is_open = Event()
        self.shelf = Shelf()
        self._networks = ThreadPoolExecutor(1, "networks")

    def start(self) -> None:
        """Load the default analyzer in the background; a photo that arrives meanwhile waits in line behind it."""
        Thread(target=self._warm_up, name="warm-up", daemon=True).start()

    def choices(self) -> dict[str, list[str]]:
        """The names that may be asked for; empty while warming up, since looking them up imports torch."""
        if self.state == "warming":
            return {"checkpoints": [], "detectors": []}
        from facekit.detect import DETECTORS
        from facekit.shipped import shipped

        return {"checkpoints": shipped(), "detectors": list(DETECTORS)}

    def with_analyzer(
        self,
        work: Callable[[FaceAnalyzer], Answer],
        checkpoint: str = "",
        detector: str = "",
        ticket: str | None = None,
    ) -> Answer:
        """What `work` makes of the analyzer of that name when its turn has come, in the networks' own thread.

        Args:
            work: raises what it likes.
            checkpoint: a shipped name or an address on the Hub, the default where it is empty; never a folder.
            detector: one of `detect.DETECTORS`, the default where it is empty.
            ticket: a name that `turns.ahead` can be asked about.

        Raises:
            UnknownName: no such checkpoint, or not a detector.
            CheckpointError: the checkpoint cannot be found, fetched or read.
            Busy: too many are waiting.
        """
        from facekit.analyze import FaceAnalyzer
        from facekit.checkpoints import read_checkpoint
        from facekit.detect import load_detector
        from facekit.shipped import CLASSIFIER

        checkpoint, detector = checkpoint or DEFAULT_CHECKPOINT, detector or DEFAULT_DETECTOR
        folder = self.shelf.find(checkpoint, CLASSIFIER)  # a download: before the turn

        def load() -> FaceAnalyzer:
            return FaceAnalyzer(read_checkpoint(folder, checkpoint), load_detector(detector))

        how = f"{checkpoint} {detector}"  # it says in its reports what it was asked for by
        return self._in_turn(ticket, lambda: work(self.shelf.take(folder, how, load)))

    def with_generator(
        self, work: Callable[[FaceGenerator], Answer], checkpoint: str = "", ticket: str | None = None
    ) -> Answer:
        """What `work` makes of the generator of that name, the default one where it is empty: see `with_analyzer`."""
        from facekit.generate import FaceGenerator  # seconds: before the turn, so that nobody waits for it in line
        from facekit.shipped import GENERATOR

        folder = self.shelf.find(checkpoint or GENERATOR.default, GENERATOR)

        def load() -> FaceGenerator:
            return FaceGenerator.from_pretrained(str(folder), device="cpu")

        return self._in_turn(ticket, lambda: work(self.shelf.take(folder, "", load)))

    def _in_turn(self, ticket: str | None, work: Callable[[], Answer]) -> Answer:
        """Every thread that runs a network has helpers of its own, and where there are more of these than cores they
        sleep between any two operations: twice as slow. So one thread runs all networks."""
        with self.turns.take(ticket or secrets.token_hex(8)):
            return self._networks.submit(work).result()

    def _warm_up(self) -> None:
        self.page_is_open.wait(_HEAD_START)
        try:
            photo = _FIRST_PHOTO.read_bytes()
            self.with_analyzer(lambda analyzer: analyzer(photo))  # the first call of a network is several times slower
        except FacekitError as error:
            self.state, self.failure = "failed", str(error)
        else:
            self.state = "ready"
        self._warm_up_drawing()
        self.room.warm_up()

    def _warm_up_drawing(self) -> None:
        try:
            self.with_generator(lambda generator: generator.sample(16, seed=0))
        except FacekitError:
            self.drawing = "failed"  # who asks for a face is told why
        else:
            self.drawing = "ready"
