import numpy as np
import pytest
from sklearn.pipeline import Pipeline

from app.inference.runtime import CHUNK_BYTES, PIPELINE_ROWS
from app.inference.sklearn_answers import answer
from app.inference.trained_model import TrainedModel
from tests.support import frames, pipelines

ROWS = np.arange(2500.0).reshape(-1, 1)


class Narrow:
    """An estimator that predicts the number of a row, of at most `most` rows at a time."""

    def __init__(self, most=10**9, refused=()):
        self.most = most
        self.refused = refused
        self.sizes = []

    def predict(self, rows):
        if len(rows) > self.most:
            raise MemoryError
        if set(self.refused) & set(rows[:, 0]):
            raise ValueError("Input X contains infinity")
        self.sizes.append(len(rows))
        return rows[:, 0]


class Classifier(Narrow):
    def predict(self, rows):
        return super().predict(rows).astype(int) % 3

    def predict_proba(self, rows):
        return np.eye(3)[rows[:, 0].astype(int) % 3]


def answered(estimator, rows=ROWS, **manifest):
    return answer(
        Pipeline([("estimator", estimator)]), frames.manifest(**manifest), {"number": rows}
    )


@pytest.mark.parametrize(
    ("row_bytes", "size"),
    [(0, PIPELINE_ROWS), (1, PIPELINE_ROWS), (CHUNK_BYTES // 100, 100), (CHUNK_BYTES * 2, 1)],
)
def test_rows_are_answered_by_as_many_as_memory_allows(row_bytes, size):
    estimator = Narrow()

    answers = answered(estimator, row_bytes=row_bytes)

    np.testing.assert_array_equal(answers.predicted, ROWS[:, 0])
    assert max(estimator.sizes) == size


@pytest.mark.parametrize("most", [1, 7, 999])
def test_rows_are_halved_where_memory_ends(most):
    answers = answered(Narrow(most))

    np.testing.assert_array_equal(answers.predicted, ROWS[:, 0])


def test_a_row_that_needs_too_much_memory_is_an_error():
    with pytest.raises(MemoryError):
        answered(Narrow(0))


def test_a_row_that_cannot_be_taken_has_no_answer():
    predicted = answered(Narrow(refused=[3.0, 1700.0])).predicted

    assert np.flatnonzero(np.isnan(predicted)).tolist() == [3, 1700]


@pytest.mark.parametrize("probabilities", [True, False])
def test_a_classifier_answers_places_and_none_for_a_row_that_cannot_be_taken(probabilities):
    labels = {"labels": pipelines.LABELS, "task": "classification", "probabilities": probabilities}
    manifest = frames.manifest(**labels)

    class Runtime:
        bytes = 0

        def run(self, inputs):
            return answered(Classifier(refused=[1.0]), inputs["number"], **labels)

    found = TrainedModel(manifest, Runtime()).predict([{"a": value} for value in (0, 1, 2, 4)])

    assert [each and each["prediction"] for each in found] == ["no", None, "yes", "maybe"]
