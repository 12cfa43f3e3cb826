"""Ask before something is deleted for good."""

import sys

import click

from warren_cli.failures import Failure

YES = click.option("--yes", is_flag=True, help="Do not ask; without a terminal nobody is asked.")


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal. Raises `Failure` unless the answer is yes."""
    if yes or not sys.stdin.isatty():
        return
    if not click.confirm(question, err=True):
        raise Failure("nothing was changed", type="not_confirmed")
