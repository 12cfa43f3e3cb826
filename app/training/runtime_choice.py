"""Choose the runtime of a fitted pipeline: ONNX where it answers as scikit-learn does."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline

from app import errors
from app.inference import skops_file
from app.inference.held_memory import held_bytes
from app.inference.onnx_runtime import OnnxRuntime
from app.inference.predictor import Tensors
from app.inference.runtime import Answers
from app.inference.sklearn_answers import answer
from app.models.manifest import Runtime, TrainedManifest
from app.training import parity
from app.training.model_bounds import timed_load
from app.training.model_memory import node_count
from app.training.onnx_export import to_onnx
from app.training.onnx_file import write_manifest, write_onnx
from app.training.onnx_graph import NotExportable
from app.training.onnx_svm import check_rounding
from app.training.target_transform import learnt_estimator

log = logging.getLogger(__name__)

ONNX_FILE, SKOPS_FILE = "model.onnx", "model.skops"

Export = Callable[[Pipeline, int, int], list[bytes]]  # the parts of an ONNX file


@dataclass(frozen=True)
class FittedPipeline:
    """A fitted pipeline and scikit-learn's answers to the rows that runtimes are compared with.

    `inputs` are these rows as a runtime takes them; `scale` is the unit of the parity.
    """

    pipeline: Pipeline
    inputs: Tensors
    expected: Answers
    scale: float


@dataclass(frozen=True)
class RuntimeChoice:
    """The chosen runtime and its answers to the rows that runtimes are compared with.

    `run` answers further rows. `reason` says why it is not ONNX. `size` are the bytes of the ONNX
    file without a manifest, and `memory` those that it holds once loaded, None of a pipeline.
    """

    runtime: Runtime
    answers: Answers
    run: Callable[[Tensors], Answers]
    parity: float = 0.0
    reason: str | None = None
    size: int = 0
    memory: int | None = None


def choose_runtime(
    fitted: FittedPipeline, draft: TrainedManifest, folder: Path, export: Export = to_onnx
) -> RuntimeChoice:
    """Choose ONNX if the file that it loads answers the rows as scikit-learn does.

    The file is written to `folder`, with `draft` as its manifest. Any failure of the export
    chooses scikit-learn. Raises `errors.FitFailed` if the file takes too long to be loaded.
    """
    path = folder / ONNX_FILE
    try:
        check_rounding(learnt_estimator(fitted.pipeline[-1]), _learnt_scale(fitted))
        size = _export(fitted, path, export)
        write_manifest(path, size, draft)
        with timed_load():
            runtime = OnnxRuntime(path)
        answers = runtime.run(fitted.inputs)
        measured = parity.measure_parity(fitted.expected, answers, fitted.scale)
        if measured <= parity.BOUND:
            memory = held_bytes(size, node_count(learnt_estimator(fitted.pipeline[-1])))
            return RuntimeChoice("onnx", answers, runtime.run, measured, size=size, memory=memory)
        rows = "test rows" if draft.rows["test"] else "rows compared"
        reason = _difference(fitted.expected, answers, measured, rows)
    except errors.FitFailed:
        raise
    except NotExportable as error:
        reason = str(error)
    except MemoryError:
        reason = "the export to ONNX needs more memory than the fit may take"
    except Exception:  # onnx, onnxruntime and protobuf raise errors without a common base
        log.exception("the export to ONNX failed")
        reason = "the export to ONNX failed"
    path.unlink(missing_ok=True)
    log.info("scikit-learn answers for model %s: %s", draft.model_id, reason)
    run = partial(answer, fitted.pipeline, draft)
    return RuntimeChoice("scikit-learn", fitted.expected, run, reason=reason)


def write_file(
    choice: RuntimeChoice, fitted: FittedPipeline, manifest: TrainedManifest, folder: Path
) -> Path:
    """Write the model and its manifest to a file of `folder`; return its path.

    Raises `errors.FitFailed` if a stored pipeline would not answer as the fitted one does, or takes
    too long to be loaded.
    """
    if choice.runtime == "onnx":
        path = folder / ONNX_FILE
        write_manifest(path, choice.size, manifest)
        return path
    path = folder / SKOPS_FILE
    skops_file.dump(fitted.pipeline, manifest, path)
    with timed_load():
        loaded = skops_file.load(path)
    answers = answer(*loaded, fitted.inputs)
    if parity.measure_parity(fitted.expected, answers, fitted.scale) > 0:
        raise errors.FitFailed("the stored model does not answer as the fitted one does")
    return path


def _learnt_scale(fitted: FittedPipeline) -> float:
    """Return the scale in the units of what the estimator learnt, such as log(1 + y)."""
    if learnt_estimator(fitted.pipeline[-1]) is fitted.pipeline[-1]:
        return fitted.scale
    return fitted.scale / (1 + float(np.abs(fitted.expected.predicted).max(initial=0)))


def _export(fitted: FittedPipeline, path: Path, export: Export) -> int:
    """Write the ONNX file without a manifest; return its size. The graph is freed on return."""
    counts = [
        fitted.inputs[key].shape[1] if key in fitted.inputs else 0 for key in ("number", "text")
    ]
    return write_onnx(path, export(fitted.pipeline, *counts))


def _difference(expected: Answers, answered: Answers, measured: float, rows: str) -> str:
    """Say how ONNX differs from scikit-learn on some rows, such as the test rows."""
    if expected.predicted.dtype.kind in "iu":
        others = int(np.sum(expected.predicted != answered.predicted))
        if others:
            return f"ONNX gives {others} of {len(expected.predicted)} {rows} another label"
        return f"on the {rows}, ONNX's probabilities differ by up to {measured:.2g}"
    return f"on the {rows}, ONNX differs by up to {measured:.2g} of the target's standard deviation"
