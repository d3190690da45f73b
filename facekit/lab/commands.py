"""What a page may tell a run to do."""

from typing import Any, Final

from facekit.errors import LabError

SLOWEST, FASTEST = 0.1, 1000
"""Steps a second that a run may be slowed down to."""

_LONGEST: Final = 2000  # characters of the settings that a command changes: all of them together need fewer

_PLAIN: Final = ("run", "pause", "step", "discriminator", "generator")


def read_command(given: Any) -> dict[str, Any]:
    """A command that came from a page, with nothing in it but what a run understands.

    It is `{"do": ...}`: "run", "pause", "step", one update of the "discriminator" or the "generator", "speed" with
    "steps" a second or `None` for as many as there can be, "change" with "settings", or "rewind" to the snapshot next
    to "step".

    Raises:
        LabError: it is no such command, or its value cannot be.
    """
    match given:
        case {"do": str(what)} if what in _PLAIN:
            return {"do": what}
        case {"do": "speed", "steps": None}:
            return {"do": "speed", "steps": None}
        case {"do": "speed", "steps": int() | float() as steps} if SLOWEST <= steps <= FASTEST:
            return {"do": "speed", "steps": float(steps)}
        case {"do": "speed"}:
            raise LabError(f"A run cannot go at this speed: choose {SLOWEST} to {FASTEST} steps a second.")
        case {"do": "change", "settings": dict(settings)} if len(repr(settings)) <= _LONGEST:
            return {"do": "change", "settings": settings}
        case {"do": "change"}:
            raise LabError("There are no settings to change, or far too many: name them with their values.")
        case {"do": "rewind", "step": int(step)}:
            return {"do": "rewind", "step": step}
        case {"do": "rewind"}:
            raise LabError("A run goes back to a step: give its number.")
    raise LabError("A run does not understand this: load the page again.")
