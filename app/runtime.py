"""Set up a process: one for many concurrent requests, or one that reads what may be hostile."""

import gc
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path
from time import sleep

MAX_OPEN_FILES = 8192
GC_THRESHOLD = 100_000
NICENESS = 10
_AUTOGROUP_TRIES, _AUTOGROUP_SECONDS = 10, 0.11
SWITCH_SECONDS = 0.0005
ROOT = Path(__file__).parents[1]  # where `python -m app...` finds its modules

# Python and its libraries need these.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")
# pyarrow's other allocator reserves a gigabyte, which counts for the limit of memory.
_POOL = {"ARROW_DEFAULT_MEMORY_POOL": "system"}


def raise_open_file_limit() -> int:
    """Raise the soft limit of open files to `MAX_OPEN_FILES`, or to a lower hard limit.

    Each connection takes a file descriptor. Returns the limit, at most `MAX_OPEN_FILES`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return MAX_OPEN_FILES if soft == resource.RLIM_INFINITY else min(soft, MAX_OPEN_FILES)


def collect_garbage_rarely() -> None:
    """Search for cyclic garbage only every `GC_THRESHOLD` new objects, and not in existing ones.

    A search among all imported objects takes 50 ms, in which nothing else runs. Python's default,
    every 700 new objects, finds no garbage, because those belong to requests under way. A process
    that starts without any search has them from here on.
    """
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    gc.enable()


def inspection_environment() -> dict[str, str]:
    """Return the environment of a child that inspects a file: above all, it has no passwords."""
    return _POOL | {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}


def confine_inspection(memory: int, cpu_seconds: int) -> None:
    """Limit this process, which inspects a file, to `memory` bytes of data and to processor time.

    From then on it can open neither files nor sockets. The kernel kills it before others.
    """
    limit_resources(memory, cpu_seconds, NOFILE=0)


def limit_resources(memory: int, cpu_seconds: int, **others: int) -> None:
    """Limit this process to `memory` bytes of data and to processor time; it writes no file.

    `others` are further limits by their names. The kernel kills the process before others.
    """
    lower_priority(NICENESS)
    offer_to_kernel()
    limits = {"DATA": memory, "CPU": cpu_seconds, "CORE": 0, "FSIZE": 0, **others}
    for name, most in limits.items():
        which = getattr(resource, f"RLIMIT_{name}")
        # At the soft limit of time Linux sends SIGXCPU, which tells why; at the hard one SIGKILL.
        last = most + 1 if name == "CPU" else most
        _, hard = resource.getrlimit(which)
        last = last if hard == resource.RLIM_INFINITY else min(last, hard)
        resource.setrlimit(which, (min(most, last), last))


def lower_priority(niceness: int) -> None:
    """Let other processes compute first: add `niceness` to the nice value of this one.

    Where Linux schedules sessions as groups (sched(7), "The autogroup feature"), a nice value
    counts within its session only. There this process gets a session of its own, of that value.
    """
    nice = os.nice(niceness)
    autogroup = Path("/proc/self/autogroup")
    if autogroup.exists():
        if os.getsid(0) != os.getpid():
            os.setsid()
        for _ in range(_AUTOGROUP_TRIES):
            try:
                autogroup.write_text(str(nice))
                return
            except BlockingIOError:  # Linux takes one such value in 100 ms, of all processes
                sleep(_AUTOGROUP_SECONDS)


def offer_to_kernel() -> None:
    """Have the kernel kill this process before others when memory ends; see proc(5)."""
    with suppress(OSError):  # no Linux, or no /proc: the kernel chooses by size
        Path("/proc/self/oom_score_adj").write_text("1000")


def switch_threads_often() -> None:
    """Have a thread that computes give the interpreter to a waiting one after half a millisecond.

    Python's default is 5 ms. The event loop would wait so long after each system call while a long
    body is parsed in a thread.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
