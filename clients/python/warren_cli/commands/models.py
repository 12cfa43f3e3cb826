"""`warren models`."""

from pathlib import Path

import click

from warren_cli import console
from warren_cli.arguments import model_reference, output_file
from warren_cli.command import Commands
from warren_cli.commands.aliases import history, promote, remove_alias, rollback, versions
from warren_cli.commands.names import describe, names, remove_name, shadow, split
from warren_cli.commands.uploads import upload
from warren_cli.confirm import YES, confirm
from warren_cli.records import MODEL_HEADING, as_json, model_fields, model_row, reference
from warren_cli.session import Session

MODEL = click.argument("model", type=model_reference)


@click.group(cls=Commands)
def models() -> None:
    """List, upload, compare, promote, split, export and delete models.

    MODEL is an id, `latest`, a name, NAME:VERSION or NAME@ALIAS.
    """


@models.command("ls")
@click.option("--dataset", metavar="ID", help="Only models of this data set.")
@click.option("--kind", type=click.Choice(["trained", "onnx", "endpoint"]), help="Only these.")
@click.option("--estimator", help="Only models of this estimator.")
@click.option("--tag", help="Only models with this tag.")
@click.option("--metric", metavar="BOUND", help="Only those within a bound, such as r2>=0.4.")
@click.option("--sort", metavar="ORDER", help="Such as -metrics.r2; by default the newest first.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1))
@click.pass_obj
def list_(
    session: Session,
    dataset: str | None,
    kind: str | None,
    estimator: str | None,
    tag: str | None,
    metric: str | None,
    sort: str | None,
    limit: int,
) -> None:
    """List models."""
    with session.client() as warren:
        found = warren.models.list(
            dataset_id=dataset,
            kind=kind,
            estimator=estimator,
            tag=tag,
            metric=metric,
            sort=sort,
            limit=limit,
        )
        records = [each.record for each in found]
    session.give(
        {"models": [as_json(each) for each in records]},
        [each.model_id for each in records],
        lambda: console.print_table(MODEL_HEADING, map(model_row, records)),
    )


@models.command()
@MODEL
@click.pass_obj
def show(session: Session, model: str) -> None:
    """Describe a model: its training, its metrics, what it takes."""
    with session.client() as warren:
        record = warren.models[model].record
    session.give(
        as_json(record), record.model_id, lambda: console.print_fields(model_fields(record))
    )


@models.command()
@click.argument(
    "references", metavar="MODEL MODEL...", type=model_reference, nargs=-1, required=True
)
@click.pass_obj
def compare(session: Session, references: tuple[str, ...]) -> None:
    """Put the metrics of models side by side."""
    with session.client() as warren:
        records = [warren.models[each].record for each in references]
    measured = list(dict.fromkeys(name for each in records for name in each.metrics or {}))
    rows = [
        (asked, each.estimator, each.dataset_id, *((each.metrics or {}).get(m) for m in measured))
        for asked, each in zip(references, records, strict=True)
    ]
    session.give(
        {"models": [as_json(each) for each in records]},
        [each.model_id for each in records],
        lambda: console.print_table(("MODEL", "ESTIMATOR", "DATA SET", *measured), rows),
    )


@models.command()
@MODEL
@click.option("-o", "--output", required=True, metavar="FILE", type=output_file)
@click.option(
    "--format",
    "form",
    default="file",
    show_default=True,
    type=click.Choice(["file", "mlflow", "onnx"]),
    help="`file` is the file as it is stored; `mlflow` a zip that mlflow.pyfunc loads.",
)
@click.pass_obj
def export(session: Session, model: str, output: Path, form: str) -> None:
    """Save a model as a file."""
    with session.client() as warren:
        found = warren.models[model]
        path = found.export(form, output)
    told = {"model_id": found.id, "format": form, "file": str(path)}
    session.give(told, found.id, lambda: click.echo(console.plain(str(path))))


@models.command("rm")
@MODEL
@YES
@click.pass_obj
def remove(session: Session, model: str, yes: bool) -> None:
    """Delete a model and its file. Its id is never used again.

    An alias that points to it is moved, or deleted by `rm-alias`, first.
    """
    with session.client() as warren:
        found = warren.models[model]
        confirm(f"Delete model {reference(found.record) or found.id} for good?", yes=yes)
        warren.models.delete(model)
    told = {"model_id": found.id, "deleted": True}
    session.give(told, found.id, lambda: click.echo(f"model {found.id} is deleted"))


for each in (upload, promote, rollback, history, versions, remove_alias):
    models.add_command(each)
for each in (names, describe, split, shadow, remove_name):
    models.add_command(each)
