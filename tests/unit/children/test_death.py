import signal

import pytest

from app.children.death import Death, death_of


@pytest.mark.parametrize(
    ("code", "death"),
    [
        (3, Death("exit status 3")),
        (-signal.SIGKILL, Death("killed by SIGKILL", from_outside=True)),
        (-signal.SIGTERM, Death("killed by SIGTERM", from_outside=True)),
        (-signal.SIGINT, Death("killed by SIGINT", from_outside=True)),
        (-signal.SIGXCPU, Death("killed by SIGXCPU", out_of_time=True)),
        (-signal.SIGSEGV, Death("killed by SIGSEGV")),
        (-signal.SIGABRT, Death("killed by SIGABRT")),
    ],
)
def test_the_exit_code_of_a_child_tells_why_it_died(code, death):
    assert death_of(code) == death
