"""`warren profiles`."""

import click

from warren_cli import console
from warren_cli.arguments import named
from warren_cli.command import Commands, complete_profile
from warren_cli.session import Session

NAME = click.argument("name", type=named, shell_complete=complete_profile)


@click.group(cls=Commands)
def profiles() -> None:
    """List, choose and delete the addresses and keys that `warren login` keeps."""


@profiles.command("ls")
@click.pass_obj
def list_(session: Session) -> None:
    """List the profiles; the default one has a star."""
    from warren_client.credentials import without_user
    from warren_client.profiles import config_file, read_profiles

    known = read_profiles()
    found = [
        {
            "name": name,
            "url": without_user(each.url),
            "key": _id_of(each.api_key),
            "ca_file": each.ca_file,
            "default": name == known.default,
        }
        for name, each in sorted(known.profiles.items())
    ]
    rows = [("*" if e["default"] else "", *list(e.values())[:4]) for e in found]
    heading = ("", "NAME", "URL", "KEY", "CA FILE")
    session.give(
        {"profiles": found, "file": str(config_file())},
        [str(each["name"]) for each in found],
        lambda: console.print_table(heading, rows),
    )


@profiles.command()
@NAME
@click.pass_obj
def use(session: Session, name: str) -> None:
    """Make a profile the default one."""
    from warren_cli.profiles import keep_profile, require_profile
    from warren_client.profiles import read_profiles

    kept = require_profile(read_profiles(), name)
    keep_profile(name, kept, default=True)
    session.give({"profile": name}, name, lambda: click.echo(f"{name} is the default profile"))


@profiles.command("rm")
@NAME
@click.pass_obj
def remove(session: Session, name: str) -> None:
    """Forget a profile. The key stays valid."""
    from warren_cli.profiles import drop_profile

    drop_profile(name)
    session.give({"profile": name}, name, lambda: click.echo(f"{name} is forgotten"))


def _id_of(key: str | None) -> str | None:
    """Return the part of a key that is no secret, which is its id."""
    prefix, _, rest = (key or "").partition("_")
    known, _, secret = rest.partition("_")
    return f"{prefix}_{known}_..." if secret else ("..." if key else None)
