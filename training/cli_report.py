"""The command `report`."""

from pathlib import Path
from typing import Annotated

import typer

from facekit.errors import DataError


def report(
    records: Annotated[
        list[Path] | None, typer.Argument(help="Records or folders of them; training/results if none.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The file to write; training/RESULTS.md if none.")] = None,
    experiments: Annotated[
        Path | None, typer.Option("--experiments", help="Lines of `experiment`; its own file if none.")
    ] = None,
    card: Annotated[
        Path | None, typer.Option("--card", help="A checkpoint folder whose README.md to write as well.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The checkpoint's name on its card; its folder's if none.")
    ] = None,
) -> None:
    """Write training/RESULTS.md from evaluation records, and with --card the model card of one checkpoint."""
    from training.experiment import EXPERIMENTS
    from training.findings import findings_section
    from training.generators import generators_section
    from training.records import read_lines, read_record, record_files
    from training.results import RECORDS, RESULTS, results_table
    from training.systems import systems_section
    from training.throughput import THROUGHPUT, throughput_section

    read = [read_record(path) for path in record_files(records or [RECORDS])]
    called = {name, card.name, str(card)} if card is not None else set()
    own = [record for record in read if record["checkpoint"] in called]
    if card is not None and not own:
        raise DataError(
            f"No record is of {name or card.name}: evaluate it first, or say what it was called with --name."
        )
    lines = read_lines(experiments or EXPERIMENTS)
    sections = systems_section(lines), findings_section(lines), generators_section()
    results_table(read, out or RESULTS, more="".join([*sections, throughput_section(read_lines(THROUGHPUT))]))
    typer.echo(f"{len(read)} records and {len(lines)} experiments in {out or RESULTS}.")
    if card is not None:
        from training.report import write_card

        write_card(card, name or card.name, own)
        typer.echo(f"Card in {card}.")
