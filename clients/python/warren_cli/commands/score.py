"""`warren score`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from warren_cli import exit_codes
from warren_cli.arguments import model_reference, named, output_file
from warren_cli.command import Command
from warren_cli.failures import Failure
from warren_cli.records import as_json, show_job
from warren_cli.session import Session
from warren_cli.table_file import is_file_name, table_file
from warren_cli.values import names
from warren_cli.waiting import TIMEOUT, outcome

if TYPE_CHECKING:
    from warren_client import Dataset, Warren
    from warren_client.records import JobRecord


@click.command(cls=Command)
@click.argument("model", type=model_reference)
@click.argument("table", type=named)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=output_file,
    help="Where to write the result; `warren jobs result` does so later, too.",
)
@click.option("--columns", metavar="NAMES", help="Columns of the table to keep, with commas.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "parquet"]),
    help="By default that of the output's name, else csv.",
)
@click.option("--proba/--no-proba", default=None, help="Whether each label has its probability.")
@TIMEOUT
@click.pass_context
def score(
    context: click.Context,
    model: str,
    table: str,
    output: Path | None,
    columns: str | None,
    form: str | None,
    proba: bool | None,
    timeout: float | None,
) -> None:
    """Have MODEL answer for each row of TABLE, and wait: a file, - for stdin, or a data set's id.

    It is a batch job, which goes on if this is interrupted. Prints the job.
    """
    session: Session = context.obj
    with session.client() as warren, ExitStack() as files:
        source: Path | Dataset
        if is_file_name(table):
            source = files.enter_context(table_file(table))
        else:
            source = warren.datasets[table]
        asked = warren.models[model]
        end = outcome(
            session,
            lambda show: asked.score(
                source,
                columns=names(columns) or (),
                format=form or _format_of(output),
                probabilities=proba,
                timeout=timeout,
                progress=show,
            ),
        )
        if output and end.code == exit_codes.OK:
            _save(warren, end.job, output)
    told = {**as_json(end.job), "file": str(output) if output and not end.code else None}
    session.give(told, end.job.id, lambda: show_job(end.job))
    context.exit(end.code)


def _format_of(output: Path | None) -> str | None:
    return "parquet" if output and output.suffix == ".parquet" else None


def _save(warren: Warren, record: JobRecord, output: Path) -> None:
    """Write the result of a job. Raises `Failure`, which says how to get it later."""
    from warren_cli.client_errors import failure_of
    from warren_client import Job
    from warren_client.errors import WarrenError

    later = f"; job {record.id} has the result: `warren jobs result {record.id} -o FILE` saves it"
    try:
        Job(warren, record).download(output)
    except OSError as error:
        why = f"{output} cannot be written: {error.strerror or error}"
        raise Failure(why + later, type="not_written", job=record.id) from error
    except WarrenError as error:
        failure = failure_of(error, later)
        assert failure is not None
        raise failure from error
