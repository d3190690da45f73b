"""The page's entry point, here and on a Hugging Face Space: builds the page and launches it."""

from facekit.ui.engine import Engine
from facekit.ui.page import build, launch

if __name__ == "__main__":
    engine = Engine()
    launch(build(engine), engine)
