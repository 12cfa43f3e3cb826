import os

import pytest

from app import errors
from app.training.child_death import (
    BLAMED_SHARE,
    child_death,
    machine_memory,
    resident_memory,
)


@pytest.mark.parametrize(
    ("cause", "share", "kind"),
    [
        ("killed by SIGKILL", 0.9, errors.ChildLost),
        ("killed by SIGKILL", 1.1, errors.ChildKilled),  # it took the memory
        ("killed by SIGSEGV", 0.0, errors.ChildKilled),
        ("exit status 1", 0.0, errors.ChildKilled),
    ],
)
def test_a_child_is_to_blame_for_a_crash_and_for_much_memory(cause, share, kind):
    error = child_death(cause, int(machine_memory() * BLAMED_SHARE * share))

    assert type(error) is kind
    assert cause in error.detail


def test_the_memory_of_a_process_is_part_of_the_machines():
    assert 1_000_000 < resident_memory(os.getpid()) < machine_memory()


def test_a_process_that_has_ended_takes_no_memory():
    assert resident_memory(2**30) == 0
