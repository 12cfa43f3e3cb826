"""MLflow in an environment of its own, in which Warren is not installed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PYTHON = Path(f"{sys.prefix}-mlflow/bin/python")  # beside the environment of the tests
SECONDS = 240  # of importing MLflow on a busy machine, and of all answers


def run(folder: Path, **asked: Any) -> list[Any]:
    """Have `mlflow_program` do what is `asked`; return its answers."""
    if not PYTHON.exists() and not os.environ.get("CI"):
        pytest.skip(f"there is no {PYTHON}: devstack/bootstrap.sh dev makes it")
    result = folder / "result.json"
    done = subprocess.run(
        [PYTHON, "-I", Path(__file__).with_name("mlflow_program.py")],
        input=json.dumps({**asked, "result": str(result)}),
        cwd=folder,
        env={"HOME": str(folder), "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(result.read_text())
    return found
