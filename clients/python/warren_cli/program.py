"""The program `warren`."""

import sys
from collections.abc import Sequence
from typing import Any

import click

from warren_cli import exit_codes
from warren_cli.failures import end
from warren_cli.lazy_group import LazyGroup
from warren_cli.operator_commands import operator_commands
from warren_cli.session import Session

_HERE = "warren_cli.commands"

COMMANDS = {
    "train": (f"{_HERE}.train:train", "Train a model on a file or a data set."),
    "predict": (f"{_HERE}.predict:predict", "Ask a model about rows."),
    "score": (f"{_HERE}.score:score", "Have a model answer for a whole table."),
    "jobs": (f"{_HERE}.jobs:jobs", "List, show, follow, cancel and repeat jobs."),
    "models": (
        f"{_HERE}.models:models",
        "List, upload, compare, promote, split, export and delete models.",
    ),
    "endpoints": (
        f"{_HERE}.endpoints:endpoints",
        "List, show, register and delete models that run elsewhere.",
    ),
    "datasets": (f"{_HERE}.datasets:datasets", "List, show, store and delete data sets."),
    "workers": (f"{_HERE}.workers:workers", "List the consumers."),
    "status": (f"{_HERE}.status:status", "Tell whether Warren and all that it needs work."),
    "login": (f"{_HERE}.login:login", "Keep an address and a key as a profile."),
    "profiles": (f"{_HERE}.profiles:profiles", "List, choose and delete profiles."),
    "completion": (f"{_HERE}.completion:completion", "Print the completion of a shell."),
}


class Program(LazyGroup):
    """The group of all commands, which ends with the codes of `exit_codes`."""

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        """Run a command and exit with its code."""
        arguments = list(sys.argv[1:] if args is None else args)
        # Errors of the command line are told like others, so this does not wait until it is read.
        session = Session(as_json="--json" in arguments, debug="--debug" in arguments)
        extra |= {"standalone_mode": False, "obj": session}
        try:
            code = super().main(arguments, prog_name or "warren", **extra)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  nobody else tells of it
            code = end(error, session)
        sys.exit(code if isinstance(code, int) else exit_codes.OK)


# Help is as wide as the terminal, up to a width that is read easily.
@click.group(
    cls=Program,
    table=COMMANDS | operator_commands(),
    context_settings={"max_content_width": 120},
)
@click.version_option(package_name="warren-client", prog_name="warren")
def warren() -> None:
    """Train, ask and look after models.

    The address and the key are those of WARREN_URL and WARREN_API_KEY, or of a profile that
    `warren login` keeps.
    """
