"""The page: one file a tab. The only package that imports gradio.

It imports neither torch nor a network when it is built, so that the page opens fast; `engine` does, behind it.
"""

import inspect
import os
from typing import Any


def _import_gradio_quickly() -> None:
    """Import gradio without the type stubs that it rewrites beside its own sources on every import.

    They are for editors, and half of the time that the import takes. Gradio leaves them out for a class whose source
    file it cannot find, so for this long it finds none.
    """
    find = inspect.getfile

    def find_outside_gradio(thing: Any) -> str:
        if str(getattr(thing, "__module__", "")).startswith("gradio."):
            raise OSError("not looked for")
        return find(thing)

    inspect.getfile = find_outside_gradio  # type: ignore[assignment]
    try:
        import gradio  # noqa: F401
    finally:
        inspect.getfile = find


os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
_import_gradio_quickly()
