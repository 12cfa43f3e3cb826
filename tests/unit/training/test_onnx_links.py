import numpy as np
import pytest
from scipy.special import expit, softmax

from app.inference.onnx_session import load_session
from app.training.onnx_graph import DOUBLE, INT64, GraphBuilder
from app.training.onnx_links import add_classes, add_two_classes

SCORES = np.array([-800.0, -300, -40, -20, -1e-9, 0, 1e-9, 1, 40, 800])


def run(add, scores):
    """The labels and the probabilities of scores [rows, columns]."""
    graph = GraphBuilder()
    label, probabilities = add(graph, graph.input("x", DOUBLE, scores.shape[1]))
    graph.output("label", label, INT64, [None])
    graph.output("probabilities", probabilities, DOUBLE, [None, max(2, scores.shape[1])])
    return load_session(b"".join(graph.file())).run(None, {"x": scores})


def test_small_probabilities_of_two_classes_keep_their_digits():
    label, probabilities = run(add_two_classes, SCORES[:, None])

    assert label.tolist() == [0] * 6 + [1] * 4  # a score of 0 is of the first class
    assert probabilities[:, 1] == pytest.approx(expit(SCORES), rel=1e-14, abs=0)
    assert probabilities[:, 0] == pytest.approx(1 - expit(SCORES), rel=1e-14, abs=0)


def test_the_first_of_equal_scores_is_the_label():
    scores = np.array([[1.0, 1, 0], [0, 2, 2], [-900, 0, 800], [0, 0, 0]])

    label, probabilities = run(add_classes, scores)

    assert label.tolist() == [0, 1, 2, 0]
    assert probabilities == pytest.approx(softmax(scores, axis=1), rel=1e-14, abs=0)
