"""What `warren models` does with whole names: list, describe, split, shadow, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from warren_cli import console
from warren_cli.arguments import model_reference, named, share, weight
from warren_cli.command import Command
from warren_cli.commands.aliases import NAME, lasting
from warren_cli.confirm import YES, confirm
from warren_cli.records import time
from warren_cli.session import Session

NAMES_HEADING = ("NAME", "VERSIONS", "SPLIT", "TAGS", "CREATED", "DESCRIPTION")
COMPARED_HEADING = ("VERSIONS", "CALLS", "ROWS", "DISAGREED", "MEAN", "MAX", "FAILED", "DROPPED")
_COMPARED = ("calls", "rows", "disagreed", "difference_mean", "difference_max", "failed", "dropped")


@click.command("names", cls=Command)
@click.option("--tag", help="Only names with this tag.")
@click.option("--sort", metavar="ORDER", help="Such as name; by default the newest first.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1))
@click.pass_obj
def names(session: Session, tag: str | None, sort: str | None, limit: int) -> None:
    """List the names of models."""
    with session.client() as warren:
        found = list(warren.names.list(tag=tag, sort=sort, limit=limit))
    rows = [
        (
            *(each["name"], each["last_version"], _weights(each["split"])),
            *(", ".join(each["tags"]) or None, time(each["created_at"]), each["description"]),
        )
        for each in found
    ]
    session.give(
        {"names": found},
        [each["name"] for each in found],
        lambda: console.print_table(NAMES_HEADING, rows),
    )


@click.command(cls=Command)
@click.argument("name", metavar="NAME[:VERSION]", type=model_reference)
@click.option("--description", metavar="TEXT", help="What it is for; '' deletes it.")
@click.option("--tag", "tags", multiple=True, type=named, help="A tag; may be repeated.")
@click.option("--no-tags", is_flag=True, help="Delete the tags.")
@click.pass_obj
def describe(
    session: Session, name: str, description: str | None, tags: tuple[str, ...], no_tags: bool
) -> None:
    """Change what a name, or a version of it, is for, and its tags; without options, show them.

    The tags replace those of before. What is not given stays.
    """
    if no_tags and tags:
        raise click.UsageError("--no-tags and --tag contradict each other")
    if "@" in name:
        raise click.UsageError(f"{name} is an alias; describe a name, or a version such as churn:3")
    called, _, number = name.partition(":")
    version = int(number) if number else None
    said = list(tags) if tags or no_tags else None
    with session.client() as warren:
        if description is not None or said is not None:
            found = warren.names.describe(called, description, said, version)
        elif version is not None:
            found = warren.names.version(called, version)
        else:
            found = warren.names[called]
    session.give(found, name, lambda: console.print_fields(_fields(found)))


@click.command(cls=Command)
@NAME
@click.argument("weights", metavar="[VERSION=WEIGHT]...", type=weight, nargs=-1)
@click.option("--end", is_flag=True, help="Let all calls get the newest version again.")
@click.pass_obj
def split(session: Session, name: str, weights: tuple[tuple[int, float], ...], end: bool) -> None:
    """Split the calls of NAME among its versions, such as v1=90 v2=10; without weights, show it."""
    if end and weights:
        raise click.UsageError("--end and weights contradict each other")
    if len(dict(weights)) < len(weights):
        raise click.UsageError("a version is given twice")
    with session.client() as warren:
        if end:
            warren.names.end_split(name)
        found = warren.names.split(name, dict(weights)) if weights else warren.names[name]
    text = f"{name}: {_weights(found['split']) or 'all calls get the newest version'}"
    session.give(found, name, lambda: click.echo(console.plain(text)))


@click.command(cls=Command)
@click.argument("model", metavar="NAME[:VERSION]", type=model_reference)
@click.argument("alias", required=False, type=named)
@click.option("--share", type=share, help="The share of the calls, to 1; by default all of them.")
@click.option("--end", is_flag=True, help="Delete the shadow and what was compared.")
@click.pass_obj
def shadow(session: Session, model: str, alias: str | None, share: float | None, end: bool) -> None:
    """Send calls of ALIAS to NAME:VERSION, too, and compare; with NAME alone, show what came of it.

    The answers of the shadow go nowhere. The version may also be given by its id.
    """
    if alias is None and share is not None:
        raise click.UsageError("--share needs the ALIAS whose calls it is a share of")
    if end and alias is not None:
        raise click.UsageError("--end takes NAME alone")
    with session.client() as warren:
        if alias is not None:
            version = lasting(warren, model)
            if version.name is None or version.version is None:
                raise click.UsageError(f"model {model} has no name; the shadow is one of a name")
            every = 1.0 if share is None else share
            found = warren.names.set_shadow(version.name, version.version, alias, every)
        elif end:
            warren.names.end_shadow(model)
            found = {"name": model, "deleted": True}
        else:
            found = warren.names.shadow(model)
    show = (lambda: click.echo(f"{model} has no shadow now")) if end else (lambda: _show(found))
    session.give(found, found.get("model_id", model), show)


@click.command("rm-name", cls=Command)
@NAME
@YES
@click.pass_obj
def remove_name(session: Session, name: str, yes: bool) -> None:
    """Delete NAME, if it never had a version; one that had is kept, because its history is."""
    with session.client() as warren:
        _ = warren.names[name]
        confirm(f"Delete the name {console.plain(name)} for good?", yes=yes)
        warren.names.delete(name)
    told = {"name": name, "deleted": True}
    session.give(told, name, lambda: click.echo(console.plain(f"the name {name} is deleted")))


def _weights(split: Mapping[str, float] | None) -> str | None:
    if split is None:
        return None
    return ", ".join(f"v{each}={console.plain(given)}" for each, given in split.items())


def _fields(found: Mapping[str, Any]) -> dict[str, Any]:
    members = ("name", "version", "model_id", "last_version", "description")
    fields = {each.replace("_", " "): found.get(each) for each in members}
    return fields | {"tags": ", ".join(found["tags"]), "split": _weights(found.get("split"))}


def _show(found: Mapping[str, Any]) -> None:
    name = found["name"]
    console.print_fields(
        {
            "alias": f"{name}@{found['alias']}, version {found['base_version']}",
            "shadow": f"version {found['version']}, model {found['model_id']}",
            "share": found["share"],
        }
    )
    if found["compared"]:
        click.echo()
        rows = [
            (f"{each['base_version']} and {each['version']}", *(each[m] for m in _COMPARED))
            for each in found["compared"]
        ]
        console.print_table(COMPARED_HEADING, rows)
