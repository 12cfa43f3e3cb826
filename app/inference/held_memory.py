"""Say how much memory a loaded model holds, and give back what its load freed.

The numbers are measured with onnxruntime 1.31, `make bench` measures them again. They are computed
from a file and not measured at each fit, so that equal fits give equal files.
"""

import ctypes
import mmap
from pathlib import Path

LARGE = 4_000_000  # bytes of a file whose load frees memory worth giving back

_SESSION_BYTES = 100_000  # of any graph
_NODE_BYTES = 60  # of a node of a tree, beside its bytes in the file
_TREE_COPIES = 6  # of a file with trees whose number of nodes is not known
_TREES = b"TreeEnsemble"  # the beginning of the names of these operators


def give_back_memory() -> None:
    """Return the memory that is free to the system, where the C library can (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def held_bytes(size: int, tree_nodes: int = 0) -> int:
    """Return the bytes that a model holds once its ONNX file of `size` bytes is loaded."""
    return _SESSION_BYTES + size + _NODE_BYTES * tree_nodes


def estimate_held(onnx: Path | bytes) -> int:
    """Estimate the same of an ONNX file that does not say how many nodes its trees have."""
    if isinstance(onnx, bytes):
        return held_bytes((_TREE_COPIES if _TREES in onnx else 1) * len(onnx))
    with onnx.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        copies = 1 if content.find(_TREES) < 0 else _TREE_COPIES
        return held_bytes(copies * len(content))
