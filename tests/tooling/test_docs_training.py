"""The lines of scikit-learn on the page about trainings give what the README promises."""

import re
import subprocess
import sys
from pathlib import Path

from tests.system.support.client import PREDICTION, RMSE

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_the_first_lines_give_the_error_and_the_prediction_of_the_readme():
    lines, *_ = BLOCK.findall((ROOT / "docs/training.md").read_text())

    command = [sys.executable, "-W", "error", "-c", lines]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert said.split() == ["RMSE", str(RMSE), "Prediction", str(PREDICTION)]
