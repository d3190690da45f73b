"""python -m training ..."""

from facekit.allocator import keep_freed_memory
from training.cli import app

if __name__ == "__main__":  # worker processes import this module again
    keep_freed_memory()
    app(prog_name="python -m training")
