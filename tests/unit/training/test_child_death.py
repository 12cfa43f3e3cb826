import signal

import pytest

from app import errors
from app.children.death import death_of
from app.children.machine_memory import machine_memory
from app.training.child_death import BLAMED_SHARE, child_death


@pytest.mark.parametrize(
    ("code", "share", "kind"),
    [
        (-signal.SIGKILL, 0.9, errors.ChildLost),
        (-signal.SIGKILL, 1.1, errors.ChildKilled),  # it took the memory
        (-signal.SIGSEGV, 0.0, errors.ChildKilled),
        (1, 0.0, errors.ChildKilled),
    ],
)
def test_a_child_is_to_blame_for_a_crash_and_for_much_memory(code, share, kind):
    death = death_of(code)

    error = child_death(death, int(machine_memory() * BLAMED_SHARE * share))

    assert type(error) is kind
    assert death.cause in error.detail
