"""Look at an uploaded model before it is anybody's: `python -m app.inspection FILE < MANIFEST`.

Writes `{}` or `{"error": {...}}` to stdout. It is a process of its own because the file may be made
to harm: whatever it does to memory, time or the process itself ends here. From the moment it has
read the file, this process can open no other, nor a socket.
"""

import json
import os
import resource
import sys
import traceback
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError, Message
from onnx import TensorProto

from app import errors
from app.inference import graph_check
from app.inference.graph_check import short
from app.inference.onnx_session import load_session
from app.inference.uploaded_model import MAX_IMAGES_PER_RUN, UploadedModel
from app.models.manifest import OnnxManifest
from app.protocol.requests import PredictionInputs

SECONDS = 60  # of processor time, and by the parent's clock
MEMORY = 2_000_000_000  # bytes, with the libraries, on top of some copies of the file
COPIES = 4
LOADED = 200_000_000  # bytes that a model may keep, on top of some copies of its file
LOADED_COPIES = 3
NICENESS = 10
ROWS = 2  # in the trial run: one row tells nothing about the batch

_NEEDS_MEMORY = f"it needs more than {MEMORY / 1e6:,.0f} MB of memory"


def main(path: str) -> None:
    """Write the verdict on one file."""
    file, manifest = Path(path).read_bytes(), sys.stdin.buffer.read()
    _memory_file()
    _confine(len(file))
    try:
        check(file, OnnxManifest.model_validate_json(manifest))
        verdict: dict[str, Any] = {}
    except errors.WarrenError as error:
        verdict = {"error": error.to_wire()}
    except MemoryError:
        verdict = {"error": errors.Invalid("model", _NEEDS_MEMORY).to_wire()}
    except Exception as error:  # noqa: BLE001  a file that is made to harm may find one of any kind
        traceback.print_exc()
        verdict = {"error": errors.Invalid("model", f"it cannot be looked at: {error!r}").to_wire()}
    sys.stdout.write(json.dumps(verdict))


def _confine(size: int) -> None:
    """Give up what a look at a file of `size` bytes does not need."""
    os.nice(NICENESS)
    bound = MEMORY + COPIES * size
    limits = {"DATA": bound, "CPU": SECONDS, "CORE": 0, "FSIZE": 0, "NOFILE": 0}
    for name, most in limits.items():
        which = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(which)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (most, most))


def check(file: bytes, spec: OnnxManifest) -> None:
    """Raise `errors.Invalid` that says why a file cannot serve as `spec` says."""
    _check_file(file)
    before = _resident()
    try:
        session = load_session(file)
    except errors.Corrupt as error:
        raise errors.Invalid("model", f"onnxruntime cannot load it: {_cause(error)}") from None
    grown, most = _resident() - before, LOADED + LOADED_COPIES * len(file)
    if grown > most:  # the cache counts models by their files
        raise errors.Invalid(
            "model",
            f"loaded, it keeps {grown / 1e6:,.0f} MB of memory, and for a file of its size "
            f"{most / 1e6:,.0f} MB are allowed; perhaps it builds large constants",
        )
    graph_check.check_inputs(spec, {each.name: each for each in session.get_inputs()})
    graph_check.check_output(spec, {each.name: each for each in session.get_outputs()})
    del session
    _try(UploadedModel("it", file, spec, max_pixels=1), spec)


@cache  # opened before `_confine`, after which nothing can be
def _memory_file() -> int | None:
    """Return the descriptor of the file that tells this process's memory; only Linux has it."""
    path = "/proc/self/statm"
    return os.open(path, os.O_RDONLY) if Path(path).exists() else None


def _resident() -> int:
    """Return how much memory this process has in hand, in bytes; 0 where nothing tells."""
    file = _memory_file()
    return int(os.pread(file, 100, 0).split()[1]) * resource.getpagesize() if file else 0


def _check_file(file: bytes) -> None:
    """Check the format itself; onnxruntime then infers types and shapes once more."""
    try:
        model = onnx.load_model_from_string(file)
    except DecodeError:
        raise errors.Invalid("model", "it is no ONNX file, or cut off") from None
    if any(each.external_data or each.data_location for each in _tensors(model)):
        raise errors.Invalid(
            "model", "some of its data is in other files; save it as one (save_as_external_data)"
        )
    del model
    try:
        onnx.checker.check_model(file)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise errors.Invalid("model", f"it is no valid ONNX: {short(error)}") from None


def _tensors(model: Message) -> Iterator[TensorProto]:
    """Find all tensors: in graphs, attributes, subgraphs, functions, and wherever else."""
    waiting: list[Any] = [model]
    while waiting:
        each = waiting.pop()
        if isinstance(each, TensorProto):
            yield each
        for field, value in each.ListFields():
            if field.message_type is not None:
                waiting.extend([value] if isinstance(value, Message) else value)


def _try(model: UploadedModel, spec: OnnxManifest) -> None:
    """Ask the model about its sample, zeros or grey images: one, and several if it takes them."""
    if spec.image and spec.image.image:
        height, width = spec.image.image.size
        asked: list[Any] = [np.full((height, width, 3), 128, np.uint8)]
    else:
        asked = [spec.sample or dict.fromkeys(spec.features, 0)]
        try:
            model.prepare(PredictionInputs(input_data=asked))
        except errors.Invalid as error:
            detail = error.detail.replace("input_data.0.", "").replace("input_data.", "")
            raise errors.Invalid("manifest.sample", detail) from None
    for count in sorted({1, model.batch(MAX_IMAGES_PER_RUN if spec.image else ROWS)}):
        try:
            output = model.run(asked * count)
        except errors.DeadlineExceeded as error:
            raise errors.Invalid("model", error.detail) from None
        except Exception as error:  # noqa: BLE001  onnxruntime's own classes share no base but this
            what = "its sample" if count == 1 else f"{count} at a time (make its batch dimension 1)"
            raise errors.Invalid("model", f"it fails at {what}: {_cause(error)}") from None
        _check_answer(output, count, spec)
    if None in model.predict(asked):
        raise errors.Invalid(
            "manifest.sample", "the model has no finite answer to it (or to zeros)"
        )


def _check_answer(output: Any, count: int, spec: OnnxManifest) -> None:
    if not isinstance(output, np.ndarray):
        raise errors.Invalid(
            "manifest.output.name", f"the output is no tensor; {graph_check.NO_ZIPMAP}"
        )
    wanted = [count] if spec.labels is None else [count, len(spec.labels)]
    if output.size != np.prod(wanted) or output.shape[:1] != (count,):
        field = "manifest.output.name" if spec.labels is None else "manifest.labels"
        raise errors.Invalid(
            field,
            f"to {count} at a time the output is {list(output.shape)}, and {wanted} would fit",
        )
    if spec.output.holds == "probabilities" and not _probable(output):
        raise errors.Invalid(
            "manifest.output.holds", "what the model answers are no probabilities; logits, perhaps"
        )


def _probable(output: npt.NDArray[Any]) -> bool:
    near = 1e-3
    finite = output[np.isfinite(output)]
    return bool(((finite >= -near) & (finite <= 1 + near)).all())


def _cause(error: Exception) -> str:
    """Return what onnxruntime says, for people."""
    said = str(error.__cause__ or error)
    if "allocat" in said.lower() or "bad_alloc" in said:
        return _NEEDS_MEMORY
    return short(said)


if __name__ == "__main__":
    main(sys.argv[1])
