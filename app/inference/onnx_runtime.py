"""Answer rows by the ONNX graph of a trained model."""

import logging
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from app import errors
from app.inference.held_memory import estimate_held
from app.inference.onnx_session import load_session
from app.inference.predictor import Tensors
from app.inference.runtime import CHUNK_BYTES, Answers, rows_at_a_time
from app.models.manifest import METADATA_KEY, TrainedManifest

RUN_SECONDS = 15.0  # of many rows, which are run some at a time

log = logging.getLogger(__name__)


class OnnxRuntime:
    """The graph of a trained model, which holds its manifest."""

    isolated = False

    def __init__(
        self,
        onnx: Path | bytes,
        threads: int = 1,
        *,
        run_bytes: int = CHUNK_BYTES,
        run_seconds: float = RUN_SECONDS,
        on_stop: Callable[[errors.WarrenError], None] = lambda _: None,
    ) -> None:
        """Load an ONNX file, which is not read any more then. Raises `errors.Corrupt`.

        Rows are run together as long as they take at most `run_bytes`. Runs that together take
        longer than `run_seconds` are ended and `on_stop` is called; `alive` is False then.
        """
        self.alive = True
        self._run_seconds = run_seconds
        self._on_stop = on_stop
        self._session = load_session(onnx, threads, arena=False)
        properties = self._session.get_modelmeta().custom_metadata_map
        try:
            self.manifest = TrainedManifest.model_validate_json(properties[METADATA_KEY])
        except (KeyError, ValueError) as error:
            log.error("a stored model's manifest cannot be read: %s", error)
            raise errors.Corrupt("the stored model has no manifest; train it again") from error
        self.bytes = self.manifest.memory or estimate_held(onnx)
        self._rows = rows_at_a_time(self.manifest.row_bytes, run_bytes)

    def stop(self) -> None:
        """Do nothing, because it runs in this process."""

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
        end = monotonic() + self._run_seconds
        runs = []
        for start in range(0, count, self._rows):
            if monotonic() > end:
                raise self._stopped()
            part = {name: values[start : start + self._rows] for name, values in inputs.items()}
            runs.append(self._session.run(None, part))
        return [np.concatenate(outputs) for outputs in zip(*runs, strict=True)]

    def _stopped(self) -> errors.DeadlineExceeded:
        self.alive = False
        error = errors.DeadlineExceeded(f"the model took longer than {self._run_seconds:g} s")
        self._on_stop(error)
        return error
