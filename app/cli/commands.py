"""What the commands share: one line for a failure, one object for `--json`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

from app import errors
from app.settings import Settings
from app.settings.refused import REFUSED, wrong_settings

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Failure(click.ClickException):
    """An error that a command ends with; `error_type` is its name, by which `warren` exits."""

    def __init__(self, error: errors.WarrenError) -> None:
        """Keep what it says."""
        super().__init__(errors.escaped(error.detail))
        self.error_type = error.type


class Command(click.Command):
    """A command that reports a failure in one line, with status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it."""
        with _in_one_line():
            return super().invoke(ctx)


class Commands(click.Group):
    """A group whose commands report a failure in the same way."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _in_one_line():
            return super().invoke(ctx)


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except errors.WarrenError as error:
        raise Failure(error) from None


def read_settings() -> Settings:
    """Return the settings. Raises `click.ClickException`, which names those that are wrong."""
    try:
        return Settings()
    except REFUSED as error:
        raise click.ClickException("; ".join(wrong_settings(error))) from None


def is_below_warren() -> bool:
    """Tell whether the command runs as one of `warren`, where `--json` prints one object."""
    return click.get_current_context().find_root().info_name == "warren"


def print_object(value: Mapping[str, Any]) -> None:
    """Print a JSON object on a line."""
    click.echo(json.dumps(value))


def tell(value: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    """Print a result: as JSON, or in words."""
    if as_json:
        print_object(value)
    else:
        click.echo(text)


def print_lines(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a JSON object per row; below `warren` one, whose member `name` has all of them."""
    if is_below_warren():
        print_object({name: rows})
    else:
        for row in rows:
            click.echo(errors.escaped(json.dumps(row)))
