import pytest

from app import errors
from app.models.endpoint import EndpointSpec
from app.models.manifest import OnnxManifest, TrainedManifest
from app.models.record import StoredFile, TrainedSpec
from app.producer.jobs.batch_checks import checked_layout
from app.producer.schemas.batch import named_columns
from app.protocol.batch_request import BatchOptions
from tests.support.rows import model_record


class Manifests:
    """The manifest of a trained model with these labels."""

    def __init__(self, labels):
        self.labels = labels

    def get_manifest(self, _):
        return TrainedManifest.model_validate(
            {
                "model_id": "m",
                "dataset_id": "d",
                "task": "regression" if self.labels is None else "classification",
                "estimator": "ridge",
                "params": {},
                "features": [{"name": "a", "type": "number"}],
                "target": "t",
                "labels": self.labels,
                "rows": {},
                "metrics": {},
                "parity": None,
                "versions": {},
            }
        )


TRAINED = model_record("m", TrainedSpec(), StoredFile("models/m/1/", "a" * 64))


def asked(**more):
    return BatchOptions.model_validate({"model_id": "m", **more})


def test_a_layout_has_what_is_asked_for():
    found = checked_layout(TRAINED, Manifests(["x", "y"]), asked(columns=["id"], format="parquet"))

    assert (found.chosen, found.format, found.probabilities) == (["id"], "parquet", True)
    assert [each.name for each in found.features] == ["a"]


@pytest.mark.parametrize(
    ("labels", "wanted", "has"),
    [(None, None, False), (["x", "y"], None, True), (["x", "y"], False, False)],
)
def test_probabilities_are_those_of_a_classifier(labels, wanted, has):
    found = checked_layout(TRAINED, Manifests(labels), asked(probabilities=wanted))

    assert found.probabilities is has


@pytest.mark.parametrize(
    ("labels", "said"),
    [(None, "predicts numbers"), ([f"l{n}" for n in range(101)], "has 101 labels")],
)
def test_probabilities_that_there_are_not_are_refused(labels, said):
    with pytest.raises(errors.Invalid, match=said) as raised:
        checked_layout(TRAINED, Manifests(labels), asked(probabilities=True))

    assert raised.value.extra["field"] == "probabilities"


IMAGES = OnnxManifest.model_validate(
    {
        "inputs": [{"name": "x", "image": {"size": [8, 8]}}],
        "output": {"name": "y", "holds": "logits"},
        "labels": ["a", "b"],
    }
)


@pytest.mark.parametrize(
    ("spec", "said"),
    [(EndpointSpec(url="http://127.0.0.1:1/"), "is an endpoint"), (IMAGES, "takes images")],
)
def test_a_model_that_scores_no_tables_is_refused(spec, said):
    with pytest.raises(errors.Invalid, match=said) as raised:
        checked_layout(model_record("m", spec), Manifests(None), asked())

    assert raised.value.extra["field"] == "model_id"


@pytest.mark.parametrize(
    ("text", "names"),
    [("a", ["a"]), ("a,b", ["a", "b"]), ('a, "b, c"', ["a", "b, c"]), ("", [])],
)
def test_columns_of_a_query_are_those_of_a_csv(text, names):
    assert named_columns(text) == names
