"""The operator who runs a command, as the audit log names them."""

import getpass

from app.auth.actor import Actor


def operator() -> Actor:
    """Return the operator, by the name of the login; containers have none but a number."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # KeyError before Python 3.13
        name = "unknown"
    return Actor(f"command {name}")
