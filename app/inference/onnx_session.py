"""Load ONNX files into onnxruntime; only this module imports it."""

import os

from app import errors

# This must precede the import, because onnxruntime sends telemetry as soon as it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime


def load_session(onnx: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    """Load an ONNX file; each run uses `threads` threads. Raises `errors.Corrupt`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # fatal only: errors are raised as well
    try:
        return onnxruntime.InferenceSession(onnx, options, ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common base class
        raise errors.Corrupt(f"the stored model cannot be loaded: {error}") from error


def run_options() -> onnxruntime.RunOptions:
    """Return the options of one run; another thread can end it by setting `terminate`."""
    return onnxruntime.RunOptions()
