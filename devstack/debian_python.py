"""A Python of a newer Debian, unpacked into a folder: neither root nor the system has a part in it.

Its packages come by apt, which keeps its state in the folder, too. Its C library is newer than the
system's, so the loader beside it starts the interpreter, with the libraries of the folder.
"""

import shutil
from pathlib import Path

from devstack.console import say
from devstack.debian import mirror, quietly
from devstack.program import ProgramError

SUITE = "forky"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
WHEELS = "/usr/share/python-wheels"  # where Debian's ensurepip looks for pip

LIBRARIES = ["libstdc++6"]  # what our wheels need of a system

# A virtual environment's `python` is a link to this, and is known to Python by argv[0].
START = """\
#!/bin/sh
exec '{loader}' --library-path '{libraries}' --argv0 "$0" '{python}' "$@"
"""


def fetch(name: str, folder: Path, log: Path) -> Path:
    """Return the path of an interpreter such as "python3.14", fetched once into the folder.

    Raises `ProgramError` where apt has no mirror of Debian, or the suite no such Python.
    """
    if not shutil.which("apt-get"):
        raise ProgramError("this system is no Debian")
    root, complete = folder / "root", folder / "complete"
    python = root / "usr/bin" / name
    if not complete.exists():
        say(f"Fetching {name} of Debian {SUITE} into {folder} ({log} tells more)")
        shutil.rmtree(folder, ignore_errors=True)
        root.mkdir(parents=True)
        for each in download([f"{name}-venv", *LIBRARIES], folder / "apt", log):
            quietly(log, "dpkg-deb", "--extract", each, root)
        settle(root, python)
        complete.touch()
    return python


def download(packages: list[str], apt: Path, log: Path) -> list[Path]:
    """Download packages and all they depend on. Raises `ProgramError`."""
    for each in ("state/lists/partial", "cache/archives/partial"):
        (apt / each).mkdir(parents=True)
    (apt / "status").touch()  # nothing is installed, so nothing is left out
    (apt / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror(log)} {SUITE} main\n")
    options = {
        "APT::Sandbox::User": "",
        "Debug::NoLocking": "1",
        "Dir::Cache": apt / "cache",
        "Dir::Etc::SourceList": apt / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State": apt / "state",
        "Dir::State::status": apt / "status",
    }
    command = ["apt-get", "-q", "-y", *(f"-o{name}={value}" for name, value in options.items())]
    quietly(log, *command, "update")
    install = ["install", "--download-only", "--no-install-recommends"]
    quietly(log, *command, *install, *packages)
    return sorted((apt / "cache/archives").glob("*.deb"))


def settle(root: Path, python: Path) -> None:
    """Have the interpreter find in its folder what it would look for in the system."""
    (loader,) = root.glob("usr/lib/*/ld-linux*.so.*")
    binary = python.rename(python.with_name(f"{python.name}.bin"))
    python.write_text(START.format(loader=loader, libraries=loader.parent, python=binary))
    python.chmod(0o755)
    for each in {path.resolve() for path in root.glob("usr/lib/python3.*/_sysconfig*")}:
        each.write_text(each.read_text().replace(WHEELS, f"{root}{WHEELS}"))
