"""The processes that tests start end with them."""

import os
import sys
from typing import TextIO

import pytest

from tests.support.child import child

# The second process ignores the interrupt, and its end closes the pipe.
PARENT = """
import signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
other = "import signal; print('up', flush=True); signal.pause()"
other = subprocess.Popen([sys.executable, "-c", other])
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    other.wait()
finally:
    print("ended", flush=True)
"""


def failing(write: int, output: TextIO) -> None:
    """Start the parent, and fail while both of them run."""
    with child([sys.executable, "-c", PARENT], stdout=write):
        os.close(write)
        assert output.readline() == "up\n"
        raise AssertionError("meant")


def test_a_failed_assertion_ends_the_process_and_what_it_has_started() -> None:
    read, write = os.pipe()
    with os.fdopen(read) as output:
        with pytest.raises(AssertionError, match="meant"):
            failing(write, output)
        assert output.read() == "ended\n"  # and then the end: nobody has the pipe any more


def test_a_process_that_has_ended_is_left_alone() -> None:
    with child([sys.executable, "-c", "raise SystemExit(3)"]) as it:
        assert it.wait() == 3
    assert it.returncode == 3
