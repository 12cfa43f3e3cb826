import json
import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import errors
from app.inference.runtime import Answers
from app.inference.trained_model import TrainedModel
from app.models.manifest import METADATA_KEY, Feature
from app.protocol.requests import PredictionInputs
from app.protocol.types import MAX_ROWS
from tests.support import frames

LARGEST = float(np.finfo(np.float32).max)
GOOD = {"a": 0.5, "b": 1, "c": -2.0, "colour": "red", "flag": True}


@pytest.fixture(scope="module")
def model():
    return frames.trained("everything")


def test_a_row_of_values_has_the_models_order_of_features(model):
    names = [feature.name for feature in model.manifest.features]
    values = [GOOD[name] for name in names]

    assert model.prepare(PredictionInputs(input_data=[values, values])) == [GOOD, GOOD]


@pytest.mark.parametrize("values", [[], [1], [0.5] * 6])
def test_a_row_of_too_many_or_too_few_values_is_told_the_order(model, values):
    full = [GOOD[feature.name] for feature in model.manifest.features]

    with pytest.raises(errors.Invalid, match="takes 5, in this order: a, b, c") as caught:
        model.prepare(PredictionInputs(input_data=[full, values]))
    assert caught.value.extra["field"] == "input_data.1"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"a": 0},
        {"a": -0.0},
        {"a": LARGEST},
        {"a": -LARGEST},
        {"a": None, "colour": None, "flag": None},
        {"colour": ""},
        {"colour": "never seen"},
        {"colour": "ä\U0001f600\n"},
        {"flag": False},
    ],
)
def test_a_row_that_fits_is_answered(model, changes):
    row = {**GOOD, **changes}

    model.check(row)
    (answer,) = model.predict([row])

    assert np.isfinite(answer["prediction"])


