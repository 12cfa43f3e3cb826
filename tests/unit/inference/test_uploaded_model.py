import numpy as np
import pytest

from app import errors
from app.inference.graph import RUN_SECONDS, SessionGraph
from app.inference.uploaded_model import UploadedModel
from app.models.manifest import OnnxManifest
from app.protocol.requests import PredictionInputs
from tests.support import graphs, harmful_graphs, pictures
from tests.support.pictures import BLUE, GREEN, RED

LIMIT = 1_000_000


def model(file, spec, run_seconds=RUN_SECONDS, **limits):
    spec = OnnxManifest.model_validate(spec)
    return UploadedModel(
        "m", spec, SessionGraph(file, spec, run_seconds=run_seconds), LIMIT, **limits
    )


def asked(model, **inputs):
    return model.predict(model.prepare(PredictionInputs(**inputs)))


@pytest.mark.parametrize("kind", [graphs.FLOAT, graphs.DOUBLE, graphs.INT64])
@pytest.mark.parametrize("batch", [None, "rows", 1, 8, 32])
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
        ({"a": 1, "b": 1, "c": 1}, "input_data.c", 'unknown c .send "extra": "ignore"'),
        ({"a": "1", "b": 1}, "input_data.a", "expected a number"),
        (
            {"a": None, "b": 1},
            "input_data.a",
            'expected a number, not null; .* register it with "nullable": true at the input x',
        ),
        ({"a": True, "b": 1}, "input_data.a", "expected a number, not true"),
        ({"a": [1], "b": 1}, "input_data.a", "expected a number, not a list"),
        (
            {"a": 1e39, "b": 1},
            "input_data.a",
            r"expected a number from -3\.4028e\+38 to 3\.4028e\+38",
        ),
        ({"a": 1, "b": 10**400}, "input_data.b", "expected a number"),
        ({}, "input_data.a", "missing a, b"),
        ({"A": 1, "b": 1}, "input_data.a", r'missing a \(you sent "A"\); model m takes a, b'),
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


def typed(holds, **changes):
    """The description of a graph with two features that hold `holds`."""
    inputs = [{"name": "x", "features": ["a", "b"], "type": holds, **changes}]
    return {**graphs.LINEAR, "inputs": inputs}


@pytest.mark.parametrize(
    ("kind", "holds", "row", "expected"),
    [
        (graphs.FLOAT16, "number", {"a": 0.5, "b": 65504}, 65504.5),
        (graphs.INT32, "number", {"a": 2**31 - 1, "b": -1.0}, 2.0**31),
        (graphs.UINT8, "number", {"a": 255, "b": 0}, 255),
        (graphs.BOOL, "boolean", {"a": True, "b": False}, 1),
    ],
)
def test_a_graph_may_take_values_of_other_types(kind, holds, row, expected):
    answers = asked(model(graphs.cast_sum(kind), typed(holds)), input_data=[row, row])

    assert [each["prediction"] for each in answers] == [expected] * 2


def test_a_graph_may_take_text_beside_numbers():
    rows = [{"word": word, "a": n} for n, word in enumerate(("ten", "", "größe\n\0"))]

    answers = asked(model(graphs.words(), graphs.WORDS), input_data=rows)

    assert [each["prediction"] for each in answers] == [10, 1, 2]
    assert answers[0]["outputs"] == {"said": ["ten"]}
    assert answers[1]["outputs"] == {"said": [""]}


@pytest.mark.parametrize(
    ("kind", "holds", "value", "says"),
    [
        (graphs.UINT8, "number", 256, "a whole number from 0 to 255, not 256"),
        (graphs.UINT8, "number", -1, "a whole number from 0 to 255, not -1"),
        (graphs.UINT8, "number", 1.5, "a whole number from 0 to 255, not 1.5"),
        (graphs.INT32, "number", None, "a whole number from -2147483648 to 2147483647, not null$"),
        (graphs.FLOAT16, "number", 70_000, r"a number from -65504 to 65504, not 70000"),
        (graphs.BOOL, "boolean", 1, "true or false, not 1"),
        (graphs.BOOL, "boolean", None, "true or false, not null$"),
    ],
)
def test_a_value_that_the_type_cannot_hold_is_refused(kind, holds, value, says):
    summing = model(graphs.cast_sum(kind), typed(holds))

    with pytest.raises(errors.Invalid, match=f"input_data.a: expected {says}"):
        summing.prepare(PredictionInputs(input_data={"a": value, "b": 0}))


