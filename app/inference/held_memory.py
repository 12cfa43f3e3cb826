"""Measure and estimate the memory that a loaded model holds, and give back what its load freed."""

import ctypes
import mmap
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

LARGE = 4_000_000  # bytes of a file whose load frees memory worth giving back
SESSION_BYTES = 300_000  # what onnxruntime holds for any graph
TREE_COPIES = 6  # measured: trees of any operator, after the memory is given back
_TREES = b"TreeEnsemble"  # what the names of these operators begin with
_STATUS = Path("/proc/self/status")

LoadedT = TypeVar("LoadedT")


def give_back_memory() -> None:
    """Return the memory that is free to the system, where the C library can (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def measure_load(load: Callable[[], LoadedT], size: int) -> tuple[LoadedT, int | None]:
    """Load a model from a file of `size` bytes; return it, and the bytes that it holds.

    They are None on systems without `/proc`. No other thread may allocate memory meanwhile.
    """
    if size < LARGE:
        load()  # the first load also allocates what all models of a process share
    give_back_memory()
    before = _anonymous()
    loaded = load()
    give_back_memory()
    after = _anonymous()
    if before is None or after is None:
        return loaded, None
    return loaded, max(after - before, size)


def estimate_held(onnx: Path | bytes) -> int:
    """Estimate the bytes that the model of an ONNX file holds once loaded."""
    if isinstance(onnx, bytes):
        return SESSION_BYTES + (TREE_COPIES if _TREES in onnx else 1) * len(onnx)
    with onnx.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        copies = 1 if content.find(_TREES) < 0 else TREE_COPIES
        return SESSION_BYTES + copies * len(content)


def _anonymous() -> int | None:
    """Return the resident bytes of this process that are no part of a file."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    found = [line for line in lines if line.startswith("RssAnon:")]
    return int(found[0].split()[1]) * 1024 if found else None
