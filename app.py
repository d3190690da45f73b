"""The page's entry point, here and on a Hugging Face Space: builds the page and launches it."""

if __name__ == "__main__":  # processes of the laboratory import this file, and none of what follows
    from facekit.ui.engine import Engine
    from facekit.ui.page import build, launch

    engine = Engine()
    launch(build(engine), engine)
