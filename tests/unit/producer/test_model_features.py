import asyncio

import pytest

from app import errors
from app.models.endpoint import EndpointSpec
from app.models.manifest import OnnxManifest, TrainedManifest
from app.models.record import StoredFile, TrainedSpec
from app.producer.model_features import ModelFeatures
from tests.support import graphs
from tests.support.rows import model_record

FILE = StoredFile("models/m/1/", "a" * 64)
SPECS = {
    "trained": TrainedSpec(),
    "uploaded": OnnxManifest.model_validate(graphs.LINEAR),
    "images": OnnxManifest.model_validate(graphs.IMAGES),
    "remote": EndpointSpec(url="https://models.example/predict"),
}


class Models:
    async def find(self, model_id):
        if model_id not in SPECS:
            raise errors.NotFound("model_id", f"there is no model {model_id}")
        return model_record(model_id, SPECS[model_id], FILE)


class Files:
    def get_manifest(self, key):
        assert key == FILE.key
        return TrainedManifest.model_validate(
            {
                "model_id": "m",
                "dataset_id": "d",
                "task": "regression",
                "estimator": "ridge",
                "params": {},
                "target": "t",
                "labels": None,
                "rows": {},
                "metrics": {},
                "parity": None,
                "versions": {},
                "features": [{"name": "a", "type": "number"}, {"name": "e\u0301", "type": "text"}],
            }
        )


def features_of(model_id):
    return asyncio.run(ModelFeatures(Models(), Files()).of(model_id))


@pytest.mark.parametrize(
    ("model_id", "features"),
    [("trained", {"a", "é"}), ("uploaded", {"a", "b"}), ("images", set()), ("remote", None)],
)
def test_features_are_those_of_the_manifest(model_id, features):
    assert features_of(model_id) == features


def test_a_model_that_is_not_there_has_none():
    with pytest.raises(errors.NotFound):
        features_of("nowhere")
