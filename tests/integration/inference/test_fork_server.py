import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from devstack.layout import ROOT

NICENESS = 5


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What is told of a consumer's process and of the processes of two models."""
    program = Path(__file__).with_name("two_models.py")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, program], env=environment, stdout=subprocess.PIPE, check=True
    )
    return dict(json.loads(ended.stdout))


def test_models_have_a_lower_priority_than_the_consumer(told: dict[str, Any]) -> None:
    own, *models = told["niceness"]
    assert models == [own + NICENESS] * 2


@pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="Linux schedules no sessions as groups"
)
def test_all_models_share_one_session_beside_the_consumer_s(told: dict[str, Any]) -> None:
    own, one, other = told["sessions"]
    assert one == other != own
