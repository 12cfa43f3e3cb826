"""Make, list, revoke and rotate API keys: `python -m app.cli keys --help`."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from math import isnan
from typing import Any

import click
from pydantic import ValidationError

from app import errors
from app.auth import store
from app.auth.api_key import MAX_DAYS, ApiKey, NewKey, in_order
from app.auth.identity import ALL_SCOPES, DEFAULT_OWNER, Scope
from app.auth.key_limits import MAX_QUEUED, MAX_RATE, MIN_RATE, limits_text
from app.cli.actor import operator
from app.cli.commands import JSON, Commands, is_below_warren, print_object, read_settings
from app.cli.database import open_database
from app.database.engine import Engine
from app.observability import logs
from app.protocol.sentences import explain

ALL = "all"
HOUR_SECONDS = 3600
ROW = "{:9} {:24} {:16} {:10} {:17} {:17} {:24} {}"


class Finite(click.FloatRange):
    """A range of numbers without nan, which no comparison refuses."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number. Raises `click.BadParameter`."""
        number = super().convert(value, param, ctx)
        if isnan(number):
            self.fail(f"{value} is no number", param, ctx)
        return number


RATE = Finite(MIN_RATE, MAX_RATE)


@click.group(cls=Commands)
@click.pass_context
def keys(context: click.Context) -> None:
    """Make, list, revoke and rotate API keys.

    A change reaches all producers within 2 seconds.
    """
    logs.configure("WARNING")
    engine = open_database(read_settings())
    context.call_on_close(engine.dispose)
    context.obj = engine


@keys.command()
@click.option("--name", required=True, help="What the key is for.")
@click.option("--owner", default=DEFAULT_OWNER, show_default=True, help="The team it belongs to.")
@click.option(
    "--scope",
    "scopes",
    required=True,
    multiple=True,
    type=click.Choice([*(each.value for each in Scope), ALL]),
    help="What it allows; may be repeated.",
)
@click.option("--days", type=Finite(0, MAX_DAYS, min_open=True), help="When it expires.")
@click.option(
    "--max-requests",
    type=RATE,
    help="How many requests it may send a second to each producer, beside its owner's limit.",
)
@click.option("--max-rows", type=RATE, help="How many rows it may have predicted a second.")
@click.option(
    "--max-queued", type=click.IntRange(1, MAX_QUEUED), help="How many of its jobs may wait."
)
@JSON
@click.pass_obj
def create(
    engine: Engine,
    /,
    name: str,
    owner: str,
    scopes: tuple[str, ...],
    days: float | None,
    as_json: bool,
    **limits: float | None,
) -> None:
    """Make a key and print it. It is shown this once, and stored nowhere."""
    chosen = list(Scope) if ALL in scopes else list(map(Scope, scopes))
    try:
        new = NewKey.model_validate(
            {"name": name, "owner": owner, "scopes": chosen, "days": days, **limits}
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise click.UsageError(f"--{first['loc'][0]}: {explain(first)}") from None
    tell(*store.create_key(engine, new, operator()), as_json=as_json)


@keys.command("list")
@JSON
@click.pass_obj
def list_(engine: Engine, as_json: bool) -> None:
    """List all keys, the newest first, without their secrets."""
    found = store.list_keys(engine)
    if as_json:
        listed = [fields(each) for each in found]
        click.echo(json.dumps({"keys": listed} if is_below_warren() else listed, indent=2))
        return
    click.echo(line(("id", "name", "owner", "state", "expires", "last used", "scopes", "limits")))
    for each in found:
        state = state_of(each, datetime.now(UTC))
        times = (minute(each.expires_at), minute(each.last_used_at))
        scopes = ALL if each.scopes == ALL_SCOPES else ",".join(fields(each)["scopes"])
        limits = limits_text(vars(each)) or "-"
        click.echo(line((each.id, each.name, each.owner, state, *times, scopes, limits)))


@keys.command()
@click.argument("key_id", metavar="ID")
@JSON
@click.pass_obj
def revoke(engine: Engine, key_id: str, as_json: bool) -> None:
    """Revoke a key for good."""
    found = store.revoke_key(engine, key_id, operator())
    if as_json:
        print_object(fields(found))
        return
    click.echo(f"{found.id} is revoked; every producer refuses it within 2 seconds")


@keys.command()
@click.argument("key_id", metavar="ID")
@click.option(
    "--overlap",
    default=24.0,
    show_default=True,
    type=Finite(0, MAX_DAYS * 24),
    help="For how many hours the old key still works.",
)
@JSON
@click.pass_obj
def rotate(engine: Engine, key_id: str, overlap: float, as_json: bool) -> None:
    """Replace a key by a new one with the same owner, scopes and limits, and print that."""
    made = store.rotate_key(engine, key_id, overlap * HOUR_SECONDS, operator())
    tell(*made, as_json=as_json)


def tell(key: ApiKey, text: str, *, as_json: bool) -> None:
    """Print a new key: alone on the output, so that a script can take it."""
    if as_json:
        click.echo(json.dumps(fields(key) | {"key": text}, indent=2))
        return
    until = f"expires {minute(key.expires_at)}" if key.expires_at else "never expires"
    has = f"owner {key.owner}, scopes {', '.join(fields(key)['scopes'])}"
    told = ", ".join(filter(None, (has, limits_text(vars(key)), until)))
    click.echo(
        errors.escaped(f"{key.id} ({key.name}): {told}. ")
        + "Keep the key now: nobody can read it again.",
        err=True,
    )
    click.echo(text)


def fields(key: ApiKey) -> dict[str, Any]:
    """Return what is known of a key, as JSON has it."""
    times = {
        name: value.isoformat() if value else None
        for name, value in vars(key).items()
        if name.endswith("_at")
    }
    return {**vars(key), **times, "scopes": in_order(key.scopes)}


def state_of(key: ApiKey, now: datetime) -> str:
    """Return whether a key is valid, revoked or expired."""
    if key.revoked_at:
        return "revoked"
    return "expired" if key.expires_at and key.expires_at <= now else "valid"


def minute(time: datetime | None) -> str:
    """Return a time in UTC, to the minute."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ") if time else "-"


def line(cells: Iterable[str]) -> str:
    """Return a line of the table."""
    return errors.escaped(ROW.format(*cells))
