import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import errors
from app.inference.ensemble import check_labels, combine, named_labels

LARGEST = 1.7976931348623157e308

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)
labels = st.sampled_from(["red", "green", "blue"])
shares = st.dictionaries(labels, st.floats(0, 1), min_size=1)


def number(value, model_id="m"):
    return {"model_id": model_id, "prediction": value, "pred_proba": value}


def label(pred_proba, model_id="m", kind=str):
    best = max(pred_proba, key=pred_proba.get)
    return {"model_id": model_id, "prediction": kind(best), "pred_proba": pred_proba}


def rows(*answers):
    """The reply of a model that answers so to each of many rows."""
    model_id = answers[0]["model_id"]
    return {
        "model_id": model_id,
        "prediction": [each["prediction"] for each in answers],
        "pred_proba": [each["pred_proba"] for each in answers],
    }


@given(st.lists(numbers, min_size=1, max_size=32))
def test_a_mean_of_numbers_lies_between_them(values):
    found = combine("mean", [number(each) for each in values], None)

    assert float(min(values)) <= found["prediction"] <= float(max(values))
    assert found["pred_proba"] == found["prediction"]
    json.dumps(found, allow_nan=False)


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=32))
def test_a_mean_of_small_numbers_is_exact(values):
    found = combine("mean", [number(each) for each in values], None)

    assert found["prediction"] == pytest.approx(sum(values) / len(values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [([LARGEST] * 3, LARGEST), ([LARGEST, LARGEST, -LARGEST], LARGEST / 3), ([-LARGEST], -LARGEST)],
)
def test_a_mean_of_the_largest_numbers_is_no_infinity(values, expected):
    found = combine("mean", [number(each) for each in values], None)

    assert found["prediction"] == pytest.approx(expected)


@given(st.lists(shares, min_size=1, max_size=8))
def test_a_mean_of_classifiers_is_that_of_each_label_and_the_likeliest(given_shares):
    found = combine("mean", [label(each) for each in given_shares], None)

    known = {name for each in given_shares for name in each}
    assert set(found["pred_proba"]) == known
    for name in known:
        total = sum(each.get(name, 0.0) for each in given_shares)
        assert found["pred_proba"][name] == pytest.approx(total / len(given_shares))
    assert found["pred_proba"][found["prediction"]] == max(found["pred_proba"].values())


def test_what_a_model_does_not_name_counts_as_nothing():
    """Of many labels a model names the likeliest: the one that all deem probable may win."""
    first = {"a": 0.4, "b": 0.3, "c": 0.1, "d": 0.1, "e": 0.05}
    second = {"f": 0.45, "b": 0.3, "g": 0.1, "h": 0.1, "i": 0.05}

    found = combine("mean", [label(first), label(second)], None)

    assert found["prediction"] == "b"
    assert found["pred_proba"]["f"] == pytest.approx(0.225)


@given(st.permutations([{"red": 0.5, "blue": 0.5}, {"red": 0.9}, {"green": 0.7, "red": 0.3}]))
def test_a_mean_does_not_depend_on_the_order(given_shares):
    found = combine("mean", [label(each) for each in given_shares], None)

    assert found["prediction"] == "red"
    assert found["pred_proba"] == pytest.approx({"red": 1.7 / 3, "blue": 0.5 / 3, "green": 0.7 / 3})


@pytest.mark.parametrize(
    ("kind", "names", "expected"),
    [
        (int, ("1", "2", "3"), 2),
        (lambda name: name == "true", ("true", "false", "false"), False),
        (lambda name: name == "True", ("True", "False", "False"), False),
        (str, ("1", "2", "3"), "2"),
        (int, ("-1", "-2", "-3"), -2),
    ],
)
def test_the_likeliest_label_has_the_type_of_the_predictions_even_if_none_predicts_it(
    kind, names, expected
):
    one, two, three = names
    found = combine(
        "mean",
        [label({one: 0.51, two: 0.49}, kind=kind), label({three: 0.51, two: 0.49}, kind=kind)],
        None,
    )

    assert found["prediction"] == expected
    assert type(found["prediction"]) is type(expected)


@given(st.lists(labels, min_size=1, max_size=32))
def test_a_vote_is_won_by_whom_most_predict_and_then_by_whom_is_first(predictions):
    answers = [{"model_id": "m", "prediction": each} for each in predictions]
    found = combine("vote", answers, None)

    most = max(map(predictions.count, predictions))
    assert found["prediction"] == next(p for p in predictions if predictions.count(p) == most)
    assert found["votes"] == {each: predictions.count(each) for each in predictions}


def test_of_as_many_votes_the_likelier_label_wins():
    sure, unsure = {"blue": 0.9, "red": 0.1}, {"red": 0.6, "blue": 0.4}
    answers = [label(unsure), label(sure)]

    assert combine("vote", answers, None) == {"prediction": "blue", "votes": {"red": 1, "blue": 1}}


def test_a_vote_takes_true_and_one_for_different():
    answers = [{"model_id": "m", "prediction": each} for each in (True, 1, 1)]

    found = combine("vote", answers, None)
    assert (found["prediction"], type(found["prediction"])) == (1, int)


def test_true_and_false_have_the_keys_of_json_whoever_answers():
    older = {"model_id": "a", "prediction": True, "pred_proba": {"False": 0.25, "True": 0.75}}
    newer = {"model_id": "b", "prediction": False, "pred_proba": {"false": 0.5, "true": 0.5}}
    both = [older, newer]

    mean = combine("mean", both, None)
    assert mean == {"prediction": True, "pred_proba": {"false": 0.375, "true": 0.625}}
    assert combine("vote", both, None) == {"prediction": True, "votes": {"true": 1, "false": 1}}
    certain = combine("max_proba", both, None)
    assert certain["pred_proba"] == {"false": 0.25, "true": 0.75}
    assert named_labels(older) == named_labels(newer) == ["false", "true"]


def test_a_vote_counts_labels_of_one_key_together():
    answers = [{"model_id": "m", "prediction": each} for each in ("x", 1, "1")]

    assert combine("vote", answers, None) == {"prediction": 1, "votes": {"x": 1, "1": 2}}


def test_true_beside_the_text_true_keeps_its_own_share():
    shares = {"True": 0.6, "true": 0.4}
    answer = {"model_id": "m", "prediction": True, "pred_proba": shares}

    assert combine("mean", [answer], None) == {"prediction": True, "pred_proba": shares}
    assert combine("max_proba", [answer], None)["pred_proba"] == shares


def test_a_label_of_true_is_not_a_text():
    text = {"model_id": "m", "prediction": "True", "pred_proba": {"True": 0.5, "x": 0.5}}

    assert combine("mean", [text], None)["pred_proba"] == {"True": 0.5, "x": 0.5}
    assert named_labels(text) == ["True", "x"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"prediction": 1.5, "pred_proba": 1.5}, []),
        ({"prediction": "a"}, []),
        ({"prediction": ["a", "b"], "pred_proba": [{"a": 1.0, "b": 0.0}] * 2}, ["a", "b"]),
        ({"prediction": [True], "pred_proba": [{"False": 0.0, "True": 1.0}]}, ["false", "true"]),
        ({"prediction": [], "pred_proba": []}, []),
    ],
)
def test_an_answer_names_the_labels_of_its_first_row(answer, expected):
    assert named_labels({"model_id": "m", **answer}) == expected