@pytest.mark.parametrize(
    ("changes", "field", "wanted"),
    [
        ({"a": "0.5"}, "a", "a number, or null"),
        ({"a": True}, "a", "a number, or null"),
        ({"a": [0.5]}, "a", "a number, or null"),
        ({"a": {"x": 1}}, "a", "a number, or null"),
        ({"b": None}, "b", "a number"),
        ({"b": LARGEST * 2}, "b", "a number from -3.4028e+38 to 3.4028e+38"),
        ({"b": -LARGEST * 2}, "b", "a number from -3.4028e+38 to 3.4028e+38"),
        ({"b": 10**4000}, "b", "a number from -3.4028e+38 to 3.4028e+38"),
        ({"colour": 1}, "colour", "a string, or null"),
        ({"colour": False}, "colour", "a string, or null"),
        ({"colour": ["red"]}, "colour", "a string, or null"),
        ({"flag": 1}, "flag", "true or false, or null"),
        ({"flag": "true"}, "flag", "true or false, or null"),
        ({"flag": 0.0}, "flag", "true or false, or null"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_the_name_of_its_feature(
    model, changes, field, wanted
):
    with pytest.raises(errors.Invalid, match=re.escape(f"expected {wanted}, not")) as caught:
        model.check({**GOOD, **changes})

    assert caught.value.extra["field"] == f"input_data.{field}"
    assert len(caught.value.detail) < 300


def test_a_missing_feature_is_refused_by_its_name(model):
    row = {name: value for name, value in GOOD.items() if name not in ("b", "flag")}

    with pytest.raises(errors.Invalid, match=r"missing b, flag; .* takes a, b, c, ") as caught:
        model.check(row)

    assert caught.value.extra["field"] == "input_data.b"


def test_an_unknown_feature_is_refused_by_its_name(model):
    with pytest.raises(errors.Invalid, match="unknown size") as caught:
        model.check({**GOOD, "size": 1})

    assert caught.value.extra["field"] == "input_data.size"


def test_unknown_features_are_ignored_on_request(model):
    asked = PredictionInputs(input_data=[{**GOOD, "size": 1, "": None}, GOOD], extra="ignore")

    ignoring, plain = model.predict(model.prepare(asked))

    assert ignoring == plain
    with pytest.raises(errors.Invalid, match="missing a, b, c, colour, flag"):
        model.prepare(PredictionInputs(input_data={"size": 1}, extra="ignore"))


def test_a_missing_and_an_unknown_feature_are_refused(model):
    row = {**GOOD, "colur": "red"}
    del row["colour"]

    with pytest.raises(errors.Invalid, match="missing colour") as caught:
        model.check(row)

    assert caught.value.extra["field"] == "input_data.colour"


COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "größe") for form in ("NFC", "NFD"))


def named(*names):
    """A model whose features have these names, as an older version might have stored them."""
    file = onnx.load_model_from_string(frames.file("numeric", "ridge"))
    (manifest,) = (each for each in file.metadata_props if each.key == METADATA_KEY)
    features = [Feature(name=name, type="number").model_dump() for name in names]
    manifest.value = json.dumps({**json.loads(manifest.value), "features": features})
    return frames.loaded(file.SerializeToString())


@pytest.mark.parametrize("stored", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("sent", [COMPOSED, DECOMPOSED])
def test_a_name_is_the_same_in_every_form_of_unicode(stored, sent):
    model = named("a", "b", stored)
    inputs = PredictionInputs(input_data={"a": 1.0, "b": 2.0, sent: 3.0})

    rows = model.prepare(inputs)

    assert rows == [{"a": 1.0, "b": 2.0, stored: 3.0}]
    assert model.predict(rows)


def test_a_name_that_is_sent_in_two_forms_is_refused():
    row = {"a": 1.0, "b": 2.0, COMPOSED: 3.0, DECOMPOSED: 4.0}

    with pytest.raises(errors.Invalid, match="given twice, in two forms of Unicode: größe"):
        named("a", "b", COMPOSED).check(row)


def test_an_older_model_may_have_a_name_in_both_forms():
    row = {"a": 1.0, COMPOSED: 2.0, DECOMPOSED: 3.0}

    assert named("a", COMPOSED, DECOMPOSED).check(row) == row


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"A": 1, "b": 1, "c": 1}, 'missing a (you sent "A"); model '),
        ({"a ": 1, "b": 1, "c": 1}, 'missing a (you sent "a "); model '),
        ({"x" * 10**6: 1}, "missing a, b, c; model "),
        ({f"c{n}": 1 for n in range(10_000)}, "missing a, b, c"),
        ({"a": 1, "b": 1, "c": 1, "x" * 10**6: 1}, f"unknown {'x' * 256}… (send "),
        (
            {"columns": ["a", "b", "c"], "data": [[1, 2, 3]]},
            "; you sent {columns, data}, but a row holds a value for each feature",
        ),
        ({"instances": None}, "; you sent {instances}, but a row holds a value for each feature"),
    ],
)
def test_a_row_that_does_not_fit_is_told_what_is_near_in_few_words(row, said):
    with pytest.raises(errors.Invalid) as caught:
        named("a", "b", "c").check(row)

    assert said in caught.value.detail
    assert len(caught.value.detail) < 1500


def test_an_empty_row_is_refused(model):
    with pytest.raises(errors.Invalid, match="missing a, b, c, colour, flag"):
        model.check({})


def test_the_order_of_a_row_does_not_matter(model):
    backwards = dict(reversed(GOOD.items()))

    model.check(backwards)

    assert model.predict([backwards]) == model.predict([GOOD])


numbers = st.floats(-1e6, 1e6) | st.integers(-(10**6), 10**6)
rows = st.fixed_dictionaries(
    {
        "a": st.none() | numbers,
        "b": numbers,
        "c": numbers,
        "colour": st.none() | st.text(max_size=5) | st.sampled_from(["red", "green", "blue"]),
        "flag": st.none() | st.booleans(),
    }
)


@pytest.mark.parametrize(
    "estimator", [name for name in frames.ESTIMATORS if name.startswith("random_forest")]
)
@given(asked=st.lists(rows, min_size=1, max_size=20))
def test_forests_answer_a_batch_as_they_answer_each_row_alone(estimator, asked):
    model = frames.trained("everything", estimator)
    for row in asked:
        model.check(row)

    assert model.predict(asked) == [answer for row in asked for answer in model.predict([row])]


