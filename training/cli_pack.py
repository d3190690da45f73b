"""The command `pack`."""

from pathlib import Path
from typing import Annotated

import typer


def pack(
    run: Annotated[Path, typer.Argument(help="The folder of a GAN's run, such as runs/001-dcgan-conditional.")],
    folder: Annotated[Path, typer.Argument(help="The checkpoint to write; one that is there is replaced.")],
    name: Annotated[
        str | None, typer.Option("--name", help="What its card calls it; the folder's name if none.")
    ] = None,
) -> None:
    """Turn a GAN's run into a checkpoint to ship: small weights, a picture of every epoch, and its card."""
    from training.pack import pack as write

    difference = write(run, folder, name)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    typer.echo(f"{size / 1e6:.1f} MB in {folder}; its pictures differ by at most {difference} grey levels.")
