"""python -m training ..."""

from training.cli import app

if __name__ == "__main__":  # worker processes import this module again
    app(prog_name="python -m training")
