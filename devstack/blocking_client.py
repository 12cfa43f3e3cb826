"""Write the blocking Python client from the one for event loops, so that each thing stands once.

`python -m devstack.blocking_client` writes `warren_client/blocking/` from
`warren_client/asynchronous/`; what differs by hand is `primitives.py` of both.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from devstack.layout import ROOT

PACKAGE = ROOT / "clients/python/warren_client"
SOURCE, TARGET = PACKAGE / "asynchronous", PACKAGE / "blocking"
BY_HAND = ("__init__.py", "primitives.py")
NOTE = "# Written by `python -m devstack.blocking_client`; change asynchronous/{name} instead.\n"

_WORDS = (
    (r"\basync (?=def|with|for)", ""),
    (r"\bawait ", ""),
    (r"\bAwaitable\[(\w+)\]", r"\1"),
    (r"\bAwaitable, ", ""),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\b__a(?=iter__|enter__|exit__)", "__"),
    (r"\ba(?=close\b|read\b|iter_)", ""),
    (r"\basynchronous\b", "blocking"),
)


def blocking(source: str) -> str:
    """Return the blocking form of a module. Only the words of `_WORDS` differ."""
    for pattern, word in _WORDS:
        source = re.sub(pattern, word, source)
    return source


def written() -> Iterator[tuple[Path, str]]:
    """Yield each file of the blocking client with its text."""
    for path in sorted(SOURCE.glob("*.py")):
        if path.name not in BY_HAND:
            text = NOTE.format(name=path.name) + blocking(path.read_text())
            yield TARGET / path.name, _tidy(text, TARGET / path.name)


def main() -> None:
    """Write the files."""
    for path, text in written():
        path.write_text(text)


def _tidy(text: str, path: Path) -> str:
    """Return a module with sorted imports, as ruff formats it."""
    for options in (("check", "--select", "I", "--fix", "-q"), ("format", "-q")):
        command = [sys.executable, "-m", "ruff", *options, "--stdin-filename", str(path), "-"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
        text = done.stdout
    return text


if __name__ == "__main__":
    main()
