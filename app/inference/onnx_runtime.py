"""Answer rows by the ONNX graph of a trained model."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from app import errors
from app.inference.held_memory import estimate_held
from app.inference.onnx_session import load_session
from app.inference.predictor import Tensors
from app.inference.runtime import CHUNK_BYTES, Answers, rows_at_a_time
from app.models.manifest import METADATA_KEY, TrainedManifest

log = logging.getLogger(__name__)


class OnnxRuntime:
    """The graph of a trained model, which holds its manifest."""

    alive = True
    isolated = False

    def __init__(
        self, onnx: Path | bytes, threads: int = 1, *, run_bytes: int = CHUNK_BYTES
    ) -> None:
        """Load an ONNX file, which is not read any more then. Raises `errors.Corrupt`.

        Rows are run together as long as they take at most `run_bytes`.
        """
        self._session = load_session(onnx, threads, arena=False)
        properties = self._session.get_modelmeta().custom_metadata_map
        try:
            self.manifest = TrainedManifest.model_validate_json(properties[METADATA_KEY])
        except (KeyError, ValueError) as error:
            log.error("a stored model's manifest cannot be read: %s", error)
            raise errors.Corrupt("the stored model has no manifest; train it again") from error
        self.bytes = self.manifest.memory or estimate_held(onnx)
        self._rows = rows_at_a_time(self.manifest.row_bytes, run_bytes)

    def run(self, inputs: Tensors) -> Answers:
        """Run the graph; see `Runtime`."""
        outputs = self._run(inputs)
        if self.manifest.labels is None or not self.manifest.probabilities:
            return Answers(outputs[0].reshape(-1), None)
        if self.manifest.format == 1:  # whose labels are codes of classes, not places
            return Answers(outputs[1].argmax(axis=1), outputs[1])
        return Answers(outputs[0], outputs[1])

    def _run(self, inputs: Tensors) -> list[Any]:
        """Return the outputs of the graph, which runs some of the rows at a time."""
        count = len(next(iter(inputs.values())))
        if count <= self._rows:
            outputs: list[Any] = self._session.run(None, inputs)
            return outputs
        starts = range(0, count, self._rows)
        parts = [
            {name: values[start : start + self._rows] for name, values in inputs.items()}
            for start in starts
        ]
        runs = zip(*(self._session.run(None, part) for part in parts), strict=True)
        return [np.concatenate(outputs) for outputs in runs]
