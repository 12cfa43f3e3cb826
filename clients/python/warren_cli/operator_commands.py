"""The commands of operators, which are there where the server's code is installed."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from warren_cli.lazy_group import Table

_PLUG_IN = "app.cli.plug_in"
_STACK = {
    "up": ("warren_cli.commands.stack:up", "Start the local stack of this checkout."),
    "down": ("warren_cli.commands.stack:down", "Stop the local stack; its data stay."),
}


def has_module(name: str) -> bool:
    """Tell whether a module can be imported; only the packages around it are."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of a package around it
        return False


def operator_commands(has: Callable[[str], bool] = has_module) -> Table:
    """Return the commands that the server's code has: none where it is not installed."""
    found: Table = {}
    if has("devstack.stack"):
        found |= _STACK
    if has(_PLUG_IN):
        found |= import_module(_PLUG_IN).COMMANDS
    return found
