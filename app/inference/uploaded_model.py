"""Predict with an uploaded ONNX model, as its manifest describes it."""

import logging
from math import isfinite
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from app import errors
from app.inference import images
from app.inference.onnx_session import load_session, run_options
from app.inference.predictor import (
    Prediction,
    Tensors,
    check_rows,
    describe_value,
    fit_names,
    refuse_images,
)
from app.inference.run_deadline import watchdog
from app.models.manifest import Label, OnnxManifest
from app.protocol.requests import PredictionInputs
from app.protocol.types import Row

log = logging.getLogger(__name__)

DTYPES: dict[str, type[np.number[Any]]] = {  # by onnxruntime's names of the types of inputs
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
}
MAX_IMAGES_PER_RUN = 8
MAX_BYTES = 256_000_000  # of one request's images after scaling; of one run's images as floats
MAX_LABELS = 100  # with more labels, a prediction has only the `TOP_LABELS` most probable ones
TOP_LABELS = 5
RUN_SECONDS = 15.0  # below two heartbeats, because a connection's thread predicts small requests
ALL_SECONDS = 300.0


class UploadedModel:
    """A loaded model that a client uploaded; any number of threads may use it."""

    def __init__(
        self,
        model_id: str,
        onnx: bytes,
        spec: OnnxManifest,
        max_pixels: int,
        *,
        run_seconds: float = RUN_SECONDS,
        all_seconds: float = ALL_SECONDS,
    ) -> None:
        """Load an ONNX file that `spec` describes. Raises `errors.Corrupt`.

        An image may have at most `max_pixels`. A run may take `run_seconds`, and all runs of a call
        of `predict` together `all_seconds`.
        """
        self._session = load_session(onnx)
        self.model_id = model_id
        self.bytes = len(onnx)
        self.spec = spec
        self._max_pixels = max_pixels
        self._run_seconds = run_seconds
        self._all_seconds = all_seconds
        self._image = spec.image.image if spec.image else None
        self._inputs = {each.name: each for each in self._session.get_inputs()}
        if absent := [each.name for each in spec.inputs if each.name not in self._inputs]:
            raise errors.Corrupt(f"the stored model has no input {', '.join(absent)}")
        self.single_row = any(each.shape[:1] == [1] for each in self._inputs.values())
        self._dtypes = {
            feature: DTYPES[self._inputs[each.name].type]
            for each in spec.inputs
            for feature in each.features or ()
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

        With more than `MAX_LABELS` labels a prediction has only the most probable ones. It is None
        also if the graph fails. Raises `errors.DeadlineExceeded` when a run takes longer than
        `run_seconds`, or all runs longer than `all_seconds`.
        """
        size, deadline = self.batch(len(prepared)), monotonic() + self._all_seconds
        answers: list[Prediction | None] = []
        for start in range(0, len(prepared), size):
            answers += self._predict_together(prepared[start : start + size], deadline)
        return answers

    def run(self, prepared: list[Any]) -> npt.NDArray[Any]:
        """Run the graph once for rows or images that `prepare` returned; return its raw output.

        Raises `errors.DeadlineExceeded`, and onnxruntime's own errors.
        """
        with watchdog().deadline(run_options(), self._run_seconds) as options:
            outputs = self._session.run([self.spec.output.name], self._feeds(prepared), options)
            output: npt.NDArray[Any] = outputs[0]
        return output

    def batch(self, count: int) -> int:
        """Return how many of `count` rows or images go into one run."""
        if self.single_row:
            return 1
        if self._image is None:
            return max(1, count)
        height, width = self._image.size
        return max(1, min(MAX_IMAGES_PER_RUN, MAX_BYTES // (height * width * 12)))

    def _predict_together(self, prepared: list[Any], deadline: float) -> list[Prediction | None]:
        """Predict in one run; if that fails, in a run for each, so that only faulty inputs fail."""
        if monotonic() > deadline:
            raise errors.DeadlineExceeded(f"the model took longer than {self._all_seconds:g} s")
        try:
            return self._read(self.run(prepared), len(prepared))
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
            batch = images.tensor(np.stack(prepared), self._image)
            return {each.name: batch.astype(DTYPES[self._inputs[each.name].type], copy=False)}
        feeds: Tensors = {}
        for each in self.spec.inputs:
            known = self._inputs[each.name]
            values = [[row[name] for name in each.features or ()] for row in prepared]
            matrix = np.array(values, DTYPES[known.type])
            feeds[each.name] = matrix if len(known.shape) == 2 else matrix.reshape(-1)
        return feeds

    def _read(self, output: npt.NDArray[Any], count: int) -> list[Prediction | None]:
        """Turn a raw output into `count` predictions."""
        labels = self.spec.labels
        if labels is None:
            numbers = output.reshape(count).tolist()
            return [{"prediction": n, "pred_proba": n} if isfinite(n) else None for n in numbers]
        values = output.reshape(count, len(labels)).astype(np.float64)
        if self.spec.output.holds == "logits":
            values = softmax(values)
        shown = len(labels) if len(labels) <= MAX_LABELS else TOP_LABELS
        return [_classified(row, labels, shown) for row in values]

    def _check(self, row: Row) -> Row:
        """Return a row with the names of the features.

        Raises `errors.Invalid` for a feature that is missing, unknown or not a number.
        """
        if row.keys() != self._dtypes.keys():
            row = fit_names(row, list(self._dtypes), self.model_id)
        for name, dtype in self._dtypes.items():
            if not _fits(row[name], dtype):
                field = f"input_data.{name}"
                wanted = "a whole number" if dtype is np.int64 else "a number"
                given = describe_value(row[name])
                raise errors.Invalid(field, f"expected {wanted}, not {given}")
        return row


def softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the probabilities [rows, labels] of logits of the same shape."""
    with np.errstate(invalid="ignore"):  # from infinities, whose rows become None
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _classified(row: npt.NDArray[np.float64], labels: list[Label], shown: int) -> Prediction | None:
    if not np.isfinite(row).all():
        return None
    order = np.argsort(-row, kind="stable")[:shown].tolist()
    listed = sorted(order) if shown == len(labels) else order
    return {
        "prediction": labels[order[0]],
        "pred_proba": {str(labels[n]): float(row[n]) for n in listed},
    }


def _fits(value: JsonValue, dtype: type[np.number[Any]]) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if dtype is np.int64:
        return value == value // 1 and -(2**63) <= value < 2**63
    return abs(value) <= float(np.finfo(np.float64 if dtype is np.float64 else np.float32).max)
