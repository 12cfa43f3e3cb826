"""Predict with an uploaded ONNX model, as its manifest describes it."""

import logging
from collections.abc import Iterable
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from app import errors
from app.inference import images
from app.inference.held_memory import estimate_held
from app.inference.onnx_session import load_session, run_options
from app.inference.output_reading import read_outputs
from app.inference.predictor import (
    Prediction,
    Tensors,
    check_rows,
    fit_names,
    refuse_images,
    wrong_value,
)
from app.inference.run_deadline import watchdog
from app.inference.tensor_types import TENSOR_TYPES
from app.models.manifest import OnnxManifest
from app.protocol.label_keys import label_keys
from app.protocol.prediction_fields import Extra
from app.protocol.requests import PredictionInputs
from app.protocol.types import Row

log = logging.getLogger(__name__)

MAX_IMAGES_PER_RUN = 8
MAX_BYTES = 256_000_000  # of one request's images after scaling; of one run's images as floats
RUN_SECONDS = 15.0  # below two heartbeats, because a connection's thread predicts small requests
ALL_SECONDS = 300.0


class UploadedModel:
    """A loaded model that a client uploaded; any number of threads may use it."""

    alive = True
    isolated = False

    def __init__(
        self,
        model_id: str,
        onnx: Path | bytes,
        spec: OnnxManifest,
        max_pixels: int,
        *,
        run_seconds: float = RUN_SECONDS,
        all_seconds: float = ALL_SECONDS,
    ) -> None:
        """Load an ONNX file that `spec` describes. Raises `errors.Corrupt`.

        The file is not read any more then. An image may have at most `max_pixels`. A run may take
        `run_seconds`, and all runs of a call of `predict` together `all_seconds`.
        """
        self._session = load_session(onnx)
        self.model_id = model_id
        self.bytes = estimate_held(onnx)
        self.spec = spec
        self._max_pixels = max_pixels
        self._run_seconds = run_seconds
        self._all_seconds = all_seconds
        self._image = spec.image.image if spec.image else None
        self._label_keys = label_keys(spec.labels or [])
        self._inputs = {each.name: each for each in self._session.get_inputs()}
        if absent := [each.name for each in spec.inputs if each.name not in self._inputs]:
            raise errors.Corrupt(f"the stored model has no input {', '.join(absent)}")
        self._batch = fixed_batch(self._inputs.values())
        self._features = {
            feature: (each, TENSOR_TYPES[self._inputs[each.name].type])
            for feature, each in spec.input_of_feature.items()
        }

    def prepare(self, inputs: PredictionInputs) -> list[Any]:
        """Return checked rows, or images as pixels [height, width, 3].

        Raises `errors.Invalid` or `TooLarge`.
        """
        if self._image is None:
            refuse_images(inputs, self.model_id)
            return check_rows(inputs, self._check)
        if inputs.image_data is None:
            raise errors.Invalid("input_data", f"model {self.model_id} takes images, in image_data")
        height, width = self._image.size
        most = max(1, MAX_BYTES // (height * width * 3))
        if len(inputs.images) > most:
            raise errors.TooLarge(
                "image_data",
                f"of {height} x {width} pixels at most {most} at a time",
                limit=most,
            )
        return [
            images.decode(
                image,
                self._image,
                self._max_pixels,
                f"image_data.{n}" if inputs.many else "image_data",
            )
            for n, image in enumerate(inputs.images)
        ]

    def predict(self, prepared: list[Any]) -> list[Prediction | None]:
        """Predict for rows or images that `prepare` returned; see `Predictor`.

        A prediction is None also if the graph fails. It has `outputs`, by name, if the manifest
        names further ones. Raises `errors.DeadlineExceeded` when a run takes longer than
        `run_seconds`, or all runs longer than `all_seconds`.
        """
        size, deadline = self.batch(len(prepared)), monotonic() + self._all_seconds
        answers: list[Prediction | None] = []
        for start in range(0, len(prepared), size):
            answers += self._predict_together(prepared[start : start + size], deadline)
        return answers

    def run(self, prepared: list[Any]) -> Tensors:
        """Run the graph once for rows or images that `prepare` returned; return its raw outputs.

        They are those that the manifest names. A batch of a fixed size is filled up with the last
        row, and its outputs are cut. Raises `errors.DeadlineExceeded`, and onnxruntime's own
        errors.
        """
        count, names = len(prepared), [self.spec.output.name, *self.spec.outputs]
        filled = prepared + prepared[-1:] * (self._batch - count) if self._batch else prepared
        with watchdog().deadline(run_options(), self._run_seconds) as options:
            outputs = self._session.run(names, self._feeds(filled), options)
        if self._batch:
            outputs = [each[:count] if np.ndim(each) else each for each in outputs]
        return dict(zip(names, outputs, strict=True))

    def batch(self, count: int) -> int:
        """Return how many of `count` rows or images go into one run."""
        if self._batch:
            return self._batch
        if self._image is None:
            return max(1, count)
        height, width = self._image.size
        return max(1, min(MAX_IMAGES_PER_RUN, MAX_BYTES // (height * width * 12)))

    def _predict_together(self, prepared: list[Any], deadline: float) -> list[Prediction | None]:
        """Predict in one run; if that fails, in a run for each, so that only faulty inputs fail."""
        if monotonic() > deadline:
            raise errors.DeadlineExceeded(f"the model took longer than {self._all_seconds:g} s")
        try:
            outputs = self.run(prepared)
            return read_outputs(outputs, self.spec, self._label_keys, len(prepared))
        except errors.WarrenError:
            raise
        except Exception as error:  # noqa: BLE001  onnxruntime's errors have no common base class
            if len(prepared) > 1:
                log.info("model %s failed at one of %d: %s", self.model_id, len(prepared), error)
                return [
                    one for each in prepared for one in self._predict_together([each], deadline)
                ]
            return [None]

    def _feeds(self, prepared: list[Any]) -> Tensors:
        if self._image:
            (each,) = self.spec.inputs
            dtype = TENSOR_TYPES[self._inputs[each.name].type].dtype
            return {each.name: images.tensor(np.stack(prepared), self._image, dtype)}
        feeds: Tensors = {}
        for each in self.spec.inputs:
            known = self._inputs[each.name]
            values = [[row[name] for name in each.features or ()] for row in prepared]
            matrix = np.array(values, TENSOR_TYPES[known.type].dtype)  # None becomes NaN
            feeds[each.name] = matrix if len(known.shape) == 2 else matrix.reshape(-1)
        return feeds

    def _check(self, row: Row, extra: Extra | None) -> Row:
        """Return a row with the names of the features.

        Raises `errors.Invalid` for a feature that is missing, unknown or of a wrong type.
        """
        if row.keys() != self._features.keys():
            row = fit_names(row, list(self._features), self.model_id, extra)
        for name, (wanted, kind) in self._features.items():
            value = row[name]
            if (value is None and wanted.nullable) or kind.fits(value):
                continue
            error = wrong_value(name, value, kind.describe(value), nullable=wanted.nullable)
            if value is None and kind.is_float:
                remedy = (
                    "if the model takes missing values, register it with "
                    f'"nullable": true at the input {wanted.name} of its manifest'
                )
                raise error.renamed(error.extra["field"], f"{error.message}; {remedy}")
            raise error
        return row


def fixed_batch(inputs: Iterable[Any]) -> int | None:
    """Return the size that the inputs of a graph give to all batches, None if it is free."""
    sizes = (each.shape[0] for each in inputs if each.shape)
    return next((size for size in sizes if isinstance(size, int)), None)
