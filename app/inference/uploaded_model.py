"""Predict with an uploaded ONNX model, as its manifest describes it."""

import logging
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import Any

import numpy as np

from app import errors
from app.inference import images
from app.inference.graph import Graph, GraphInput
from app.inference.model_child import ANSWER_BYTES
from app.inference.output_reading import MAX_LABELS, read_outputs
from app.inference.predictor import (
    Prediction,
    Tensors,
    answer_bytes,
    check_rows,
    fit_names,
    refuse_images,
    wrong_value,
)
from app.inference.tensor_types import TENSOR_TYPES
from app.models.manifest import OnnxManifest
from app.protocol.label_keys import label_keys
from app.protocol.prediction_fields import Extra
from app.protocol.requests import PredictionInputs
from app.protocol.types import Row

log = logging.getLogger(__name__)

MAX_IMAGES_PER_RUN = 8
MAX_BYTES = 256_000_000  # of one request's images after scaling; of one run's images as floats
ALL_SECONDS = 300.0

_Answered = tuple[list[Prediction | None], int]  # and the bytes of their further outputs


class UploadedModel:
    """A loaded model that a client uploaded; any number of threads may use it."""

    def __init__(
        self,
        model_id: str,
        spec: OnnxManifest,
        graph: Graph,
        max_pixels: int,
        *,
        all_seconds: float = ALL_SECONDS,
    ) -> None:
        """Combine a graph and the manifest that describes it.

        Raises `errors.Corrupt` if they do not fit. An image may have at most `max_pixels`. All runs
        of a call of `predict` together may take `all_seconds`.
        """
        self.model_id = model_id
        self.bytes = graph.bytes
        self.answered_by = "uploaded"
        self.labels = spec.labels
        self.isolated = graph.isolated
        self.spec = spec
        self.graph = graph
        self._max_pixels = max_pixels
        self._all_seconds = all_seconds
        self._image = spec.image.image if spec.image else None
        self._label_keys = label_keys(spec.labels or [])
        self.answer_bytes = answer_bytes(min(len(self._label_keys), MAX_LABELS))
        if absent := [each.name for each in spec.inputs if each.name not in graph.inputs]:
            raise errors.Corrupt(f"the stored model has no input {', '.join(absent)}")
        self._batch = fixed_batch(graph.inputs.values())
        self._most: int | None = None  # inputs of a run, once more have run out of memory
        self._features = {
            feature: (each, TENSOR_TYPES[graph.inputs[each.name].type])
            for feature, each in spec.input_of_feature.items()
        }

    @property
    def alive(self) -> bool:
        """Tell whether the graph can answer."""
        return self.graph.alive

    def prepare(self, inputs: PredictionInputs) -> list[Any]:
        """Return checked rows, or images as pixels [height, width, 3].

        Raises `errors.Invalid` or `TooLarge`.
        """
        if self._image is None:
            refuse_images(inputs, self.model_id)
            return check_rows(inputs, self._check, self.spec.features, self.model_id)
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
        names further ones. Raises `errors.DeadlineExceeded` when a run or all runs take too long,
        `ModelOutOfMemory` if one row or image needs more than there is or the further outputs
        exceed `ANSWER_BYTES`, and as the graph does.
        """
        deadline = monotonic() + self._all_seconds
        answers: list[Prediction | None] = []
        held = 0
        while (start := len(answers)) < len(prepared):
            together = prepared[start : start + self.batch(len(prepared))]
            for found, size in self._runs(together, deadline):
                answers += found
                held += size
                if held > ANSWER_BYTES:
                    raise errors.ModelOutOfMemory(
                        f"the model's further outputs take more than {ANSWER_BYTES / 1e6:,.0f} MB; "
                        "ask for fewer at a time"
                    )
        return answers

    def run(self, prepared: list[Any]) -> Tensors:
        """Run the graph once for rows or images that `prepare` returned; return its raw outputs.

        They are those that the manifest names. A batch of a fixed size is filled up with the last
        row, and its outputs are cut. Raises as `Graph.run` does.
        """
        count = len(prepared)
        filled = prepared + prepared[-1:] * (self._batch - count) if self._batch else prepared
        outputs = self.graph.run(self._feeds(filled))
        if self._batch:
            return {name: each[:count] if np.ndim(each) else each for name, each in outputs.items()}
        return outputs

    def batch(self, count: int) -> int:
        """Return how many of `count` rows or images go into one run."""
        if self._batch:
            return self._batch
        if self._image is None:
            most = max(1, count)
        else:
            height, width = self._image.size
            most = max(1, min(MAX_IMAGES_PER_RUN, MAX_BYTES // (height * width * 12)))
        return min(most, self._most or most)

    def _runs(self, prepared: list[Any], deadline: float) -> Iterator[_Answered]:
        """Answer inputs in one run, or if that fails in two, so that only faulty inputs fail."""
        if monotonic() > deadline:
            raise errors.DeadlineExceeded(f"the model took longer than {self._all_seconds:g} s")
        count = len(prepared)
        try:
            outputs = self.run(prepared)
            answers = read_outputs(outputs, self.spec, self._label_keys, count)
        except (errors.ModelOutOfMemory, MemoryError):
            if count == 1 or self._batch:
                raise
            self._most = count // 2
        except Exception as error:  # what a hostile graph answers may fail anywhere
            if isinstance(error, errors.WarrenError) and not isinstance(error, errors.Invalid):
                raise
            if count == 1:
                yield [None], 0
                return
            log.info("model %s failed at one of %d: %s", self.model_id, count, error)
        else:
            yield answers, sum(_size(outputs[name]) for name in self.spec.outputs)
            return
        yield from self._runs(prepared[: count // 2], deadline)
        yield from self._runs(prepared[count // 2 :], deadline)

    def _feeds(self, prepared: list[Any]) -> Tensors:
        if self._image:
            (each,) = self.spec.inputs
            return {each.name: np.stack(prepared)}
        feeds: Tensors = {}
        for each in self.spec.inputs:
            known = self.graph.inputs[each.name]
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


def _size(output: Any) -> int:
    """Return the bytes of an output; those of texts are their characters."""
    if output.dtype == object:
        return sum(map(len, output.ravel()))
    return int(output.nbytes)


def fixed_batch(inputs: Iterable[GraphInput]) -> int | None:
    """Return the size that the inputs of a graph give to all batches, None if it is free."""
    sizes = (each.shape[0] for each in inputs if each.shape)
    return next((size for size in sizes if isinstance(size, int)), None)