@pytest.mark.parametrize("kind", [graphs.FLOAT, graphs.DOUBLE, graphs.FLOAT16])
@pytest.mark.parametrize("batch", [None, 4])
def test_null_is_a_missing_value_where_the_manifest_says_so(kind, batch):
    summing = model(graphs.known_or_zero(kind, batch), typed("number", nullable=True))
    rows = [{"a": None, "b": 2}, {"a": 1, "b": 2}, {"a": None, "b": None}]

    answers = asked(summing, input_data=rows)

    assert [each["prediction"] for each in answers] == [2, 3, 0]


def test_null_is_a_missing_value_for_the_inputs_that_say_so_alone():
    spec = {
        "inputs": [
            {"name": "b", "features": ["second"]},
            {"name": "a", "features": ["first"], "nullable": True},
        ],
        "output": {"name": "y", "holds": "values"},
    }
    named = model(graphs.named(), spec)

    assert asked(named, input_data={"first": None, "second": 1}) == [None]  # NaN + 1 is not finite
    with pytest.raises(errors.Invalid, match="expected a number, not null") as caught:
        named.prepare(PredictionInputs(input_data={"first": 1, "second": None}))
    assert caught.value.extra["field"] == "input_data.second"


def test_fields_that_the_model_does_not_know_are_ignored_on_request():
    linear = model(graphs.linear(), graphs.LINEAR)
    row = {"id": "x", "a": 2, "b": 1, "note": None}

    (answer,) = asked(linear, input_data=row, extra="ignore")

    assert answer["prediction"] == 8
    with pytest.raises(errors.Invalid, match="missing b"):
        linear.prepare(PredictionInputs(input_data={"a": 2, "c": 1}, extra="ignore"))
    with pytest.raises(errors.Invalid, match="unknown id, note"):
        linear.prepare(PredictionInputs(input_data=row))


def test_batches_of_a_fixed_size_are_filled_up_and_cut():
    runs = []

    class Counting(UploadedModel):
        def run(self, prepared):
            runs.append(len(prepared))
            return super().run(prepared)

    spec = OnnxManifest.model_validate(graphs.LINEAR)
    fours = Counting("m", spec, SessionGraph(graphs.linear(batch=4), spec), LIMIT)

    answers = asked(fours, input_data=[{"a": n, "b": 0} for n in range(10)])

    assert runs == [4, 4, 2]
    assert [each["prediction"] for each in answers] == [2.0 * n + 1 for n in range(10)]


@pytest.mark.parametrize("batch", [None, 1, 4])
def test_further_outputs_come_by_their_names(batch):
    spec = {**graphs.LINEAR, "outputs": ["first", "logs"]}

    answers = asked(
        model(graphs.several(batch), spec), input_data=[{"a": 1, "b": 1}, {"a": 0, "b": 2}]
    )

    assert answers == [
        {"prediction": 2, "pred_proba": 2, "outputs": {"first": True, "logs": [0, 0]}},
        {
            "prediction": 2,
            "pred_proba": 2,
            "outputs": {"first": False, "logs": [None, pytest.approx(np.log(2))]},
        },
    ]


def test_what_is_not_finite_is_no_answer():
    linear = model(graphs.linear(), graphs.LINEAR)

    answers = asked(linear, input_data=[{"a": 3e38, "b": 0}, {"a": 0, "b": 0}])

    assert answers == [None, {"prediction": 1.0, "pred_proba": 1.0}]


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("batch", [None, 1, 4])
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


@pytest.mark.parametrize("kind", [graphs.DOUBLE, graphs.FLOAT16, graphs.UINT8])
def test_images_are_fed_in_the_type_that_the_graph_takes(kind):
    files = [pictures.image(colour) for colour in (RED, BLUE)]

    answers = asked(model(graphs.colours(kind=kind), graphs.IMAGES), image_data=files)

    assert [each["prediction"] for each in answers] == ["red", "blue"]
    sure = 1 / (1 + 2 * np.exp(-10))
    assert answers[0]["pred_proba"]["red"] == pytest.approx(sure, abs=1e-4)


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
    loop = model(harmful_graphs.endless(ends_at_zero=True), graphs.LINEAR)
    limited = model(harmful_graphs.endless(ends_at_zero=True), graphs.LINEAR, run_seconds=0.1)

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
