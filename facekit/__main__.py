"""python -m facekit."""

from facekit.allocator import keep_freed_memory
from facekit.cli import app

if __name__ == "__main__":
    keep_freed_memory()
    app(prog_name="python -m facekit")
