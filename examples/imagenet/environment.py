"""The example's own Python, with PyTorch in it, and what that exports: made once."""

import hashlib
import subprocess
import sys
from pathlib import Path

from devstack.console import say
from devstack.program import ProgramError, tail

HERE = Path(__file__).parent
BUILD = HERE / "build"
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"


def prepare() -> Path:
    """Return the folder of the exported models. Raises `ProgramError` with the end of the log."""
    BUILD.mkdir(exist_ok=True)
    installed, exported = stamp("requirements.txt"), stamp("requirements.txt", "export.py")
    if not made(VENV, installed):
        say("Making an environment with PyTorch in examples/imagenet/.venv, about a minute")
        logged(sys.executable, "-m", "venv", "--clear", str(VENV))
        pip = ("-m", "pip", "install", "--no-compile", "--no-input", "--disable-pip-version-check")
        logged(str(PYTHON), *pip, "-r", str(HERE / "requirements.txt"))
        (VENV / "stamp").write_text(installed)
    if not made(BUILD, exported):
        say("Exporting lite0 and lite2 to ONNX, about 20 seconds")
        logged(str(PYTHON), str(HERE / "export.py"))
        (BUILD / "stamp").write_text(exported)
    return BUILD


def stamp(*files: str) -> str:
    """Return what changes when any of the files or the interpreter does."""
    parts = [(HERE / name).read_bytes() for name in files]
    parts += [sys.version.encode(), str(HERE).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def made(folder: Path, wanted: str) -> bool:
    """Whether a folder was finished with this stamp."""
    found = folder / "stamp"
    return found.exists() and found.read_text() == wanted


def logged(*command: str) -> None:
    """Run a command whose output goes to `build/log`. Raises `ProgramError`."""
    log = BUILD / "log"
    with log.open("ab") as output:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
        )
    if ended.returncode:
        raise ProgramError(f"{' '.join(command)}\n{tail(log)}")
