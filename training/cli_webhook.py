"""The command `gate-server`."""

from pathlib import Path
from typing import Annotated

import typer


def gate_server(
    repo: Annotated[
        list[str], typer.Option("--repo", help="Model repository whose pull requests to judge; as often as wanted.")
    ],
    data: Annotated[list[str], typer.Option("--data", help="A labelled test set, as for gate; as often as wanted.")],
    baseline: Annotated[str, typer.Option("--baseline", help="What they are compared with.")] = "default",
    reports: Annotated[Path, typer.Option("--reports", help="Folder for the reports.")] = Path("gates"),
    hours: Annotated[float, typer.Option("--hours", min=0.01, help="The longest that one may take.")] = 2.0,
    host: Annotated[str | None, typer.Option("--host", help="0.0.0.0 to be reached from elsewhere.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="A free one from 7860 on if none.")] = None,
) -> None:
    """Judge new and changed pull requests when a webhook of the Hub tells of them, and comment on each.

    The webhook's secret is read from FACEKIT_WEBHOOK_SECRET, its address is /webhooks/gate.
    """
    from facekit.errors import PushError
    from facekit.hub import parse_address
    from training.webhook import GateServer, serve

    found = [parse_address(name) for name in repo]
    if wrong := [name for name, one in zip(repo, found, strict=True) if one is None or one.revision]:
        raise PushError(f"{wrong[0]!r} is no repository on the Hub: write it as user/name.")
    names = [one.repository for one in found if one]
    serve(GateServer(names, data, reports, baseline, hours * 3600), host=host, port=port)
