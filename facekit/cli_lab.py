"""The command `lab-faces`. Nothing heavy is imported before the arguments are known to make sense."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from facekit.cli_output import ended_by_sigterm, folder
from facekit.errors import FacekitError


def lab_faces(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder of photos, a parquet file, or a generator's checkpoint: a shipped name, a folder, or a Hub "
            "repository.",
            metavar="FOLDER_OR_CHECKPOINT",
        ),
    ],
    out: Annotated[str, typer.Option(help="Folder for the faces, made if need be; two files in it are replaced.")],
    count: Annotated[int, typer.Option(min=1, max=10_000, help="Faces at most.")] = 2304,
    seed: Annotated[int, typer.Option(min=0, max=2**62, help="Of what is drawn or chosen.")] = 0,
) -> None:
    """Collect faces that the page's Collapse lab can train on; FACEKIT_LAB_FACES=OUT starts the page with them."""
    try:
        from facekit.cli_diversity import checkpoint_folder
        from facekit.lab.collect import from_folder, from_generator

        to = folder(out)
        generator, without = checkpoint_folder(source), 0
        if generator is not None:
            faces = from_generator(generator, count, seed)
        else:
            faces, without = from_folder(Path(source), count, seed, _progress)
        with ended_by_sigterm():
            faces.write(to, "/".join(Path(source).parts[-2:]))
    except FacekitError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    left = f"; {without} pictures without a face were left out" if without else ""
    typer.echo(f"{len(faces.portraits)} faces in {to}{left}")


def _progress(indices: Sequence[int]) -> Iterable[int]:
    screen = Console(stderr=True)
    return track(indices, "Finding faces", console=screen, transient=True, disable=not screen.is_terminal)
