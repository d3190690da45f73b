"""The command `push`."""

from pathlib import Path
from typing import Annotated

import typer


def push(
    run: Annotated[
        Path, typer.Argument(help="A run such as runs/005-faces-fine, or the folder of a checkpoint or generator.")
    ],
    repo: Annotated[str, typer.Option("--repo", help="Model repository, user/name; made if it does not exist.")],
    pull_request: Annotated[bool, typer.Option("--pr", help="Propose it as a pull request.")] = False,
    private: Annotated[bool, typer.Option("--private", help="Make the new repository a private one.")] = False,
    message: Annotated[
        str | None, typer.Option("--message", help="Title of the commit; the checkpoint's description if none.")
    ] = None,
    record: Annotated[
        list[Path] | None,
        typer.Option(
            "--record",
            help="An evaluation record for the card, or a folder of them, as often as wanted. If none: those in "
            "RUN/evaluation, else those in training/results that are of this checkpoint.",
        ),
    ] = None,
    rebase: Annotated[
        bool,
        typer.Option(
            "--rebase", help="Although the repository has moved since this run's last push, or since it was its start."
        ),
    ] = False,
) -> None:
    """Push a checkpoint with card, records, figures, recipe and environment, and print where it is and how to try it.

    Of an upload that was interrupted, files that have arrived are not sent again by the same command.
    """
    from training.push import push as send
    from training.push import tried_by

    made = send(
        run, repo, pull_request=pull_request, private=private, message=message, records=record or (), rebase=rebase
    )
    typer.echo(made.url)
    typer.echo(tried_by(made, run, record or ()))
