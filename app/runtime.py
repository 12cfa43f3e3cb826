"""How a process is set up that has a thousand requests in hand: called by mains."""

import gc
import resource

MAX_OPEN_FILES = 8192
GC_THRESHOLD = 100_000


def raise_open_file_limit() -> None:
    """Raise the soft limit of open files to `MAX_OPEN_FILES`, or to a lower hard limit.

    Each connection is one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def collect_garbage_rarely() -> None:
    """Look for garbage in cycles after `GC_THRESHOLD` more, and never among what is there already.

    To look at all that was imported takes 50 ms, and stops the rest; every 700 new objects, which
    is Python's default, are a few of a thousand requests in hand, of which none is garbage.
    """
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
