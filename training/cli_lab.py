"""The command `lab-start`."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import track


def lab_start(
    faces: Annotated[Path, typer.Argument(help="A folder made by `python -m facekit lab-faces`.")],
    size: Annotated[Literal["32", "64"], typer.Option(help="Width and height of the portraits in pixels.")] = "32",
    steps: Annotated[int, typer.Option(min=1, help="Steps of the laboratory's healthy preset.")] = 12_000,
    rate: Annotated[float, typer.Option(help="Learning rate of both networks.")] = 4e-4,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, latents and data.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Where to write it; the shipped file if not said.")] = None,
) -> None:
    """Train the networks that the page's Collapse lab starts its runs on faces with."""
    from facekit.lab.face_run import TRAINED, FaceRun
    from facekit.lab.faces import Faces
    from facekit.lab.settings import FACE_PRESETS, LabSettings

    healthy = FACE_PRESETS["healthy"].settings
    changes = {"data": f"faces-{size}", "seed": seed, "generator_rate": rate, "discriminator_rate": rate, "ema": 0.998}
    run = FaceRun(LabSettings.read({**healthy, **changes}), Faces.read(int(size), faces))
    screen = Console(stderr=True)
    for step in track(range(steps), f"faces of {size} pixels", console=screen, disable=not screen.is_terminal):
        run.step()
        if not screen.is_terminal and (step + 1) % max(1, steps // 20) == 0:  # a log shows no bar
            typer.echo(f"{step + 1} of {steps} steps", err=True)
    out = out or TRAINED / f"faces-{size}.safetensors"
    out.parent.mkdir(parents=True, exist_ok=True)
    run.save_trained(out)
    reading = run.reading()
    typer.echo(
        f"{out}: {reading.effective:.0f} different faces, {reading.natural:.0f} in as many of the data; "
        f"total variation {reading.total_variation:.2f}, {reading.good:.0%} among real ones: {reading.state}."
    )
