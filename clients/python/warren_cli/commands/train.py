"""`warren train`."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from warren_cli.arguments import named
from warren_cli.command import Command
from warren_cli.records import as_json, show_job
from warren_cli.session import Session
from warren_cli.table_file import is_file_name, table_file
from warren_cli.training_options import training_options
from warren_cli.values import names, pair
from warren_cli.waiting import TIMEOUT, WAIT, finish


@click.command(cls=Command)
@click.argument("data", type=named)
@click.option("--target", required=True, help="The column to predict.")
@click.option("--name", help="The name of which the model becomes the next version.")
@click.option("--features", metavar="NAMES", help="The columns to learn from, with commas.")
@click.option("--estimator", help="What to fit; by default a random forest.")
@click.option(
    "--set",
    "options",
    multiple=True,
    type=pair,
    metavar="NAME=VALUE",
    help="Any other member of POST /train, its value as JSON: cv=5, params.n_estimators=300. "
    "May be repeated.",
)
@click.option("--dataset", metavar="ID", type=named, help="The id under which a file is stored.")
@click.option("--again", is_flag=True, help="Also if this training of this file was asked before.")
@WAIT
@TIMEOUT
@click.pass_context
def train(
    context: click.Context,
    data: str,
    target: str,
    name: str | None,
    features: str | None,
    estimator: str | None,
    options: tuple[tuple[str, Any], ...],
    dataset: str | None,
    again: bool,
    wait: bool,
    timeout: float | None,
) -> None:
    """Train a model on DATA: a file, - for stdin, or the id of a data set.

    Prints the job; its model has the same id. A file is uploaded once, and the same training of the
    same file is the same job, unless that failed.
    """
    session: Session = context.obj
    given = {"features": names(features), "estimator": estimator}
    asked = training_options(options) | {
        key: value for key, value in given.items() if value is not None
    }
    with session.client() as warren, ExitStack() as files:
        source: str | Path = data
        if is_file_name(data):
            source = files.enter_context(table_file(data))
        if dataset:
            source = warren.datasets.upload(source, dataset_id=dataset).id
        job = warren.train(source, target=target, name=name, again=again, **asked)
        end = finish(session, job, timeout, wait=wait)
    session.give(as_json(end.job), job.id, lambda: show_job(end.job))
    context.exit(end.code)
