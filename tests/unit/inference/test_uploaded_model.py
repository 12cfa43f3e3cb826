import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import errors
from app.inference.uploaded_model import UploadedModel, softmax
from app.models.manifest import OnnxManifest
from app.protocol.requests import PredictionInputs
from tests.support import graphs, pictures
from tests.support.pictures import BLUE, GREEN, RED

LIMIT = 1_000_000


def model(file, spec, **limits):
    return UploadedModel("m", file, OnnxManifest.model_validate(spec), LIMIT, **limits)


def asked(model, **inputs):
    return model.predict(model.prepare(PredictionInputs(**inputs)))


@pytest.mark.parametrize("kind", [graphs.FLOAT, graphs.DOUBLE, graphs.INT64])
@pytest.mark.parametrize("batch", [None, "rows", 1])
def test_rows_are_answered_by_numbers(kind, batch):
    linear = model(graphs.linear(kind, batch), graphs.LINEAR)

    one = asked(linear, input_data={"b": 1, "a": 2})
    many = asked(linear, input_data=[{"a": n, "b": 2.0} for n in range(20)])

    assert one == [{"prediction": 8.0, "pred_proba": 8.0}]
    assert many == [{"prediction": 7.0 + 2 * n, "pred_proba": 7.0 + 2 * n} for n in range(20)]


def test_features_may_come_by_inputs_of_their_own():
    spec = {
        "inputs": [{"name": "b", "features": ["second"]}, {"name": "a", "features": ["first"]}],
        "output": {"name": "y", "holds": "values"},
    }

    answers = asked(model(graphs.named(), spec), input_data=[{"first": 1, "second": 10}] * 3)

    assert [answer["prediction"] for answer in answers] == [11.0] * 3


