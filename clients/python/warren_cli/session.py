"""What the options that all commands share say, and what a command prints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from warren_cli import console

if TYPE_CHECKING:
    from warren_client import Warren


@dataclass
class Session:
    """One run of the program. `job_id` is a job that goes on if the run is interrupted."""

    as_json: bool = False
    quiet: bool = False
    debug: bool = False
    url: str | None = None
    profile: str | None = None
    job_id: str | None = None

    def client(self) -> Warren:
        """Return a client of the server that options, environment or profile name.

        Raises `WarrenError` for a profile that is not there or cannot be read.
        """
        from warren_client import Warren  # a tenth of a second, of which `--help` needs nothing

        return Warren(url=self.url, profile=self.profile)

    def give(
        self,
        result: Mapping[str, Any],
        ids: str | Iterable[str],
        show: Callable[[], None],
    ) -> None:
        """Print a result: as one JSON object, as ids alone, or as `show` does for people."""
        if self.as_json:
            console.print_json(result)
        elif self.quiet:
            for each in [ids] if isinstance(ids, str) else ids:
                click.echo(console.plain(each))
        else:
            show()

    def say(self, text: str) -> None:
        """Tell on stderr what goes on, unless only the result is asked for."""
        if not self.quiet:
            console.say(text)


def session_of(context: click.Context) -> Session:
    """Return the session of a command, whatever groups between keep in their contexts."""
    found = context.find_root().obj
    assert isinstance(found, Session)
    return found
