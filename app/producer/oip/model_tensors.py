"""The tensors that a model takes and answers, by the names of its features and outputs."""

from collections.abc import Iterable, Mapping

from app.concurrency import run_in_thread
from app.models.endpoint import EndpointSpec
from app.models.manifest import OnnxManifest, TrainedManifest
from app.models.record import ModelRecord
from app.producer.schemas.oip import ModelMetadata, TensorMetadata
from app.producer.services import Services
from app.protocol.column_types import ColumnKind
from app.protocol.label_keys import Label, label_keys
from app.protocol.oip.datatypes import BOOL, BYTES, FP64, Datatype
from app.protocol.oip.outputs import PREDICTION, PROBABILITIES, PROBABLE, label_datatype
from app.protocol.oip.rows import IMAGES

# Of an uploaded model with more labels than the first number, an answer has the most probable ones.
_MOST_LABELS, _MOST_PROBABLE = 100, 5
_DATATYPES: Mapping[ColumnKind, Datatype] = {
    "number": FP64,
    "boolean": BOOL,
    "text": BYTES,
    "category": BYTES,
    "date": BYTES,
}
_PLATFORMS = {"onnx": "onnx_onnxv1", "scikit-learn": "sklearn_skops"}


async def describe_model(services: Services, record: ModelRecord, name: str) -> ModelMetadata:
    """Describe a model that its client calls `name`. Raises the errors of `get_manifest`."""
    match record.spec:
        case OnnxManifest() as spec:
            return _of_onnx(name, spec)
        case EndpointSpec() as spec:
            return _of_endpoint(name, spec)
    key = record.require_file().key
    return _of_trained(name, await run_in_thread(services.model_files.get_manifest, key))


def _of_trained(name: str, manifest: TrainedManifest) -> ModelMetadata:
    return ModelMetadata(
        name=name,
        platform=_PLATFORMS[manifest.runtime],
        inputs=[_tensor(each.name, _DATATYPES[each.type]) for each in manifest.features],
        outputs=_outputs(manifest.labels, probabilities=manifest.probabilities),
    )


def _of_onnx(name: str, spec: OnnxManifest) -> ModelMetadata:
    features = {feature: _DATATYPES[each.type] for feature, each in spec.input_of_feature.items()}
    images = [_tensor(IMAGES, BYTES)] if spec.image else []
    return ModelMetadata(
        name=name,
        platform=_PLATFORMS["onnx"],
        inputs=images or [_tensor(*each) for each in features.items()],
        outputs=_outputs(spec.labels, shown=_MOST_LABELS),
    )


def _of_endpoint(name: str, spec: EndpointSpec) -> ModelMetadata:
    """Describe a remote model, of which only the sample is known."""
    images = [_tensor(IMAGES, BYTES)] if spec.sample is None and spec.image_sample else []
    seen = [_tensor(*each) for each in _seen((spec.sample or {}).items())]
    return ModelMetadata(name=name, platform="warren_endpoint", inputs=images + seen, outputs=[])


def _seen(sample: Iterable[tuple[str, object]]) -> Iterable[tuple[str, Datatype]]:
    """Yield the features of a sample that a tensor can hold; lists and objects are none."""
    for name, value in sample:
        match value:
            case bool():
                yield name, BOOL
            case int() | float():
                yield name, FP64
            case str():
                yield name, BYTES


def _outputs(
    labels: list[Label] | None, *, probabilities: bool = True, shown: int | None = None
) -> list[TensorMetadata]:
    """Describe the answer of a model that Warren runs."""
    if labels is None:
        return [_tensor(PREDICTION, FP64)]
    prediction = _tensor(PREDICTION, label_datatype(labels))
    if not probabilities:
        return [prediction]
    if shown is not None and len(labels) > shown:
        return [
            prediction,
            _tensor(PROBABILITIES, FP64, _MOST_PROBABLE),
            _tensor(PROBABLE, BYTES, _MOST_PROBABLE),
        ]
    known = _tensor(PROBABILITIES, FP64, len(labels))
    return [prediction, known.model_copy(update={"parameters": {"labels": label_keys(labels)}})]


def _tensor(name: str, datatype: Datatype, *columns: int) -> TensorMetadata:
    return TensorMetadata(name=name, datatype=datatype.name, shape=[-1, *columns])