@pytest.mark.parametrize("estimator", frames.ESTIMATORS)
@given(asked=st.lists(rows, min_size=1, max_size=20))
def test_a_batch_is_answered_like_each_row_alone(estimator, asked):
    model = frames.trained("everything", estimator)

    together = model.predict(asked)
    alone = [answer for row in asked for answer in model.predict([row])]

    assert [answer is None for answer in together] == [answer is None for answer in alone]
    for row, one, other in zip(asked, together, alone, strict=True):
        if one and estimator in frames.REGRESSORS:
            # Large terms may cancel out, and float64 keeps fifteen digits of each.
            largest = max(abs(row[name] or 0) for name in ("a", "b", "c"))
            assert one == pytest.approx(other, rel=1e-12, abs=1e-12 * (1 + largest))
        elif one:
            assert one["pred_proba"] == pytest.approx(other["pred_proba"], abs=1e-12)


def test_a_classifier_without_probabilities_answers_labels_alone():
    model = frames.trained("numeric", "svm_classifier")

    answers = model.predict([{"a": a, "b": 0.1, "c": 0.2} for a in (-1.0, 1.0)])

    assert answers == [{"prediction": label, "pred_proba": None} for label in (0, 1)]


UNCERTAIN = {"svm_classifier", "linear_svm_classifier", "sgd_classifier"}  # only answer labels


@pytest.mark.parametrize("estimator", sorted({*frames.CLASSIFIERS} - UNCERTAIN))
def test_a_classifier_answers_the_most_probable_label(estimator):
    model = frames.trained("numeric", estimator)

    for row in [{"a": a, "b": 0.1, "c": 0.2} for a in (-1.0, -0.1, 0.1, 1.0)]:
        (answer,) = model.predict([row])
        assert set(answer["pred_proba"]) == {"0", "1"}
        assert sum(answer["pred_proba"].values()) == pytest.approx(1, abs=1e-6)
        assert answer["prediction"] == int(
            max(answer["pred_proba"], key=answer["pred_proba"].__getitem__)
        )


class Overflowing:
    """A runtime that answers infinity to numbers that are far out."""

    bytes = 0

    def run(self, inputs):
        return Answers(np.where(inputs["number"][:, 0] > 1e30, np.inf, 1.0), None)


def test_what_is_not_finite_is_no_answer():
    model = TrainedModel(frames.trained("numeric", "ridge").manifest, Overflowing())
    near, far = {"a": 1.0, "b": 0, "c": 0}, {"a": LARGEST, "b": 0, "c": 0}

    assert model.predict([far, near]) == [None, {"prediction": 1.0, "pred_proba": 1.0}]


def test_many_threads_may_ask_one_model(model):
    wanted = model.predict([GOOD])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: model.predict([GOOD]), range(200)))

    assert answers == [wanted] * 200


@pytest.mark.parametrize("file", [b"", b"no model", b"\x00" * 100])
def test_what_is_no_model_is_corrupt(file):
    with pytest.raises(errors.Corrupt):
        frames.loaded(file)


