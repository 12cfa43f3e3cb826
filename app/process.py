"""How a process is set up that has a thousand requests in hand: called by mains."""

import gc
import resource

ENOUGH = 8192
NEW_OBJECTS = 100_000


def allow_many_files() -> None:
    """Raise this process's own limit of open files, as far as the system lets it, to `ENOUGH`.

    Each connection is one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def collect_seldom() -> None:
    """Look for garbage in cycles after `NEW_OBJECTS` more, and never among what is there already.

    To look at all that was imported takes 50 ms, and stops the rest; every 700 new objects, which
    is Python's default, are a few of a thousand requests in hand, of which none is garbage.
    """
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)
