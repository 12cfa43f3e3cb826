import sys

import pytest

from app.runtime import SWITCH_SECONDS, inspection_environment, switch_threads_often


def test_threads_are_switched_often() -> None:
    before = sys.getswitchinterval()
    try:
        switch_threads_often()
        assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS, abs=1e-6)
    finally:
        sys.setswitchinterval(before)


def test_a_child_that_inspects_gets_no_passwords() -> None:
    assert set(inspection_environment()) <= {
        "PATH",
        "PYTHONPATH",
        "LD_LIBRARY_PATH",
        "ARROW_DEFAULT_MEMORY_POOL",
    }
