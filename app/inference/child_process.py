"""Start child processes from the fork server, and bind them to their parent."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from app import errors
from app.inference.process_memory import offer_to_kernel

# Each start and each join polls all children of this process, which only one thread may do.
_CHILDREN = threading.Lock()


def start_child(
    purpose: str, target: Callable[..., None], *arguments: Any
) -> tuple[BaseProcess, Connection]:
    """Start a child that runs `target(pipe, *arguments)`; return it and our end of the pipe.

    Raises `errors.ChildKilled` about the `purpose`, such as "fit", if the system has no room for
    it, or the fork server has ended.
    """
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    child = context.Process(target=_run, args=(target, theirs, *arguments))
    try:
        with theirs, _CHILDREN:
            child.start()
    except (EOFError, OSError) as error:
        ours.close()
        cause = getattr(error, "strerror", None) or "the fork server has ended"
        raise errors.ChildKilled(f"no process could be started to {purpose}: {cause}") from error
    return child, ours


def _run(target: Callable[..., None], *arguments: Any) -> None:
    """Run a child that the kernel kills before its parent when memory ends."""
    offer_to_kernel()
    target(*arguments)


def join_child(child: BaseProcess) -> str:
    """Wait for the end of a child; return its cause, such as "killed by SIGKILL"."""
    wait([child.sentinel])
    with _CHILDREN:
        child.join()
    code = child.exitcode or 0
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


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