@pytest.mark.parametrize(
    ("row", "field", "says"),
    [
        ({"a": 1}, "input_data.b", "missing b; model m takes a, b"),
        ({"a": 1, "b": 1, "c": 1}, "input_data.c", "unknown c"),
        ({"a": "1", "b": 1}, "input_data.a", "expected a number"),
        ({"a": None, "b": 1}, "input_data.a", "expected a number, not null"),
        ({"a": True, "b": 1}, "input_data.a", "expected a number, not true"),
        ({"a": [1], "b": 1}, "input_data.a", "expected a number, not a list"),
        ({"a": 1e39, "b": 1}, "input_data.a", "expected a number"),
        ({"a": 1, "b": 10**400}, "input_data.b", "expected a number"),
        ({}, "input_data.a", "missing a, b"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_by_its_field(row, field, says):
    linear = model(graphs.linear(), graphs.LINEAR)

    with pytest.raises(errors.Invalid, match=says) as caught:
        linear.prepare(PredictionInputs(input_data=row))
    assert caught.value.extra["field"] == field
    with pytest.raises(errors.Invalid, match=says) as caught:
        linear.prepare(PredictionInputs(input_data=[{"a": 1, "b": 1}, row]))
    assert caught.value.extra["field"] == field.replace(".", ".1.")


@pytest.mark.parametrize("value", [0.5, 2**63, -(2**63) - 1, 1e300, 10**400])
def test_a_whole_number_is_one_that_fits(value):
    linear = model(graphs.linear(graphs.INT64), graphs.LINEAR)

    with pytest.raises(errors.Invalid, match="expected a whole number"):
        linear.prepare(PredictionInputs(input_data={"a": value, "b": 1}))
    assert linear.prepare(PredictionInputs(input_data={"a": 2**63 - 1, "b": -(2.0**63)}))


def test_a_double_may_be_larger_than_a_float():
    linear = model(graphs.linear(graphs.DOUBLE), graphs.LINEAR)

    assert asked(linear, input_data={"a": 1e300, "b": 0})[0]["prediction"] == 2e300


def test_what_is_not_finite_is_no_answer():
    linear = model(graphs.linear(), graphs.LINEAR)

    answers = asked(linear, input_data=[{"a": 3e38, "b": 0}, {"a": 0, "b": 0}])

    assert answers == [None, {"prediction": 1.0, "pred_proba": 1.0}]


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("batch", [None, 1])
def test_images_are_answered_by_labels(layout, batch):
    spec = {
        **graphs.IMAGES,
        "inputs": [{"name": "image", "image": {"size": [8, 8], "layout": layout}}],
    }
    colours = model(graphs.colours(batch, layout=layout), spec)
    files = [pictures.image(colour) for colour in (RED, BLUE, GREEN)] * 7

    answers = asked(colours, image_data=files)

    assert [answer["prediction"] for answer in answers] == ["red", "blue", "green"] * 7
    assert asked(colours, image_data=files[1]) == answers[1:2]
    assert list(answers[0]["pred_proba"]) == graphs.COLOURS
    assert sum(answers[0]["pred_proba"].values()) == pytest.approx(1)
    assert answers[0]["pred_proba"]["red"] == pytest.approx(1 / (1 + 2 * np.exp(-10)))


def test_a_bad_image_is_refused_by_its_number():
    colours = model(graphs.colours(), graphs.IMAGES)

    with pytest.raises(errors.Invalid, match=r"image_data\.1: not base64") as caught:
        colours.prepare(PredictionInputs(image_data=[pictures.image(), "red!"]))
    assert caught.value.extra["field"] == "image_data.1"
    with pytest.raises(errors.Invalid, match="image_data: not base64"):
        colours.prepare(PredictionInputs(image_data="red!"))
    with pytest.raises(errors.TooLarge, match=r"image_data\.0: 1001 x 1000"):
        colours.prepare(PredictionInputs(image_data=[pictures.image(size=(1001, 1000))]))


def test_rows_are_not_images():
    with pytest.raises(errors.Invalid, match="takes images, in image_data") as caught:
        asked(model(graphs.colours(), graphs.IMAGES), input_data={"a": 1})
    assert caught.value.extra["field"] == "input_data"
    with pytest.raises(errors.Invalid, match="takes rows, in input_data") as caught:
        asked(model(graphs.linear(), graphs.LINEAR), image_data=pictures.image())
    assert caught.value.extra["field"] == "image_data"


def test_large_images_come_a_few_at_a_time():
    spec = {**graphs.IMAGES, "inputs": [{"name": "image", "image": {"size": [4096, 4096]}}]}
    colours = model(graphs.colours(size=4096), spec)

    with pytest.raises(errors.TooLarge, match="at most 5 at a time"):
        colours.prepare(PredictionInputs(image_data=[pictures.image()] * 6))


def classifier(labels, holds="probabilities"):
    spec = {
        "inputs": [{"name": "x", "features": ["x"]}],
        "output": {"name": "p", "holds": holds},
        "labels": labels,
    }
    return model(graphs.probabilities(len(labels)), spec)


def test_labels_may_be_of_any_kind():
    (answer,) = asked(classifier([False, 7, "x"]), input_data={"x": 1})

    assert answer["prediction"] == "x"
    assert list(answer["pred_proba"]) == ["False", "7", "x"]
    assert json.loads(json.dumps(answer)) == answer


@pytest.mark.parametrize(("labels", "told"), [(100, 100), (101, 5), (10_000, 5)])
def test_of_many_labels_the_most_probable_are_told(labels, told):
    (answer,) = asked(classifier(list(range(labels))), input_data={"x": 1})

    assert answer["prediction"] == labels - 1
    assert len(answer["pred_proba"]) == told
    assert max(answer["pred_proba"], key=answer["pred_proba"].get) == str(labels - 1)
    if told == 5:
        assert list(answer["pred_proba"]) == [str(labels - n) for n in range(1, 6)]


@given(st.lists(st.lists(st.floats(-1e300, 1e300), min_size=3, max_size=3), min_size=1))
def test_softmax_makes_probabilities(logits):
    values = softmax(np.array(logits))

    assert np.isfinite(values).all()
    assert values.sum(axis=1) == pytest.approx(1)
    largest = np.argmax(logits, axis=1)[:, None]
    assert (np.take_along_axis(values, largest, axis=1)[:, 0] == values.max(axis=1)).all()


def failing():
    """A graph that fails at what lies beyond its table."""
    nodes = [
        graphs.helper.make_node("Gather", ["table", "x"], ["found"]),
        graphs.helper.make_node("Squeeze", ["found", "axis"], ["y"]),
    ]
    constants = {
        "table": (graphs.FLOAT, [3], [1, 2, 4]),
        "axis": (graphs.INT64, [1], [1]),
    }
    shapes = {"x": (graphs.INT64, [None, 1])}, {"y": (graphs.FLOAT, [None])}
    return graphs.file(nodes, *shapes, constants)


def test_what_a_graph_fails_at_spoils_no_other_row():
    spec = {**graphs.LINEAR, "inputs": [{"name": "x", "features": ["x"]}]}

    answers = asked(model(failing(), spec), input_data=[{"x": n} for n in (0, 7, 2)])

    assert answers[1] is None
    assert [answers[0]["prediction"], answers[2]["prediction"]] == [1, 4]


def test_a_run_that_does_not_end_is_ended():
    loop = model(graphs.endless(ends_at_zero=True), graphs.LINEAR)
    limited = model(graphs.endless(ends_at_zero=True), graphs.LINEAR, run_seconds=0.1)

    with pytest.raises(errors.DeadlineExceeded, match=r"longer than 0\.1 s"):
        asked(limited, input_data={"a": 1, "b": 0})
    assert asked(loop, input_data={"a": 0, "b": 0})[0]["prediction"] == 0


def test_all_runs_together_have_an_end_too():
    late = model(graphs.linear(), graphs.LINEAR, all_seconds=-1)

    with pytest.raises(errors.DeadlineExceeded, match="longer than -1 s"):
        asked(late, input_data={"a": 0, "b": 0})


def test_a_file_that_lacks_the_inputs_is_corrupt():
    with pytest.raises(errors.Corrupt, match="no input image"):
        model(graphs.linear(), graphs.IMAGES)
    with pytest.raises(errors.Corrupt):
        model(b"garbage", graphs.LINEAR)
