import signal
import sys
from dataclasses import replace

import anyio
import anyio.to_thread
import psutil
import pytest

from app import errors
from app.children.inspection import Inspection
from tests.support.killed import WAITING, instead_of_python, killed, running
from tests.support.waiting import until

MODULE = "app.tables.inspection_child"
LOOK = Inspection(
    module=MODULE,
    arguments=("csv", "1"),
    purpose="look",
    work="looking",
    refuse=lambda detail: errors.Invalid("file", detail),
    seconds=30,
)


@pytest.fixture(params=["run", "run_async"])
def look(request):
    """Look in a thread that may block, or in an event loop."""
    if request.param == "run":
        return Inspection.run
    return lambda inspection: anyio.run(inspection.run_async, backend="asyncio")


@pytest.fixture
def found(look, tmp_path):
    """Return what is found by a child that runs some code."""

    def run(code, **more):
        with instead_of_python(tmp_path, code):
            return look(replace(LOOK, **more))

    return run


def test_what_the_child_writes_is_found(found):
    code = """
import json, os, sys
home = "HOME" in os.environ
print(json.dumps({"arguments": sys.argv[1:], "read": sys.stdin.read(), "home": home}))
"""
    assert found(code, stdin=b"asked") == {
        "arguments": ["-m", MODULE, "csv", "1"],
        "read": "asked",
        "home": False,
    }


def test_the_child_reads_the_file_by_its_descriptor(found, tmp_path):
    path = tmp_path / "file"
    path.write_text("content")
    code = 'import json, sys; print(json.dumps({"read": open(sys.argv[3]).read()}))'

    with path.open("rb") as file:
        path.unlink()
        assert found(code, file=file) == {"read": "content"}


def test_the_error_that_the_child_tells_is_raised(found):
    code = """print('{"error": {"type": "too_large", "detail": "file: long", "limit": 3}}')"""

    with pytest.raises(errors.TooLarge) as caught:
        found(code)

    assert (caught.value.detail, caught.value.extra) == ("file: long", {"limit": 3})


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGXCPU, "file: looking took too much processor time"),
        (signal.SIGSEGV, "killed by SIGSEGV"),
        (signal.SIGABRT, "need too much memory"),
    ],
)
def test_the_limits_and_faults_of_a_child_are_those_of_the_file(found, number, said):
    with pytest.raises(errors.Invalid, match=said) as caught:
        found(f"import os; os.kill(os.getpid(), {int(number)})")

    assert caught.value.extra == {"field": "file"}


def test_a_child_that_exits_says_with_which_status(found):
    with pytest.raises(errors.Invalid, match="exit status 3"):
        found("raise SystemExit(3)")


def test_a_child_that_takes_too_long_is_ended(found):
    with pytest.raises(errors.Invalid, match=r"file: looking took longer than 0\.5 s"):
        found(WAITING, seconds=0.5)

    assert not running(MODULE)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_that_is_killed_from_outside_is_no_fault_of_the_file(look, tmp_path, number):
    with killed(MODULE, tmp_path, number), pytest.raises(errors.Unavailable) as caught:
        look(LOOK)

    assert type(caught.value) is errors.Unavailable
    assert caught.value.detail == (
        f"the process to look was killed by {signal.Signals(number).name} from outside, as where "
        "the memory of the machine ends; the file is not at fault, so try again later"
    )


def test_without_a_process_it_is_unavailable(look, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")  # Python's own name of itself

    with pytest.raises(errors.Unavailable, match="No such file"):
        look(LOOK)


def test_a_caller_that_is_cancelled_ends_the_child(tmp_path):
    children: list[int] = []

    def started() -> list[int]:
        return running(MODULE)

    async def cancel() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(LOOK.run_async)
            children.extend(await anyio.to_thread.run_sync(until, started, "the child runs"))
            group.cancel_scope.cancel()

    with instead_of_python(tmp_path, WAITING):
        anyio.run(cancel, backend="asyncio")

    (child,) = children
    until(lambda: not psutil.pid_exists(child), "the child ends")
