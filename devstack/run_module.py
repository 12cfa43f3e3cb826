"""Run one of our own modules to its end, with the settings of the applications."""

import subprocess
import sys
from collections.abc import Mapping

from devstack.layout import ROOT
from devstack.program import ProgramError, inherited


def run_module(settings: Mapping[str, str], *arguments: str) -> str:
    """Run `python -m` to its end with the settings of the applications; return what it printed.

    Raises `ProgramError`.
    """
    ended = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=inherited() | dict(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise ProgramError(f"python -m {' '.join(arguments)} failed:\n{ended.stderr}")
    return ended.stdout
