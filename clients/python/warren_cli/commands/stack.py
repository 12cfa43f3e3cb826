"""`warren up` and `warren down`: the local stack of a checkout."""

import sys
from contextlib import redirect_stdout

import click

from warren_cli import exit_codes
from warren_cli.command import Command
from warren_cli.failures import Failure
from warren_cli.session import Session

PROFILE = "local"


@click.command(cls=Command)
@click.pass_obj
def up(session: Session) -> None:
    """Start RabbitMQ, an S3 server, the producer and a consumer, and wait until they work.

    Settings in the environment count, as for `make up`, which also installs what is missing. The
    profile `local` keeps the address, and the key if there is one.
    """
    from devstack.first_key import kept_key, needs_keys
    from devstack.layout import RUN, api_address, ca_file, last_settings
    from warren_cli.profiles import keep_profile
    from warren_client.profiles import Profile

    _run("up", session)
    settings = last_settings()
    authority = ca_file(settings)
    profile = Profile(
        url=api_address(settings),
        api_key=kept_key(RUN) if needs_keys(settings) else None,
        ca_file=str(authority) if authority else None,
    )
    keep_profile(PROFILE, profile, default=False)
    found = {"url": profile.url, "ca_file": profile.ca_file, "profile": PROFILE}
    session.give(found, profile.url, lambda: None)


@click.command(cls=Command)
@click.pass_obj
def down(session: Session) -> None:
    """Stop the local stack. Its data stay in .run."""
    _run("down", session)
    session.give({"stopped": True}, [], lambda: None)


def _run(command: str, session: Session) -> None:
    """Run a command of the stack; its words are the result unless an object or an id is."""
    from devstack.stack import main

    words = sys.stderr if session.as_json or session.quiet else sys.stdout
    with redirect_stdout(words):
        code = main(command)
    if code == exit_codes.INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        raise Failure(f"`warren {command}` failed; the lines above say why", type="stack")
