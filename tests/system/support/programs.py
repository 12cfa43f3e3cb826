"""Find the programs of the system that tests run."""

import os
import shutil

import pytest

# Only root has the last ones in its path.
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


def program(*names: str) -> str:
    """Return the path of the first program that exists; skip the test on a laptop with none."""
    found = next(filter(None, (shutil.which(name, path=PATH) for name in names)), None)
    if found is None and not os.environ.get("CI"):
        pytest.skip(f"none of {', '.join(names)} is installed")
    assert found, f"CI has one of {', '.join(names)}"
    return found
