"""Inspect an uploaded model: `python -m app.inference.inspection_child FILE < MANIFEST`.

Writes `{}` or `{"error": {...}}` to stdout. It is a process of its own because the file may be
malicious: the process has limits of memory and time, and after it has read the file, it can open
neither files nor sockets.
"""

import json
import os
import resource
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError, Message
from onnx import TensorProto

from app import errors
from app.children.limits import FILE_COPIES, MODEL_INSPECTION
from app.children.process_memory import limit_memory
from app.inference import graph_check
from app.inference.graph import RUN_MEMORY, Graph, SessionGraph
from app.inference.graph_check import plain_cause, short
from app.inference.held_memory import estimate_held
from app.inference.onnx_session import load_session, ran_out_of_memory
from app.inference.onnx_versions import version_problem
from app.inference.trial_runs import try_runs
from app.inference.uploaded_model import UploadedModel
from app.models.manifest import OnnxManifest
from app.protocol.wire_errors import found_or_error
from app.runtime import confine_inspection

CPU_SECONDS = 60
# The bytes that a loaded model may take, on top of `LOADED_COPIES` times what the cache will count.
LOADED_BYTES = 200_000_000
LOADED_COPIES = 3

_NEEDS_MEMORY = f"it needs more than {MODEL_INSPECTION / 1e6:,.0f} MB of memory"


def main(path: str) -> None:
    """Inspect the file at `path`; write the verdict to stdout."""
    file, manifest = Path(path).read_bytes(), sys.stdin.buffer.read()
    _memory_file()
    confine_inspection(MODEL_INSPECTION + FILE_COPIES * len(file), CPU_SECONDS)

    def look() -> dict[str, Any]:
        check(file, OnnxManifest.model_validate_json(manifest), limit=_limit_runs)
        return {}

    verdict = found_or_error(
        look,
        lambda detail: errors.Invalid("model", detail),
        _NEEDS_MEMORY,
        "it cannot be inspected; the log of the producer has the cause",
    )
    sys.stdout.write(json.dumps(verdict))


def check(
    file: bytes,
    spec: OnnxManifest,
    load: Callable[[bytes, OnnxManifest], Graph] = SessionGraph,
    limit: Callable[[], None] = lambda: None,
) -> None:
    """Raise `errors.Invalid` unless the ONNX file can serve predictions as `spec` describes it.

    `load` loads the graph for the trial runs, before which `limit` is called.
    """
    _check_file(file)
    before = _resident()
    try:
        session = load_session(file, arena=False)
    except errors.Corrupt as error:
        raise errors.Invalid("model", f"onnxruntime cannot load it: {_cause(error)}") from None
    grown, most = _resident() - before, LOADED_BYTES + LOADED_COPIES * estimate_held(file)
    if grown > most:
        raise errors.Invalid(
            "model",
            f"loaded, it takes {grown / 1e6:,.0f} MB of memory, but for a file of its size at most "
            f"{most / 1e6:,.0f} MB are allowed; perhaps it builds large constants",
        )
    graph_check.check_inputs(spec, {each.name: each for each in session.get_inputs()})
    graph_check.check_outputs(spec, {each.name: each for each in session.get_outputs()})
    del session
    model = UploadedModel("it", spec, load(file, spec), max_pixels=1)
    limit()
    try_runs(model, spec)


@cache  # called before the limits are set, because no file can be opened afterwards
def _memory_file() -> int | None:
    """Return the descriptor of the file with this process's memory use; None without `/proc`."""
    path = "/proc/self/statm"
    return os.open(path, os.O_RDONLY) if Path(path).exists() else None


def _resident() -> int:
    """Return the resident memory of this process in bytes; 0 on systems without `/proc`."""
    return _pages()[1] * resource.getpagesize()


def _limit_runs() -> None:
    """Leave the trial runs the memory that the process of the model will have for a run."""
    limit_memory(_pages()[5] * resource.getpagesize() + RUN_MEMORY)


def _pages() -> list[int]:
    """Return the fields of /proc/self/statm; zeros on systems without `/proc`."""
    file = _memory_file()
    return [int(each) for each in os.pread(file, 100, 0).split()] if file else [0] * 7


def _check_file(file: bytes) -> None:
    """Check that the file is valid ONNX in one piece."""
    if not file:
        raise errors.Invalid("model", "the file is empty")
    try:
        model = onnx.load_model_from_string(file)
    except DecodeError:
        raise errors.Invalid("model", "it is not an ONNX file, or it is truncated") from None
    if any(each.external_data or each.data_location for each in _tensors(model)):
        raise errors.Invalid(
            "model", "some of its data is in other files; save it as one (save_as_external_data)"
        )
    if problem := version_problem(model):
        raise errors.Invalid("model", problem)
    del model
    try:
        onnx.checker.check_model(file)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise errors.Invalid("model", f"it is not valid ONNX: {short(error)}") from None


def _tensors(model: Message) -> Iterator[TensorProto]:
    """Yield all tensors of a model: in graphs, attributes, subgraphs, functions and elsewhere."""
    waiting: list[Any] = [model]
    while waiting:
        each = waiting.pop()
        if isinstance(each, TensorProto):
            yield each
        for field, value in each.ListFields():
            if field.message_type is not None:
                waiting.extend([value] if isinstance(value, Message) else value)


def _cause(error: Exception) -> str:
    """Return onnxruntime's message, or say that memory was short."""
    cause = error.__cause__ or error
    return _NEEDS_MEMORY if ran_out_of_memory(cause) else plain_cause(str(cause))


if __name__ == "__main__":
    main(sys.argv[1])
