"""Run an uploaded model on a sample, before it is registered."""

from typing import Any

import numpy as np
import numpy.typing as npt

from app import errors
from app.inference import graph_check
from app.inference.graph import RUN_MEMORY
from app.inference.graph_check import plain_cause
from app.inference.uploaded_model import MAX_IMAGES_PER_RUN, UploadedModel
from app.models.manifest import OnnxManifest
from app.protocol.requests import PredictionInputs

TRIAL_ROWS = 2  # because one row shows nothing about batches

_RUN_NEEDS_MEMORY = f"it needs more than {RUN_MEMORY / 1e6:,.0f} MB of memory to answer"


def try_runs(model: UploadedModel, spec: OnnxManifest) -> None:
    """Run the model on its sample, zeros or a grey image: once, then as a batch if it takes any."""
    if spec.image and spec.image.image:
        height, width = spec.image.image.size
        sample: list[Any] = [np.full((height, width, 3), 128, np.uint8)]
    else:
        sample = [spec.sample_or_zeros]
        try:
            model.prepare(PredictionInputs(input_data=sample))
        except errors.Invalid as error:
            detail = error.detail.replace("input_data.0.", "").replace("input_data.", "")
            raise errors.Invalid("manifest.sample", detail) from None
    _try_run(model, spec, sample, 1)
    count = model.batch(MAX_IMAGES_PER_RUN if spec.image else TRIAL_ROWS)
    while count > 1 and not _try_run(model, spec, sample, count):
        count //= 2  # as a prediction does
    if None in model.predict(sample):
        raise errors.Invalid(
            "manifest.sample",
            "the model has no finite prediction for it (without a sample: for zeros)",
        )
    _try_missing(model, spec, sample)


def _try_run(model: UploadedModel, spec: OnnxManifest, sample: list[Any], count: int) -> bool:
    """Run the model on the sample `count` times; return False if only that takes too much memory.

    Raises `errors.Invalid` if the model fails.
    """
    try:
        outputs = model.run(sample * count)
    except errors.DeadlineExceeded as error:
        raise errors.Invalid("model", error.detail) from None
    except MemoryError:
        if count > 1:
            return False
        raise errors.Invalid("model", _RUN_NEEDS_MEMORY) from None
    except errors.Invalid as error:
        several = f"{count} at a time (give its batch dimension a size)"
        inputs = "its sample" if count == 1 else several
        cause = plain_cause(error.detail)
        raise errors.Invalid("model", f"it fails at {inputs}: {cause}") from None
    _check_raw_output(outputs[spec.output.name], count, spec)
    for n, name in enumerate(spec.outputs):
        if (shape := np.shape(outputs[name]))[:1] != (count,):
            raise errors.Invalid(
                f"manifest.outputs.{n}",
                f"for {count} at a time the output {name} has shape {list(shape)}; its first "
                f"dimension has to be {count}",
            )
    return True


def _try_missing(model: UploadedModel, spec: OnnxManifest, sample: list[Any]) -> None:
    """Run the model on its sample with null in place of the features of each nullable input."""
    for n, each in enumerate(spec.inputs):
        if each.nullable and None in model.predict(
            [{**sample[0], **dict.fromkeys(each.features or ())}]
        ):
            raise errors.Invalid(
                f"manifest.inputs.{n}.nullable",
                "the model has no finite prediction for missing values",
            )


def _check_raw_output(output: Any, count: int, spec: OnnxManifest) -> None:
    if not isinstance(output, np.ndarray):
        raise errors.Invalid(
            "manifest.output.name", f"the output is not a tensor; {graph_check.NO_ZIPMAP}"
        )
    wanted = [count] if spec.labels is None else [count, len(spec.labels)]
    if output.size not in [count * each for each in spec.widths] or output.shape[:1] != (count,):
        field = "manifest.output.name" if spec.labels is None else "manifest.labels"
        raise errors.Invalid(
            field,
            f"for {count} at a time the output has shape {list(output.shape)}, not {wanted}",
        )
    if spec.output.holds == "probabilities" and not _are_probabilities(output, count):
        raise errors.Invalid(
            "manifest.output.holds", "the output is not probabilities; perhaps it is logits"
        )


def _are_probabilities(output: npt.NDArray[Any], count: int) -> bool:
    """Tell whether all finite values are from 0 to 1, and no row of several labels is all zeros."""
    tolerance = 1e-3
    finite = output[np.isfinite(output)]
    if ((finite < -tolerance) | (finite > 1 + tolerance)).any():
        return False
    rows = output.reshape(count, -1)
    return rows.shape[1] == 1 or bool(rows.any(axis=1).all())
