"""What a real child prints, from Python, from C and from its own children, is logged."""

import ctypes
import os
import sys
from logging import INFO, WARNING

from app.children.forked import join_child, running_children, start_child
from app.observability.logs import job_context
from tests.support.log_lines import kept_lines
from tests.support.waiting import until

LOGGER = "app.observability.child_output"


def say(pipe):
    """Print in all ways; then die without a chance to flush anything."""
    sys.stdout.write("from Python\n")
    sys.stderr.write("a warning\n")
    ctypes.CDLL(None).puts(b"from C")
    ctypes.CDLL(None).fflush(None)
    os.system("echo from a shell")
    sys.stdout.write("a lone \udc80 surrogate\n")
    pipe.send("said")
    os.kill(os.getpid(), 9)


def test_what_a_child_prints_is_logged_under_its_job(capfd):
    with kept_lines(LOGGER) as lines:
        with job_context("job-7"):
            child, pipe = start_child("talk", say)
        with pipe:
            assert pipe.recv() == "said"
        assert join_child(child).cause == "killed by SIGKILL"
        until(lambda: len(lines) == 5, "all is logged")

    name = "a process to talk"
    assert sorted(lines) == sorted(
        [
            (INFO, "job-7", f"{name}: from Python"),
            (WARNING, "job-7", f"{name}: a warning"),
            (INFO, "job-7", f"{name}: from C"),
            (INFO, "job-7", f"{name}: from a shell"),
            (INFO, "job-7", rf"{name}: a lone \udc80 surrogate"),
        ]
    )
    assert "from" not in "".join(capfd.readouterr())


def wait_for_parent(pipe):
    pipe.recv()


def test_the_children_that_run_are_known():
    child, pipe = start_child("wait", wait_for_parent)
    with pipe:
        assert ("wait", child.pid) in running_children()
        pipe.send("end")
        join_child(child)
        assert "wait" not in dict(running_children())
    child.close()
    assert "wait" not in dict(running_children())
