"""python -m facekit."""

from facekit.cli import app

if __name__ == "__main__":
    app(prog_name="python -m facekit")
