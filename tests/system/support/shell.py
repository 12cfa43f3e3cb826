"""The program `warren`, as it is typed into a shell."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devstack.layout import ROOT
from devstack.program import inherited
from tests.support.child import child
from tests.system.conftest import Running
from tests.system.support.processes import trusted

SECONDS = 300
WARREN = Path(sys.executable).with_name("warren")


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def object(self) -> Any:
        """The one object on stdout."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Shell:
    """A folder with a user's files, and the variables of the environment."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, running: Running, folder: Path) -> "Shell":
        """Return a shell that asks the module's Warren."""
        variables = {"WARREN_URL": str(running.http.base_url).rstrip("/")}
        return cls(folder, variables | trusted(running.stack.environment))

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a program: the checkout's code comes first."""
        path = os.pathsep.join([str(ROOT / "clients" / "python"), str(ROOT)])
        home = {"HOME": str(self.folder), "PYTHONPATH": path}
        programs = os.pathsep.join([str(WARREN.parent), os.environ["PATH"]])
        return inherited() | home | {"PATH": programs} | self.variables

    def starts(self, *arguments: str, stdin: Any = subprocess.DEVNULL) -> Any:
        """Start the program; a context manager."""
        return child(
            [WARREN, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, typed: str | None = None) -> Ended:
        """Run the program to its end, with a text on stdin or without stdin."""
        stdin = subprocess.DEVNULL if typed is None else subprocess.PIPE
        with self.starts(*arguments, stdin=stdin) as process:
            out, err = process.communicate(typed, timeout=SECONDS)
        assert "Traceback" not in err, err
        return Ended(process.returncode, out, err)

    def reads(self, *arguments: str, typed: str | None = None) -> Any:
        """Run the program with `--json`; return the object of a success."""
        ended = self(*arguments, "--json", typed=typed)
        assert ended.code == 0, ended
        return ended.object
