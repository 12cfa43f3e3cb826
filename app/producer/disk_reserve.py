"""Refuse to store more while a disk has less free than its reserve."""

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path

from app import errors

log = logging.getLogger(__name__)


class DiskReserve:
    """Checks the disks of some folders. Jobs that were accepted may still use the reserve."""

    def __init__(self, folders: Iterable[Path], reserve: int) -> None:
        """Keep `reserve` bytes free on the disk of each folder."""
        self._folders = tuple(folders)
        self._reserve = reserve

    @property
    def reserve(self) -> int:
        """The bytes that each disk keeps free."""
        return self._reserve

    def free(self) -> dict[Path, int]:
        """Return the free bytes of the disk of each folder that can be found."""
        found = {}
        for folder in self._folders:
            try:
                found[folder] = shutil.disk_usage(folder).free
            except OSError as error:
                log.warning("the free space of %s is unknown: %s", folder, error)
        return found

    def check(self) -> None:
        """Raise `errors.StorageFull` below the reserve.

        A folder that cannot be found is passed over: what is stored there fails by itself.
        """
        for folder, free in self.free().items():
            if free < self._reserve:
                log.warning("%s has %d bytes free, less than the reserve", folder, free)
                raise errors.StorageFull(
                    f"a disk has {free / 1e6:,.0f} MB free and keeps {self._reserve / 1e6:,.0f}; "
                    "ask again when something was deleted"
                )
