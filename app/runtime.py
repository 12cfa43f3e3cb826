"""Set up a process for many concurrent requests; only mains call this."""

import gc
import resource

MAX_OPEN_FILES = 8192
GC_THRESHOLD = 100_000


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
    every 700 new objects, finds no garbage, because those belong to requests under way.
    """
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
