"""What runs: the version of Warren, and which code it is."""

import hashlib
from functools import cache
from pathlib import Path

VERSION = "0.1.0"  # as in pyproject.toml

_APP = Path(__file__).parents[1]


@cache
def running_version() -> str:
    """Return the version, and behind a plus the first digits of a hash of all modules of `app`.

    So two processes of the same version that run different code are told apart.
    """
    code = hashlib.sha256()
    for path in sorted(_APP.rglob("*.py")):
        code.update(path.relative_to(_APP).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{VERSION}+{code.hexdigest()[:8]}"
