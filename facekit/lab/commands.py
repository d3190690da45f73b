"""What a page may tell a run to do."""

from typing import Any, Final

from facekit.errors import LabError

SLOWEST, FASTEST = 0.1, 1000
"""Steps a second that a run may be slowed down to."""

_LONGEST: Final = 2000  # characters of settings: all that there are need fewer

_PLAIN: Final = ("run", "pause", "step", "discriminator", "generator")


def read_command(given: Any) -> dict[str, Any]:
    """A command that came from a page, with nothing in it but what a run understands.

    It is `{"do": ...}`: "run", "pause", "step", one update of the "discriminator" or the "generator", "speed" with
    "steps" a second or `None` for as many as there can be, "change" with "settings", or "rewind" to the snapshot next
    to "step", and from there on with other "settings" if there are any.

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
        case {"do": "change", "settings": settings}:
            return {"do": "change", "settings": _few(settings)}
        case {"do": "change"}:
            raise LabError("There are no settings to change: name them with their values.")
        case {"do": "rewind", "step": int(step)}:
            return {"do": "rewind", "step": step, "settings": _few(given.get("settings", {}))}
        case {"do": "rewind"}:
            raise LabError("A run goes back to a step: give its number.")
    raise LabError("A run does not understand this: load the page again.")


def _few(settings: Any) -> dict[str, Any]:
    if not isinstance(settings, dict) or len(repr(settings)) > _LONGEST:
        raise LabError("These are no settings, or too many: name those to change, with their values.")
    return settings
