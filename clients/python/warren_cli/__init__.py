"""The command line `warren`."""

import sys
from importlib.util import find_spec

_NEEDS = "`warren` needs click, which is not installed: pip install click rich"


def main() -> None:
    """Run the program. Exits with its code."""
    if find_spec("click") is None:
        sys.exit(_NEEDS)
    from warren_cli.program import warren

    warren(prog_name="warren")
