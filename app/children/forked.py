"""Start child processes from the fork server, and bind them and what they print to their parent."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TextIO
from weakref import WeakSet

from app import errors
from app.children.death import Death, death_of
from app.observability.child_output import ChildOutput, logged_output
from app.runtime import offer_to_kernel

# Each start and each join polls all children of this process, which only one thread may do.
_CHILDREN = threading.Lock()
_started: WeakSet[BaseProcess] = WeakSet()


def start_child(
    purpose: str, target: Callable[..., None], *arguments: Any
) -> tuple[BaseProcess, Connection]:
    """Start a child that runs `target(pipe, *arguments)`; return it and our end of the pipe.

    What it prints is logged under the current job. Raises `errors.ChildKilled` about the
    `purpose`, such as "fit", if the system has no room for it, or the fork server has ended.
    """
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    try:
        with theirs, logged_output(f"a process to {purpose}") as output, _CHILDREN:
            run_by = (output, target, theirs, *arguments)
            child = context.Process(target=_run, args=run_by, name=purpose)
            child.start()
            _started.add(child)
    except (EOFError, OSError) as error:
        ours.close()
        cause = getattr(error, "strerror", None) or "the fork server has ended"
        raise errors.ChildKilled(f"no process could be started to {purpose}: {cause}") from error
    return child, ours


def running_children() -> list[tuple[str, int]]:
    """Return the purposes and the process ids of the children that have not ended."""
    running = []
    with _CHILDREN:
        for each in list(_started):
            with suppress(ValueError):  # of a child that was closed after its end
                if each.exitcode is None and each.pid:
                    running.append((each.name, each.pid))
    return running


def _run(output: ChildOutput, target: Callable[..., None], *arguments: Any) -> None:
    """Run a child that prints to the pipes of its parent.

    The kernel kills it before its parent when memory ends.
    """
    offer_to_kernel()
    sys.stdout = _printing_to(output.stdout, 1)
    sys.stderr = _printing_to(output.stderr, 2)
    target(*arguments)


def _printing_to(pipe: Connection, number: int) -> TextIO:
    """Let the descriptor of this number, to which libraries in C print, mean the pipe."""
    with pipe:
        os.dup2(pipe.fileno(), number)
    by_line = 1
    return open(number, "w", by_line, "utf-8", "backslashreplace", closefd=False)


def join_child(child: BaseProcess) -> Death:
    """Wait for the end of a child, and return it."""
    wait([child.sentinel])
    with _CHILDREN:
        child.join()
    return death_of(child.exitcode or 0)


def follow_parent(clean_up: Callable[[], None] = lambda: None) -> None:
    """Let only the parent end this child: ignore signals, and exit once the parent has died.

    SIGINT and SIGTERM reach the whole process group, but the parent decides what becomes of the
    work. After its death `clean_up` is called in its place.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_exit_after_parent, args=(clean_up,), daemon=True).start()


def _exit_after_parent(clean_up: Callable[[], None]) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    clean_up()
    os._exit(1)