def test_models_without_a_common_label_are_refused_with_some_labels_of_both():
    labels = {"a": ["red", "blue"], "b": ["blue", "x"], "c": ["1", "2", "3", "4", "red"]}

    with pytest.raises(errors.Invalid) as caught:
        check_labels(labels)

    assert caught.value.extra == {"field": "combine"}
    assert caught.value.message == (
        "models b and c have no label in common: b has blue, x, c has 1, 2, 3, ..."
    )


@pytest.mark.parametrize(
    "labels",
    [{}, {"a": ["x", "y"]}, {"a": ["x", "y"], "b": ["y", "z"]}, {"a": ["x"], "b": ["x"] * 2}],
)
def test_models_with_a_common_label_are_combined(labels):
    check_labels(labels)


@given(st.lists(shares, min_size=1, max_size=8))
def test_the_most_certain_answer_is_one_of_those_given(given_shares):
    answers = [label(each, str(number)) for number, each in enumerate(given_shares)]

    found = combine("max_proba", answers, None)

    assert found in answers
    most = max(max(each.values()) for each in given_shares)
    assert max(found["pred_proba"].values()) == most
    first = next(n for n, each in enumerate(given_shares) if max(each.values()) == most)
    assert found["model_id"] == str(first)


@given(
    st.sampled_from(["mean", "vote", "max_proba"]),
    st.integers(1, 4).flatmap(
        lambda size: st.lists(st.lists(shares, min_size=size, max_size=size), min_size=1)
    ),
)
def test_many_rows_are_combined_one_by_one(how, table):
    """`table` has a list of rows for each model."""
    replies = [rows(*(label(each, str(n)) for each in row)) for n, row in enumerate(table)]

    found = combine(how, replies, len(table[0]))

    for number in range(len(table[0])):
        alone = [label(row[number], str(n)) for n, row in enumerate(table)]
        assert {name: each[number] for name, each in found.items()} == combine(how, alone, None)


