"""Answer rows by the ONNX graph of a trained model."""

import logging

from app import errors
from app.inference.onnx_session import load_session
from app.inference.predictor import Tensors
from app.inference.runtime import Answers
from app.models.manifest import METADATA_KEY, TrainedManifest

log = logging.getLogger(__name__)


class OnnxRuntime:
    """The graph of a trained model, which holds its manifest."""

    alive = True

    def __init__(self, onnx: bytes, threads: int = 1) -> None:
        """Load an ONNX file. Raises `errors.Corrupt`."""
        self._session = load_session(onnx, threads)
        properties = self._session.get_modelmeta().custom_metadata_map
        try:
            self.manifest = TrainedManifest.model_validate_json(properties[METADATA_KEY])
        except (KeyError, ValueError) as error:
            log.error("a stored model's manifest cannot be read: %s", error)
            raise errors.Corrupt("the stored model has no manifest; train it again") from error
        self.bytes = self.manifest.memory or len(onnx)

    def run(self, inputs: Tensors) -> Answers:
        """Run the graph; see `Runtime`."""
        outputs = self._session.run(None, inputs)
        if self.manifest.labels is None:
            return Answers(outputs[0].reshape(-1), None)
        if not self.manifest.probabilities:
            return Answers(outputs[0].reshape(-1), None)
        if self.manifest.format == 1:  # whose labels are codes of classes, not places
            return Answers(outputs[1].argmax(axis=1), outputs[1])
        return Answers(outputs[0], outputs[1])
