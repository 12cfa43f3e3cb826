import asyncio
from datetime import UTC, datetime

import pytest

from app.models.endpoint import EndpointSpec
from app.models.manifest import Feature, OnnxManifest, TrainedManifest
from app.models.record import ModelRecord, StoredFile, TrainedSpec
from app.producer.oip.model_tensors import describe_model
from app.protocol.types import ModelKind
from tests.support.oip_schema import fits

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Services:
    """Files of models, of which all have one manifest."""

    def __init__(self, manifest=None):
        self.model_files = self
        self.manifest = manifest

    def get_manifest(self, _):
        return self.manifest


def record(spec, kind=ModelKind.ONNX):
    file = None if kind is ModelKind.ENDPOINT else StoredFile("k/", "0")
    return ModelRecord("m", kind, spec, file, None, None, None, NOW, None)


def manifest(**changes):
    values = {
        "model_id": "m",
        "dataset_id": "d",
        "task": "classification",
        "estimator": "ridge",
        "params": {},
        "features": [Feature(name=kind, type=kind) for kind in ("number", "boolean", "date")],
        "target": "t",
        "labels": [0, 1],
        "rows": {},
        "metrics": {},
        "parity": None,
        "versions": {},
    }
    return TrainedManifest.model_construct(**{**values, **changes})


def described(spec, kind=ModelKind.ONNX, trained=None):
    found = asyncio.run(describe_model(Services(trained), record(spec, kind), "shown"))
    said = fits("metadata_model_response", found.model_dump(exclude_none=True))
    assert said["name"] == "shown"
    return said


def brief(tensors):
    return [(each["name"], each["datatype"], each["shape"]) for each in tensors]


def test_a_trained_model_has_a_tensor_of_each_feature():
    said = described(TrainedSpec(), ModelKind.TRAINED, manifest())

    assert said["platform"] == "onnx_onnxv1"
    names = [("number", "FP64", [-1]), ("boolean", "BOOL", [-1]), ("date", "BYTES", [-1])]
    assert brief(said["inputs"]) == names
    assert brief(said["outputs"]) == [
        ("prediction", "INT64", [-1]),
        ("pred_proba", "FP64", [-1, 2]),
    ]
    assert said["outputs"][1]["parameters"] == {"labels": ["0", "1"]}


def test_a_model_without_probabilities_has_none_in_its_outputs():
    known = manifest(probabilities=False, runtime="scikit-learn")
    said = described(TrainedSpec(), ModelKind.TRAINED, known)

    assert said["platform"] == "sklearn_skops"
    assert brief(said["outputs"]) == [("prediction", "INT64", [-1])]


@pytest.mark.parametrize(
    ("count", "outputs"),
    [
        (100, [("prediction", "BYTES", [-1]), ("pred_proba", "FP64", [-1, 100])]),
        (
            101,
            [
                ("prediction", "BYTES", [-1]),
                ("pred_proba", "FP64", [-1, 5]),
                ("pred_proba_labels", "BYTES", [-1, 5]),
            ],
        ),
    ],
)
def test_an_uploaded_model_has_its_features_and_the_labels_that_it_answers(count, outputs):
    spec = OnnxManifest(
        inputs=[{"name": "x", "features": ["a"]}, {"name": "y", "features": ["b"], "type": "text"}],
        output={"name": "p", "holds": "probabilities"},
        labels=[f"l{n}" for n in range(count)],
    )
    said = described(spec)

    assert brief(said["inputs"]) == [("a", "FP64", [-1]), ("b", "BYTES", [-1])]
    assert brief(said["outputs"]) == outputs


def test_a_remote_model_has_what_its_sample_has():
    url = "http://127.0.0.1:1/"
    sample = {"a": 1, "b": 0.5, "c": True, "d": "x", "e": [1], "f": None}
    said = described(EndpointSpec(url=url, sample=sample), ModelKind.ENDPOINT)
    assert [kind for _, kind, _ in brief(said["inputs"])] == ["FP64", "FP64", "BOOL", "BYTES"]
    assert said["outputs"] == []
    said = described(EndpointSpec(url=url, image_sample="aGk="), ModelKind.ENDPOINT)
    assert brief(said["inputs"]) == [("image_data", "BYTES", [-1])]
    said = described(EndpointSpec(url=url), ModelKind.ENDPOINT)
    assert said["inputs"] == []
