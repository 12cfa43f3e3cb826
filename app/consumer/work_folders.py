"""Folders for the files of an attempt, which the next consumer deletes if this one is killed."""

import fcntl
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

_PREFIX = "warren-work-"
_YOUNG_SECONDS = 60  # a younger folder may not be locked yet


@contextmanager
def work_folder() -> Iterator[Path]:
    """Make a folder in the system's folder for temporary files; delete it at the end.

    This process holds a lock on it, which the system releases however the process ends.
    """
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Path(folder)
        finally:
            os.close(lock)


def delete_abandoned_folders() -> int:
    """Delete the folders that killed consumers of this user left; return how many."""
    deleted = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            deleted += _delete_unless_held(folder)
        except OSError as error:
            log.warning("the folder %s of a killed consumer is left behind: %s", folder, error)
    return deleted


def _delete_unless_held(folder: Path) -> bool:
    """Delete a folder unless a process holds it; return whether it was deleted.

    Raises `OSError` if it cannot be deleted.
    """
    try:
        status = folder.lstat()
        if status.st_uid != os.geteuid() or time.time() - status.st_mtime < _YOUNG_SECONDS:
            return False
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:  # its consumer has just deleted it
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
