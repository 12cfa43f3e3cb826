import json

import pytest

from app import errors
from tests.support import frames


def target(*cells, estimator="knn_classifier", **declared):
    """The target with these cells, of sixty rows."""
    rows = "".join(f"{n},{cells[n * len(cells) // 60]}\n" for n in range(60))
    types = {"target": declared} if declared else None
    return frames.read(f"a,target\n{rows}", frames.request(["a"], estimator=estimator, types=types))


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["no", "yes"], ["no", "yes"]),
        (["3", "7"], [3, 7]),
        (["3.0", "7.0"], [3, 7]),
        (["False", "True"], [False, True]),
        (["false", "TRUE"], [False, True]),
        (["1", "x"], ["1", "x"]),
        (["a", "b", "c"], ["a", "b", "c"]),
        (["-1", "0", "+1"], [-1, 0, 1]),
        (["01", "02", "10"], ["01", "02", "10"]),
        (["0", "007"], ["0", "007"]),
        (["1E5", "1E6"], [100_000, 1_000_000]),
        (["1", "1.0", "2"], [1, 2]),
        (["None", "NA"], ["NA", "None"]),
        (["True", "1"], ["1", "True"]),
        (["9223372036854775807", "9223372036854775806"], [2**63 - 2, 2**63 - 1]),
        (["18446744073709551617", "18446744073709551616"], [2**64, 2**64 + 1]),
        (["9007199254740993", "1", ""], [1, 2**53 + 1]),
        (["9007199254740991.0", "0.0"], [0, 2**53 - 1]),
    ],
)
def test_a_classifier_keeps_the_labels_of_the_data(cells, labels):
    assert (found := target(*cells).target.labels) == labels
    assert list(map(type, found)) == list(map(type, labels))


@pytest.mark.parametrize(
    ("cells", "declared", "labels"),
    [
        (["1E5", "1E6"], {"type": "text"}, ["1E5", "1E6"]),
        (["1", "1.0", "01"], {"type": "category"}, ["01", "1"]),
        (["1", "1.0", "2"], {"type": "text"}, ["1", "1.0", "2"]),
        (["yes", "no", "?"], {"type": "boolean"}, [False, True]),
        (["01", "02"], {"type": "number"}, [1, 2]),
        (["x", "y", "none"], {"type": "text", "missing": ["none"]}, ["x", "y"]),
        (["1", "2", "-999"], {"type": "number", "missing": ["-999.0"]}, [1, 2]),
        (["1", "2", "-999"], {"type": "category", "missing": ["-999.0"]}, ["1", "2"]),
        (["2025-01-01", "2025-01-02"], {"type": "date"}, ["2025-01-01", "2025-01-02"]),
    ],
)
def test_the_labels_have_the_type_that_is_declared(cells, declared, labels):
    found = target(*cells, **declared).target

    assert found.labels == labels
    assert list(map(type, found.labels)) == list(map(type, labels))


@pytest.mark.parametrize("labels", [["no", "yes"], [3, 7], [False, True], [2**64, 2**64 + 1]])
def test_a_classifier_answers_with_the_labels_of_the_data(labels):
    data = target(*map(str, labels))

    _, file = frames.train(data, frames.request(["a"], estimator="logistic_regression"))

    answers = frames.loaded(file).predict([{"a": 0.0}, {"a": 59.0}])
    assert [answer["prediction"] for answer in answers] == labels
    keys = [label if isinstance(label, str) else json.dumps(label) for label in labels]
    assert list(answers[0]["pred_proba"]) == keys


def test_the_codes_are_the_places_of_the_labels():
    found = target("b", "a", "b").target

    assert found.labels == ["a", "b"]
    assert found.y.tolist() == [1] * 20 + [0] * 20 + [1] * 20


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["only"], "has 1 class"),
        (["only", ""], "has 1 class"),
        ([""], "is empty"),
        (["1.5", "2"], "holds fractions"),
        (["1", "1e999"], "holds infinity"),
        (["1", "inf"], "holds infinity"),
        (
            ["9007199254740992.0", "9007199254740994.0"],
            'holds labels that are too large as numbers, such as "90071',
        ),
        (["-1e19", "1"], 'holds labels that are too large as numbers, such as "-1e19"'),
    ],
)
def test_what_cannot_be_classes_is_bad_data(cells, said):
    with pytest.raises(errors.BadData, match=f"column target {said}") as caught:
        target(*cells)

    assert caught.value.extra["field"] == "target"


@pytest.mark.parametrize(
    ("cells", "declared", "rows", "sum_"),
    [
        (["1", "2"], {}, 60, 90),
        (["1.5", "?", ""], {}, 20, 30),
        (["1", "abc"], {"type": "number", "missing": ["abc"]}, 30, 30),
        (["1970-01-02", "1970-01-03"], {"type": "date"}, 60, 90),
    ],
)
def test_a_regressor_takes_numbers_and_dates(cells, declared, rows, sum_):
    found = target(*cells, estimator="ridge", **declared)

    assert found.target.labels is None
    assert (len(found.target.y), found.target.y.sum()) == (rows, sum_)
    assert len(found.frame) == rows
    assert found.dropped == 60 - rows


@pytest.mark.parametrize(
    ("cells", "declared", "field", "said"),
    [
        (["low", "high"], {}, "target", "holds text or booleans; a regressor needs numbers"),
        (["True", "False"], {}, "target", "holds text or booleans"),
        (["1"] * 59 + ["n.d."], {}, "target", 'numbers, but 1 cell holds "n.d."'),
        ([""], {}, "target", "column target is empty"),
        (["1", "1e999"], {}, "target", "column target holds infinity"),
        (["1", "2"], {"type": "text"}, "types.target", "declared text; a regressor needs numbers"),
        (["1", "x"], {"type": "number"}, "types.target", 'hold numbers, but 30 cells hold "x"'),
    ],
)
def test_what_a_regressor_cannot_learn_is_bad_data(cells, declared, field, said):
    with pytest.raises(errors.BadData, match=said) as caught:
        target(*cells, estimator="ridge", **declared)

    assert caught.value.extra["field"] == field


@pytest.mark.parametrize(
    ("cells", "kind", "said"),
    [
        (["1E5", "1E6"], "labels_as_numbers", 'such as "1E5" as 100000'),
        (["1", "2", "NA"], "missing_markers", '20 cells hold "NA"'),
        (["True", "False", "null"], "missing_markers", '20 cells hold "null"'),
    ],
)
def test_the_reading_of_odd_labels_is_told(cells, kind, said):
    (found,) = target(*cells).target.warnings

    assert (found.type, found.field) == (kind, "target")
    assert said in found.detail
