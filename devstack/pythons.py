"""The tests, run with each version of Python that is supported, in an environment of its own.

`PYTHONS="python3.13 /path/to/python3.14"` names others. A version that is not on the PATH is
installed below .run/pythons: by uv, or on Debian from a newer Debian.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from devstack.console import complain, say
from devstack.debian import output, quietly
from devstack.debian_python import fetch
from devstack.layout import ROOT, RUN
from devstack.program import ProgramError
from devstack.subprocesses import INTERRUPTIONS, run

SUPPORTED = ("python3.11", "python3.13", "python3.14")

LOG = RUN / "log" / "pythons.log"
FOLDER = RUN / "pythons"


def version(python: str | Path) -> str | None:
    """Return an interpreter's version, "3.13.5"; None if it does not run, as a pyenv shim may."""
    try:
        (found,) = output(python, "-c", "import platform; print(platform.python_version())")
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None
    return found


def find(name: str) -> Path:
    """Find an interpreter, or install it. Raises `ProgramError`."""
    path = shutil.which(name)
    if path and version(path):
        return Path(path)
    if not re.fullmatch(r"python3\.\d+", name):
        raise ProgramError(f"{name} is no Python that runs")
    for install in (by_uv, by_debian):
        with suppress(ProgramError):
            return install(name)
    raise ProgramError(
        f"{name} is not on the PATH, and neither uv nor Debian gives it ({LOG} tells why).\n"
        f'If you have it, name it: make test-pythons PYTHONS="/path/to/{name}"'
    )


def by_uv(name: str) -> Path:
    """Have uv download a Python from GitHub. Raises `ProgramError`."""
    uv, wanted = [sys.executable, "-m", "uv", "python"], name.removeprefix("python")
    os.environ["UV_PYTHON_INSTALL_DIR"] = str(FOLDER / "uv")
    quietly(LOG, *uv, "install", "--no-bin", wanted)
    return Path(output(*uv, "find", "--managed-python", wanted)[0])


def by_debian(name: str) -> Path:
    """Take a Python from a newer Debian. Raises `ProgramError`."""
    return fetch(name, FOLDER / name, LOG)


def environment(python: Path, found: str) -> Path:
    """Make or renew the environment of a Python of this version; return its interpreter."""
    if found == version(sys.executable):
        return Path(sys.executable)
    folder = f".venv-{'.'.join(found.split('.')[:2])}"
    settings = os.environ | {"PYTHON": str(python), "VENV": folder}
    if subprocess.run(["devstack/bootstrap.sh", "dev"], cwd=ROOT, env=settings).returncode:
        raise ProgramError(f"{folder} could not be made with {python}")
    return ROOT / folder / "bin" / "python"


def check(name: str, arguments: list[str]) -> bool:
    """Run pytest with one Python; tell whether the tests passed."""
    try:
        python = find(name)
        found = version(python)
        if found is None:
            raise ProgramError(f"{python} does not run")
        inside = environment(python, found)
    except (ProgramError, OSError) as error:
        complain(str(error))
        return False
    say(f"Python {found}")
    status = run([str(inside), "-m", "pytest", *arguments], {})
    say(f"Python {found}: {'FAILED' if status else 'passed'}")
    return not status


def main(arguments: list[str]) -> int:
    """Check all versions, also those after one that failed; return the exit status."""
    for each in INTERRUPTIONS:  # a shell's background job ignores the first
        signal.signal(each, signal.default_int_handler)
    LOG.parent.mkdir(parents=True, exist_ok=True)
    LOG.write_text("")
    names = os.environ.get("PYTHONS", "").split() or SUPPORTED
    try:
        passed = {name: check(name, arguments) for name in names}
    except KeyboardInterrupt:
        return 130
    failed = [name for name, well in passed.items() if not well]
    if failed:
        complain(f"not with {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
