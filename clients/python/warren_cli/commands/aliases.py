"""What `warren models` does with names: promote, roll back, history, versions, aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from warren_cli import console
from warren_cli.arguments import model_reference, named
from warren_cli.command import Command
from warren_cli.confirm import YES, confirm
from warren_cli.records import time
from warren_cli.session import Session

if TYPE_CHECKING:
    from warren_client import Model, Warren

VERSIONS_HEADING = ("VERSION", "MODEL", "CREATED", "DELETED", "ALIASES")
HISTORY_HEADING = ("WHEN", "WHAT", "WHO", "FROM", "TO", "WHY")
_HISTORY = ("kind", "actor", "from_version", "to_version", "why")

NAME = click.argument("name", type=named)
ALIAS = click.argument("alias", type=named)


@click.command(cls=Command)
@click.argument("model", type=model_reference)
@ALIAS
@click.option("--why", help="The reason, which the history keeps.")
@click.option("--metric", help="Refuse unless this is as good as that of the present version.")
@click.option("--force", is_flag=True, help="Also if it is worse.")
@click.pass_obj
def promote(
    session: Session, model: str, alias: str, why: str | None, metric: str | None, force: bool
) -> None:
    """Let ALIAS, such as champion, mean MODEL: NAME:VERSION, such as churn:3, or an id."""
    from warren_client.errors import Conflict

    with session.client() as warren:
        found = lasting(warren, model)
        try:
            answer = found.promote(alias, why=why, force=force, metric=metric)
        except Conflict as error:
            if "comparison" in (error.problem or {}):
                reason = error.detail.partition("; send force")[0]
                error.detail = f"{reason}; --force sets it all the same"
            raise
    text = f"{found.name}@{alias} is version {found.version}, model {found.id}"
    told = {"name": found.name, "alias": alias, "model_id": found.id, **answer}
    session.give(told, found.id, lambda: click.echo(console.plain(text)))


@click.command(cls=Command)
@NAME
@ALIAS
@click.option("--why", help="The reason, which the history keeps.")
@click.pass_obj
def rollback(session: Session, name: str, alias: str, why: str | None) -> None:
    """Let ALIAS of NAME mean the version that it meant before."""
    with session.client() as warren:
        answer = warren.models.rollback(name, alias, why)
        found = warren.models[f"{name}@{alias}"]
    text = f"{name}@{alias} is version {found.version} again, model {found.id}"
    told = {"name": name, "alias": alias, "model_id": found.id, **answer}
    session.give(told, found.id, lambda: click.echo(console.plain(text)))


@click.command(cls=Command)
@NAME
@ALIAS
@click.pass_obj
def history(session: Session, name: str, alias: str) -> None:
    """Tell which version ALIAS of NAME meant when, who changed it, and why."""
    with session.client() as warren:
        entries = warren.models.history(name, alias)
    rows = [(time(e["changed_at"]), *(e.get(member) for member in _HISTORY)) for e in entries]
    session.give(
        {"history": entries},
        [console.plain(each.get("to_version")) for each in entries],
        lambda: console.print_table(HISTORY_HEADING, rows),
    )


@click.command(cls=Command)
@NAME
@click.pass_obj
def versions(session: Session, name: str) -> None:
    """List the versions of NAME with their models and aliases."""
    with session.client() as warren:
        found = warren.models.versions(name)
    rows = [
        (
            *(each["version"], each["model_id"]),
            *(time(each["created_at"]), time(each.get("deleted_at"))),
            ", ".join(each["aliases"]),
        )
        for each in found
    ]
    session.give(
        {"versions": found},
        [console.plain(each.get("model_id")) for each in found],
        lambda: console.print_table(VERSIONS_HEADING, rows),
    )


@click.command("rm-alias", cls=Command)
@NAME
@ALIAS
@YES
@click.pass_obj
def remove_alias(session: Session, name: str, alias: str, yes: bool) -> None:
    """Delete ALIAS of NAME. The model that it means stays, and so does its history."""
    with session.client() as warren:
        found = warren.models[f"{name}@{alias}"]
        meant = f"{name}@{alias}, which is version {found.version}"
        confirm(f"Delete the alias {console.plain(meant)}?", yes=yes)
        warren.models.delete_alias(name, alias)
    told = {"name": name, "alias": alias, "model_id": found.id, "deleted": True}
    text = f"the alias {name}@{alias} is deleted"
    session.give(told, found.id, lambda: click.echo(console.plain(text)))


def lasting(warren: Warren, model: str) -> Model:
    """Return the model that a reference means for ever. Raises `click.UsageError` for another."""
    if ":" in model:
        return warren.models[model]
    movable = "@" in model or _plain(model) == "latest"
    found = None if movable else warren.models[model]
    if found is None or _plain(model) != _plain(found.id):
        raise click.UsageError(
            f"{model} may mean another version by the time it is read: name the version, such as "
            "churn:3, or the id of the model"
        )
    return found


def _plain(name: str) -> str:
    """Return a name without its owner."""
    return name.rpartition("~")[2]
