"""onnxruntime sessions."""

import os

# Without it, onnxruntime reports models and runs to Microsoft. Its own switch works only after the
# import, which is too late.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

from app import errors


def load_session(onnx: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    """Load an ONNX file. Raises `errors.Corrupt`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what it fails at, it raises as well
    try:
        return onnxruntime.InferenceSession(onnx, options, ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes share no base but this
        raise errors.Corrupt(f"the stored model cannot be loaded: {error}") from error


def run_options() -> onnxruntime.RunOptions:
    """Return the options of one run; another thread may end that by their `terminate`."""
    return onnxruntime.RunOptions()
