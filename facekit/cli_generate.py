"""The command `generate`. Nothing heavy is imported before the arguments are known to make sense."""

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from secrets import randbits
from typing import Annotated, Any

import typer

from facekit.cli_output import ended_by_sigterm, folder, readable
from facekit.errors import FacekitError, GenerationError

_WITHOUT = "no-"


def generate(
    out: Annotated[str, typer.Option(help="Folder for the pictures, made if need be.")],
    count: Annotated[int, typer.Option(help="How many faces, 1 to 1024.")] = 16,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**62, help="The same seed gives the same faces; random if none.")
    ] = None,
    attributes: Annotated[
        list[str] | None,
        typer.Option(
            help="What all of them have, and with no- have not: Smiling,no-Eyeglasses. May be given several times."
        ),
    ] = None,
    truncation: Annotated[
        float | None, typer.Option(help="From 0.1 on: the smaller, the more ordinary and alike; all of them if none.")
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="A shipped name, a folder, or a Hub repository; else the default.")
    ] = None,
    revision: Annotated[
        str | None,
        typer.Option(help="Of a Hub repository: a branch, tag, commit, refs/pr/1. Of a shipped one: epoch-3."),
    ] = None,
) -> None:
    """Draw faces of people who do not exist: PNG files, and a line of JSON for each."""
    try:
        to = folder(out)
        chosen = read_attributes(attributes or [])
        seed = randbits(31) if seed is None else seed
        lines, pictures = _draw(count, seed, chosen, truncation, checkpoint, revision)
        files = write_pictures(to, pictures)
    except FacekitError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    for file, line in zip(files, lines, strict=True):
        typer.echo(json.dumps({"file": readable(str(file)), **line}, ensure_ascii=False))


def read_attributes(words: Iterable[str]) -> dict[str, bool]:
    """`["Smiling,no-Eyeglasses"]` as `{"Smiling": True, "Eyeglasses": False}`.

    Raises:
        GenerationError: a name is missing, or is chosen both ways.
    """
    chosen: dict[str, bool] = {}
    for word in (part.strip() for several in words for part in several.split(",")):
        name = word.removeprefix(_WITHOUT)
        if not name:
            raise GenerationError("A name is missing in --attributes: write them as Smiling,no-Eyeglasses.")
        if chosen.setdefault(name, name == word) != (name == word):
            raise GenerationError(f"--attributes asks for {name} and for {_WITHOUT}{name}: choose one of them.")
    return chosen


def _draw(
    count: int,
    seed: int,
    chosen: dict[str, bool],
    truncation: float | None,
    checkpoint: str | None,
    revision: str | None,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What to tell of every face, and the faces as PIL images by file name."""
    from facekit.generate import FaceGenerator  # imports torch and diffusers
    from facekit.shipped import GENERATOR

    generator = FaceGenerator.from_pretrained(checkpoint, revision=revision)
    pictures = generator.sample(count, seed=seed, attributes=chosen, truncation=truncation)
    asked = (generator.choose(count, seed, chosen) > 0.5).tolist()
    name = (checkpoint or GENERATOR.default) + (f"@{revision}" if revision else "")
    common = {"seed": seed, "truncation": truncation, "checkpoint": name}
    lines = [
        {**common, "index": i, "attributes": dict(zip(generator.attributes, row, strict=True))}
        for i, row in enumerate(asked)
    ]
    return lines, {f"seed-{seed}-{i:04d}.png": picture for i, picture in enumerate(pictures)}


def write_pictures(out: Path, pictures: dict[str, Any]) -> list[Path]:
    """PIL images by file name as PNG files in `out`, which say that they were generated.

    Raises:
        FacekitError: they cannot be written there; then none is.
    """
    from facekit.portraits import generated_note

    try:
        out.mkdir(parents=True, exist_ok=True)
        with ended_by_sigterm(), tempfile.TemporaryDirectory(dir=out, prefix=".") as scratch:
            for name, picture in pictures.items():
                picture.save(Path(scratch) / name, pnginfo=generated_note())
            for name in pictures:
                os.replace(Path(scratch) / name, out / name)
    except OSError as error:
        raise FacekitError(
            f"Cannot write to {out} ({error.strerror or error}): choose another folder for --out."
        ) from None
    return [out / name for name in pictures]
