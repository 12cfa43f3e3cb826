import pytest
from pydantic import ValidationError

from app.models.manifest import OnnxManifest, TrainedManifest
from tests.support import frames
from tests.support.graphs import LINEAR


@pytest.mark.parametrize("labels", [None, [0, 1], [False, True], ["a", "b"], ["1", "2"]])
def test_a_manifest_survives_its_json(labels):
    manifest = frames.manifest(labels=labels)

    again = TrainedManifest.model_validate_json(manifest.model_dump_json())

    assert again == manifest
    assert list(map(type, again.labels or [])) == list(map(type, labels or []))


def test_a_manifest_does_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        frames.manifest().target = "other"


def test_two_inputs_of_a_graph_have_different_names():
    inputs = [{"name": "x", "features": ["a"]}, {"name": "x", "features": ["b"]}]

    with pytest.raises(ValidationError, match="inputs: two have the same name"):
        OnnxManifest.model_validate({**LINEAR, "inputs": inputs})
