"""Load ONNX files into onnxruntime; only this module imports it."""

import os
from pathlib import Path

from app import errors
from app.inference.held_memory import LARGE, give_back_memory

# This must precede the import, because onnxruntime sends telemetry as soon as it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime


def load_session(
    onnx: Path | bytes, threads: int = 1, *, arena: bool = True
) -> onnxruntime.InferenceSession:
    """Load an ONNX file; each run uses `threads` threads. Raises `errors.Corrupt`.

    A session holds the bytes that it is loaded from, but not the file of a path. With an `arena` it
    keeps the memory of its largest run for the next one.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_cpu_mem_arena = arena
    options.log_severity_level = 4  # fatal only: errors are raised as well
    try:
        session = onnxruntime.InferenceSession(onnx, options, ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common base class
        raise errors.Corrupt(f"the stored model cannot be loaded: {error}") from error
    if isinstance(onnx, Path) and onnx.stat().st_size >= LARGE:
        give_back_memory()
    return session


def run_options() -> onnxruntime.RunOptions:
    """Return the options of one run; another thread can end it by setting `terminate`."""
    return onnxruntime.RunOptions()


def ran_out_of_memory(error: BaseException) -> bool:
    """Tell whether a load or a run failed because an allocation failed."""
    message = str(error)
    return isinstance(error, MemoryError) or "allocat" in message.lower() or "bad_alloc" in message
