"""What the commands print."""

import sys


def say(text: str) -> None:
    """Print a step as it happens, also into a pipe."""
    print(f"==> {text}", flush=True)


def complain(text: str) -> None:
    """Print what went wrong."""
    print(f"\nFailed: {text}", file=sys.stderr, flush=True)
