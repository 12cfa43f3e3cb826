"""`warren datasets`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from warren_cli import console
from warren_cli.arguments import named
from warren_cli.command import Commands
from warren_cli.confirm import YES, confirm
from warren_cli.records import DATASET_HEADING, as_json, dataset_row, size_text
from warren_cli.session import Session
from warren_cli.table_file import table_file

if TYPE_CHECKING:
    from warren_client.records import DatasetRecord

ID = click.argument("dataset_id", metavar="ID", type=named)
COLUMNS = ("COLUMN", "TYPE", "MISSING", "DISTINCT", "MIN", "MEDIAN", "MAX")
_MEMBERS = ("name", "type", "missing", "distinct", "min", "median", "max")


@click.group(cls=Commands)
def datasets() -> None:
    """List, show, store and delete data sets."""


@datasets.command("ls")
@click.option("--begin", metavar="TEXT", help="Only those whose id begins so.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1))
@click.pass_obj
def list_(session: Session, begin: str | None, limit: int) -> None:
    """List data sets."""
    with session.client() as warren:
        records = [each.record for each in warren.datasets.list(begin=begin, limit=limit)]
    session.give(
        {"datasets": [as_json(each) for each in records]},
        [each.id for each in records],
        lambda: console.print_table(DATASET_HEADING, map(dataset_row, records)),
    )


@datasets.command()
@ID
@click.pass_obj
def show(session: Session, dataset_id: str) -> None:
    """Describe a data set and its columns."""
    with session.client() as warren:
        record = warren.datasets[dataset_id].record
    session.give(as_json(record), record.id, lambda: _show(record))


@datasets.command()
@click.argument("file")
@click.argument("dataset_id", metavar="[ID]", type=named, required=False)
@click.pass_obj
def put(session: Session, file: str, dataset_id: str | None) -> None:
    """Store FILE, or stdin for -, as the data set ID; without one its content names it."""
    with session.client() as warren, table_file(file) as path:
        record = warren.datasets.upload(path, dataset_id=dataset_id).record
    session.give(as_json(record), record.id, lambda: console.print_fields(_fields(record)))


@datasets.command("rm")
@ID
@YES
@click.pass_obj
def remove(session: Session, dataset_id: str, yes: bool) -> None:
    """Delete a data set with all its versions. Models that learnt from it stay."""
    confirm(f"Delete data set {dataset_id} for good?", yes=yes)
    with session.client() as warren:
        warren.datasets.delete(dataset_id)
    session.give(
        {"id": dataset_id, "deleted": True},
        dataset_id,
        lambda: click.echo(console.plain(f"data set {dataset_id} is deleted")),
    )


def _fields(dataset: DatasetRecord) -> dict[str, Any]:
    return {
        "data set": dataset.id,
        "version": dataset.version,
        "rows": dataset.rows,
        "size": size_text(dataset.size),
    }


def _show(dataset: DatasetRecord) -> None:
    console.print_fields(_fields(dataset))
    if isinstance(dataset.columns, list) and dataset.columns:
        click.echo()
        rows = [[each.get(name) for name in _MEMBERS] for each in dataset.columns]
        console.print_table(COLUMNS, rows)
    for warning in dataset.warnings:
        console.print_fields({"warning": warning.get("detail")})