def test_a_cut_model_is_corrupt():
    file = frames.file("numeric", "ridge")

    with pytest.raises(errors.Corrupt):
        frames.loaded(file[: len(file) // 2])


def test_a_model_without_a_manifest_is_corrupt():
    graph = onnx.load_from_string(frames.file("numeric", "ridge"))
    del graph.metadata_props[:]

    with pytest.raises(errors.Corrupt):
        frames.loaded(graph.SerializeToString())


CELLS = "zip,day,size,new,target\n" + "".join(
    f"{n % 3:02}, 2025-01-{n % 20 + 1:02},{[n, 'none', -999][n % 5 % 3]},"
    f"{['yes', 'no'][n % 2]},{n}\n"
    for n in range(60)
)
DECLARED = {
    "zip": "category",
    "day": "date",
    "size": {"type": "number", "missing": ["none", "-999"]},
    "new": "boolean",
}
ODD = {"zip": "01", "day": "2025-01-05", "size": 7, "new": True}


@pytest.fixture(scope="module")
def odd():
    """A model with a feature of each type that a request may declare."""
    asked = frames.request(list(DECLARED), estimator="ridge", types=DECLARED)
    return frames.loaded(frames.train(frames.read(CELLS, asked), asked)[1])


def test_a_model_tells_the_types_that_were_declared(odd):
    assert [(f.name, f.type, f.nullable, f.missing) for f in odd.manifest.features] == [
        ("zip", "category", False, []),
        ("day", "date", False, []),
        ("size", "number", True, ["none", "-999"]),
        ("new", "boolean", False, []),
    ]


@pytest.mark.parametrize(
    ("changes", "like"),
    [
        ({"zip": " 01 "}, {}),
        ({"zip": 1}, {"zip": "never seen"}),  # the data have 01, not 1
        ({"day": "2025-01-05T00:00:00Z"}, {}),
        ({"day": "2025-01-05T02:00:00+02:00"}, {}),
        ({"day": "20250105"}, {}),
        ({"size": 7.0}, {}),
        ({"size": "none"}, {"size": None}),
        ({"size": -999}, {"size": None}),
    ],
)
def test_forms_of_a_value_have_one_answer(odd, changes, like):
    rows = odd.prepare(PredictionInputs(input_data=[ODD | changes, ODD | like]))

    first, second = odd.predict(rows)

    assert first == second


def test_a_later_day_has_another_answer_by_the_same_step_each_day(odd):
    rows = [ODD | {"day": day} for day in ("2030-01-01", "2030-01-02", "2030-01-03")]

    first, second, third = (answer["prediction"] for answer in odd.predict(rows))

    assert second - first == pytest.approx(third - second)
    assert first != second


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"zip": None}, "a string, a number, true or false, not null"),
        ({"zip": ["01"]}, "a string, a number, true or false, not a list"),
        ({"day": "31.01.2025"}, 'a date such as 2025-01-31 or 2025-01-31T12:00:00Z, not "31.01'),
        ({"day": 20250131}, "a date such as 2025-01-31"),
        ({"size": "unknown"}, 'a number, or null, not "unknown"'),
        ({"new": "yes"}, "true or false"),
    ],
)
def test_a_value_of_another_type_than_declared_is_refused(odd, changes, wanted):
    with pytest.raises(errors.Invalid, match=re.escape(wanted)) as caught:
        odd.check(ODD | changes)

    assert caught.value.extra["field"] == f"input_data.{next(iter(changes))}"


@pytest.mark.parametrize("estimator", frames.ESTIMATORS)
@pytest.mark.parametrize(
    "cells",
    [["1e30", "-1e30", "2"], ["9007199254740993", "18446744073709551617"], ["1", "?"], ["x", "NA"]],
)
def test_a_model_never_refuses_its_own_sample(estimator, cells):
    target = ["p", "q"] if estimator in frames.CLASSIFIERS else ["0.5", "1.5", "2.5"]
    rows = "".join(f"{cells[n % len(cells)]},{n},{target[n % len(target)]}\n" for n in range(60))
    asked = frames.request(["a", "b"], estimator=estimator)
    manifest, file = frames.train(frames.read(f"a,b,target\n{rows}", asked), asked)
    model = frames.load(manifest, file)

    (answer,) = model.predict(model.prepare(PredictionInputs(input_data=manifest.sample)))

    assert answer is not None


@pytest.mark.parametrize(
    ("estimator", "most"),
    [("ridge", float(np.finfo(np.float64).max)), ("random_forest_regressor", LARGEST)],
)
def test_a_number_may_be_as_large_as_the_estimator_takes(estimator, most):
    model = frames.trained("numeric", estimator)

    model.check({"a": most, "b": -most, "c": 0})
    with pytest.raises(errors.Invalid, match="expected a number from"):
        model.check({"a": int(most) * 2, "b": 0, "c": 0})


@pytest.mark.parametrize(
    ("labels", "probabilities", "most"), [(10_000, True, 50), (51, True, 9_803), (9, False, 10_000)]
)
def test_rows_whose_answer_cannot_be_sent_are_refused_before_they_are_answered(
    labels, probabilities, most
):
    described = frames.manifest(
        task="classification", labels=list(range(labels)), probabilities=probabilities
    )
    model = TrainedModel(described, Overflowing())

    assert len(model.prepare(PredictionInputs(input_data=[{"a": 1.0}] * most))) == most
    if most < MAX_ROWS:
        with pytest.raises(errors.TooLarge, match=f"send at most {most:,} at a time") as refused:
            model.prepare(PredictionInputs(input_data=[{"a": 1.0}] * (most + 1)))
        assert refused.value.extra == {"field": "input_data", "limit": most}
