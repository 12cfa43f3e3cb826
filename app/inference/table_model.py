"""Answer the rows of a table, whole columns at a time, by a model that is loaded for batch jobs."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from app import errors
from app.inference.output_reading import read_answers
from app.inference.predictor import Tensors
from app.inference.runtime import NO_PLACE, Answers
from app.inference.table_layout import trained_layout, uploaded_layout
from app.inference.tensor_types import TENSOR_TYPES
from app.inference.trained_model import TrainedModel
from app.inference.uploaded_model import UploadedModel, fixed_batch
from app.models.manifest import OnnxManifest
from app.models.record import ModelRecord

log = logging.getLogger(__name__)

PART_RUN_SECONDS = 120.0  # of the rows that are answered together
_EXACT = 2.0**53  # whole numbers up to it are exact in a column, which holds float64


def find_of_main_output(find: Callable[[str], ModelRecord], model_id: str) -> ModelRecord:
    """Return what `find` does without the further outputs of a graph, which no table holds."""
    record = find(model_id)
    if not isinstance(record.spec, OnnxManifest):
        return record
    return replace(record, spec=record.spec.model_copy(update={"outputs": []}))


class TrainedTableModel:
    """A trained model, which runs in a process of its own."""

    def __init__(self, model: TrainedModel) -> None:
        """Answer by a loaded model."""
        self.layout = trained_layout(model.manifest)
        self._model = model

    @property
    def alive(self) -> bool:
        """Tell whether the model can answer."""
        return self._model.alive

    def stop(self) -> None:
        """End the model's process now."""
        self._model.runtime.stop()

    def answer(self, inputs: Tensors) -> Answers:
        """Answer rows, whose `number` and `text` are in the order of the features.

        Raises as `Runtime.run` does.
        """
        return self._model.answer(inputs)


class UploadedTableModel:
    """An uploaded model of rows, which runs in a process of its own."""

    def __init__(self, model: UploadedModel) -> None:
        """Answer by a loaded model."""
        graph, spec = model.graph, model.spec
        types = {
            name: TENSOR_TYPES[graph.inputs[each.name].type]
            for name, each in spec.input_of_feature.items()
        }
        layout = uploaded_layout(spec)
        features = []
        for each in layout.features:
            known = types[each.name]
            if known.holds == "number":
                exact = np.inf if known.is_float else _EXACT
                limits = {
                    "lowest": max(float(known.lowest), -exact),
                    "largest": min(float(known.largest), exact),
                    "whole": not known.is_float,
                }
                each = each.model_copy(update=limits)
            features.append(each)
        self.layout = layout.model_copy(update={"features": features})
        self._spec = spec
        self._graph = graph
        self._batch = fixed_batch(graph.inputs.values())
        numbers = [each.name for each in features if each.is_number]
        texts = [each.name for each in features if not each.is_number]
        self._places = {"number": numbers, "text": texts}

    @property
    def alive(self) -> bool:
        """Tell whether the graph can answer."""
        return self._graph.alive

    def stop(self) -> None:
        """End the graph's process now."""
        self._graph.stop()

    def answer(self, inputs: Tensors) -> Answers:
        """Answer rows; see `TrainedTableModel.answer`. Raises as `Graph.run` does.

        A row at which the graph fails has no answer.
        """
        count = len(next(iter(inputs.values())))
        found = [
            part
            for begin in range(0, count, self._batch or count)
            for part in self._answers(
                {
                    name: each[begin : begin + (self._batch or count)]
                    for name, each in inputs.items()
                }
            )
        ]
        predicted = np.concatenate([each.predicted for each in found])
        if self._spec.labels is None:
            return Answers(predicted, None)
        shares = [each.probabilities for each in found if each.probabilities is not None]
        return Answers(predicted, np.concatenate(shares))

    def _answers(self, inputs: Tensors) -> Iterator[Answers]:
        """Answer rows in one run, or if that fails in two, so that only faulty rows fail."""
        count = len(next(iter(inputs.values())))
        try:
            outputs = self._graph.run(self._feeds(inputs, count))
            output = outputs[self._spec.output.name]
            if self._batch and np.ndim(output):
                output = output[:count]
            yield read_answers(output, self._spec, count)
        except (errors.ModelOutOfMemory, MemoryError):
            if count == 1 or self._batch:
                raise
        except Exception as error:  # what a hostile graph answers may fail anywhere
            if isinstance(error, errors.WarrenError) and not isinstance(error, errors.Invalid):
                raise
            if count == 1:
                yield _no_answer(self._spec)
                return
            log.info("the model failed at one of %d rows: %s", count, error)
        else:
            return
        for rows in (slice(count // 2), slice(count // 2, count)):
            yield from self._answers({name: each[rows] for name, each in inputs.items()})

    def _feeds(self, inputs: Tensors, count: int) -> Tensors:
        """Return the tensors of the graph; a batch of a fixed size is filled with the last row."""
        feeds: Tensors = {}
        for each in self._spec.inputs:
            known = self._graph.inputs[each.name]
            kind = "text" if TENSOR_TYPES[known.type].holds == "text" else "number"
            places = [self._places[kind].index(name) for name in each.features or ()]
            matrix = inputs[kind][:, places].astype(TENSOR_TYPES[known.type].dtype)
            if self._batch and count < self._batch:
                filling = np.repeat(matrix[-1:], self._batch - count, axis=0)
                matrix = np.concatenate([matrix, filling])
            feeds[each.name] = matrix if len(known.shape) == 2 else matrix.reshape(-1)
        return feeds


def _no_answer(spec: OnnxManifest) -> Answers:
    if spec.labels is None:
        return Answers(np.array([np.nan]), None)
    shares: npt.NDArray[np.float64] = np.full((1, len(spec.labels)), np.nan)
    return Answers(np.array([NO_PLACE]), shares)


TableModel = TrainedTableModel | UploadedTableModel
