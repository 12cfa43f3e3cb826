"""The client needs httpx2 and pydantic, and nothing else until it is given data frames."""

import subprocess
import sys

from devstack.layout import ROOT

HEAVY = (
    "app",
    "PIL",
    "numpy",
    "pandas",
    "pyarrow",
    "matplotlib",
    "sklearn",
    "click",
    "rich",
    "pika",
)
ASK = """
import sys
from warren_client import AsyncWarren, Warren
import warren_client.evaluation, warren_client.plots
print(sorted(name for name in sys.argv[1:] if name in sys.modules))
"""


def test_importing_the_client_imports_little_else():
    command = [sys.executable, "-c", ASK, *HEAVY]
    place = {"PYTHONPATH": str(ROOT / "clients/python")}
    done = subprocess.run(command, env=place, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