@pytest.mark.parametrize(
    ("how", "answers"),
    [
        ("mean", [number(1.0), label({"a": 1.0}, "odd")]),
        ("mean", [label({"a": 1.0}), {"model_id": "odd", "prediction": "a"}]),
        ("mean", [label({"a": 1.0}), {**label({"a": 1.0}, "odd"), "pred_proba": {}}]),
        ("mean", [label({"a": 1.0}), {**label({"a": 1.0}, "odd"), "pred_proba": {"a": "1"}}]),
        ("mean", [number(1.0), number(10**400, "odd")]),
        ("mean", [number(1.0), number([1.0], "odd")]),
        ("mean", [number(1.0), number(value=True, model_id="odd")]),
        ("mean", [number(1.0), {"model_id": "odd"}]),
        ("vote", [{"model_id": "m", "prediction": 1}, number(1.5, "odd")]),
        ("vote", [{"model_id": "m", "prediction": "a"}, {"model_id": "odd"}]),
        ("vote", [{"model_id": "m", "prediction": "a"}, {"model_id": "odd", "prediction": ["a"]}]),
        ("vote", [label({"a": 1.0}), number(1.5, "odd")]),
        ("max_proba", [label({"a": 1.0}), number(1.0, "odd")]),
    ],
)
def test_what_cannot_be_combined_is_refused_with_the_models_name(how, answers):
    with pytest.raises(errors.Invalid, match=r"model (odd|m) ") as caught:
        combine(how, answers, None)

    assert caught.value.extra == {"field": "combine"}


@pytest.mark.parametrize("how", ["mean", "max_proba"])
@pytest.mark.parametrize("predicted", [1, True, "a"])
@pytest.mark.parametrize("count", [None, 1])
def test_labels_without_probabilities_are_only_voted_on(how, predicted, count):
    answers = [{"model_id": each, "prediction": predicted, "pred_proba": None} for each in "mn"]
    answers = answers if count is None else [rows(each) for each in answers]

    with pytest.raises(errors.Invalid, match="model m has no probabilities; train it with calibr"):
        combine(how, answers, count)

    voted = combine("vote", answers, count)["prediction"]
    assert voted == (predicted if count is None else [predicted])


def test_the_numbers_of_an_endpoint_that_answers_nothing_else_have_a_mean():
    answers = [{"model_id": "m", "prediction": 1}, {"model_id": "n", "prediction": 2}]

    assert combine("mean", answers, None)["prediction"] == 1.5


@pytest.mark.parametrize(
    "odd",
    [
        {"prediction": [1.0]},
        {"prediction": 1.0},
        {"prediction": [1.0, 2.0], "pred_proba": [1.0]},
        {"prediction": [1.0, 2.0], "pred_proba": 1.0},
        {},
    ],
)
def test_a_model_that_answers_another_number_of_rows_is_refused(odd):
    with pytest.raises(errors.Invalid, match="model odd did not return 2 predictions"):
        combine("mean", [rows(number(1.0), number(2.0)), {"model_id": "odd", **odd}], 2)
