"""The table that a command reads: a file, or stdin as a file of its own."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

_MAGIC = {b"PAR1": ".parquet", b"ARROW1": ".arrow", b"\x1f\x8b": ".csv.gz"}
_FIRST_BYTES = 8


@contextmanager
def table_file(named: str) -> Iterator[Path]:
    """Give the path of a file; `-` is stdin, kept in a file until the end.

    Raises `click.UsageError` if there is no such file, or stdin is a terminal.
    """
    if named != "-":
        path = Path(named)
        if not path.is_file():
            raise click.UsageError(f"there is no file {named}")
        yield path
        return
    if sys.stdin.isatty():
        raise click.UsageError("- reads stdin, and nothing is written there: use < FILE or a pipe")
    with tempfile.TemporaryDirectory(prefix="warren-") as folder:
        stream = sys.stdin.buffer
        first = stream.read(_FIRST_BYTES)
        path = Path(folder) / f"stdin{_suffix(first)}"
        with path.open("wb") as file:
            file.write(first)
            shutil.copyfileobj(stream, file)
        yield path


def is_file_name(named: str) -> bool:
    """Tell whether an argument names a file and not a thing of the server."""
    from warren_client.tables import SUFFIXES  # `--help` needs nothing of the client

    return named == "-" or "/" in named or named.endswith(SUFFIXES) or Path(named).is_file()


def _suffix(first: bytes) -> str:
    return next((suffix for magic, suffix in _MAGIC.items() if first.startswith(magic)), ".csv")
