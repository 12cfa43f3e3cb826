"""`warren endpoints`."""

from __future__ import annotations

from typing import Any

import click

from warren_cli import console
from warren_cli.arguments import named
from warren_cli.command import Commands
from warren_cli.confirm import YES, confirm
from warren_cli.records import as_json, model_fields, reference
from warren_cli.session import Session
from warren_cli.values import nested, pair

HEADING = ("ID", "NAME", "WHERE", "SECONDS", "LIMIT")
ID = click.argument("model_id", metavar="ID", type=named)
_SAID = {"url": "the argument URL", "name": "--name"}


@click.group(cls=Commands)
def endpoints() -> None:
    """List, show, register and delete endpoints: models that run elsewhere, behind HTTP."""


@endpoints.command("ls")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1))
@click.pass_obj
def list_(session: Session, limit: int) -> None:
    """List endpoints, the newest first."""
    with session.client() as warren:
        found = list(warren.models.list(kind="endpoint", limit=limit))
        records = [each.record for each in found]
        if not (session.as_json or session.quiet):
            records = [warren.models[each.model_id].record for each in records]
    session.give(
        {"models": [as_json(each) for each in records]},
        [each.model_id for each in records],
        lambda: console.print_table(HEADING, [_row(as_json(each)) for each in records]),
    )


@endpoints.command()
@ID
@click.pass_obj
def show(session: Session, model_id: str) -> None:
    """Describe an endpoint: where it is, and how it is called."""
    with session.client() as warren:
        record = warren.models[model_id].record
    told = as_json(record)
    members = ("secret", "sends", "seconds", "limit", "idempotent", "sample")
    more = {"where": _where(told)} | {each: told.get(each) for each in members}
    fields = {**model_fields(record), **more}
    session.give(told, record.model_id, lambda: console.print_fields(fields))


@endpoints.command()
@ID
@click.argument("where", metavar="[URL]", type=named, required=False)
@click.option(
    "--set",
    "pairs",
    metavar="NAME=VALUE",
    type=pair,
    multiple=True,
    help="Another member, such as seconds=30, secret.name=churn or sagemaker.endpoint_name=churn.",
)
@click.option("--name", type=named, help="The name of which it becomes the next version.")
@click.pass_obj
def put(
    session: Session,
    model_id: str,
    where: str | None,
    pairs: tuple[tuple[str, Any], ...],
    name: str | None,
) -> None:
    """Register what answers at URL as ID.

    The host has to be one that the server calls, see its setting INVOKE_HOSTS. For SageMaker, set
    sagemaker.endpoint_name instead of the URL. A model never changes: the same endpoint again is
    the same model, another one is refused.
    """
    described = nested(pairs)
    for each in described.keys() & _SAID.keys():
        raise click.UsageError(f"--set {each}: use {_SAID[each]}, which says it")
    if where is not None:
        described["url"] = where
    if not described.keys() & {"url", "sagemaker"}:
        raise click.UsageError("say where it is: a URL, or --set sagemaker.endpoint_name=...")
    with session.client() as warren:
        record = warren.models.register(model_id, described, name).record
    session.give(
        as_json(record), record.model_id, lambda: console.print_fields(model_fields(record))
    )


@endpoints.command("rm")
@ID
@YES
@click.pass_obj
def remove(session: Session, model_id: str, yes: bool) -> None:
    """Delete an endpoint; the model that runs elsewhere stays. The id is never used again."""
    with session.client() as warren:
        found = warren.models[model_id]
        if found.record.kind != "endpoint":
            raise click.UsageError(f"{model_id} is no endpoint; use `warren models rm`")
        confirm(f"Delete endpoint {reference(found.record) or found.id} for good?", yes=yes)
        warren.models.delete(model_id)
    told = {"model_id": found.id, "deleted": True}
    session.give(told, found.id, lambda: click.echo(f"endpoint {found.id} is deleted"))


def _row(told: dict[str, Any]) -> tuple[Any, ...]:
    name = f"{told['name']}:{told['version']}" if told.get("name") else None
    return told["model_id"], name, _where(told), told.get("seconds"), told.get("limit")


def _where(told: dict[str, Any]) -> str | None:
    """Return the address of an endpoint, or its name at SageMaker."""
    there = told.get("sagemaker")
    return f"sagemaker {there['endpoint_name']}, {there['region']}" if there else told.get("url")
