"""`warren login`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from warren_cli.command import Command
from warren_cli.session import Session

if TYPE_CHECKING:
    from warren_client.profiles import Profile

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def _profile_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise click.BadParameter(f"{text!r} is no name: use letters, digits, _, - and .")
    return text


@click.command(cls=Command)
@click.argument("name", default="default", type=_profile_name, metavar="[NAME]")
@click.option("--no-key", is_flag=True, help="That server asks for no key.")
@click.option(
    "--ca-file",
    envvar="WARREN_CA_FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The authorities that may sign the server's certificate, in PEM.",
)
@click.option("--use/--no-use", default=True, help="Whether commands use it unless told otherwise.")
@click.pass_obj
def login(session: Session, name: str, no_key: bool, ca_file: Path | None, use: bool) -> None:
    """Keep an address (--url) and a key as the profile NAME, once the server has taken the key.

    The key is asked for, or read from stdin if that is no terminal. A key on the command line could
    be seen by others.
    """
    from warren_cli.profiles import keep_profile
    from warren_client.profiles import Profile, find_server

    url = session.url or find_server(profile=session.profile).url
    authority = str(ca_file.resolve()) if ca_file else None
    profile = Profile(url=url, api_key=None if no_key else _key(), ca_file=authority)
    _check(profile)
    path = keep_profile(name, profile, default=use)
    found = {"profile": name, "url": url, "file": str(path)}
    session.give(found, name, lambda: click.echo(f"{name} is {url}; {path} keeps it"))


def _key() -> str | None:
    if sys.stdin.isatty():
        return str(click.prompt("API key", hide_input=True, err=True)).strip()
    return sys.stdin.readline().strip() or None


def _check(profile: Profile) -> None:
    """Ask the server for something small. Raises `WarrenError` if it does not know the key."""
    from warren_client import Warren
    from warren_client.errors import Forbidden

    with Warren(profile.url, api_key=profile.api_key, ca_file=profile.ca_file) as warren:
        try:
            next(iter(warren.jobs.list(limit=1)), None)
        except Forbidden:
            return  # a key of other scopes
