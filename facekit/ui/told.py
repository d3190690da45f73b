"""What a visitor did wrong, told to the page's scripts instead of failing the request."""

from collections.abc import Callable
from typing import Any

from facekit.errors import FacekitError


def or_error(answer: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
    """The answer, or the one sentence and the kind of the error that a visitor made: `{"error", "kind"}`."""
    try:
        return answer() or {}
    except FacekitError as error:
        return {"error": str(error), "kind": type(error).__name__}
