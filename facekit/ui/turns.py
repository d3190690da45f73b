"""One piece of work at a time, first come first served, in a line of bounded length."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from facekit.errors import FacekitError


class Busy(FacekitError):
    """The line is full."""


class Turns:
    """A line in front of the networks.

    Two analyses at once on two cores are each half as fast and use twice the memory, so they take turns.

    Args:
        longest: how many may be in line, the one being served included.
    """

    def __init__(self, longest: int = 24) -> None:
        self.longest = longest
        self._line: list[tuple[str, object]] = []
        self._moved = Condition()

    @contextmanager
    def take(self, ticket: str) -> Iterator[None]:
        """Wait for one's turn and keep it for the length of the `with` block.

        Args:
            ticket: a name that `ahead` can be asked about.

        Raises:
            Busy: the line is full.
        """
        place = (ticket, object())  # visitors name their tickets, so two may be the same
        with self._moved:
            if len(self._line) >= self.longest:
                raise Busy("Many photos are waiting: try again in a minute.")
            self._line.append(place)
            self._moved.wait_for(lambda: self._line[0] is place)
        try:
            yield
        finally:
            with self._moved:
                self._line.remove(place)
                self._moved.notify_all()

    def ahead(self, ticket: str) -> int:
        """How many are served before `ticket`; 0 if it is being served or not in line."""
        with self._moved:
            return next((i for i, (name, _) in enumerate(self._line) if name == ticket), 0)
