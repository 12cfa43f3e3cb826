import pytest

from app import errors
from app.inference.table_layout import ScoredColumn, TableLayout, uploaded_layout
from app.models.manifest import OnnxManifest

A, B = ScoredColumn(name="a", kind="number"), ScoredColumn(name="ü", kind="text")


def layout(**more):
    return TableLayout(features=[A, B], **more)


def test_columns_are_found_in_any_order_and_form_of_unicode():
    assert layout(chosen=["id"]).places(["id", "u\u0308", "a"]) == {
        "feature-0": 2,
        "feature-1": 1,
        "chosen-0": 0,
    }


def test_texts_are_those_columns_that_must_not_become_numbers():
    dates = ScoredColumn(name="d", kind="date")
    marked = ScoredColumn(name="m", kind="number", missing=["-1"])
    found = TableLayout(features=[A, B, dates, marked], chosen=["id"]).texts()

    assert found == {"feature-1", "feature-2", "feature-3", "chosen-0"}


@pytest.mark.parametrize(
    ("chosen", "header", "field", "said"),
    [
        ([], ["a"], "model_id", "no column ü"),
        ([], ["A", "ü"], "model_id", 'no column a (did you mean "A"?)'),
        (["id"], ["a", "ü"], "columns", "no column id"),
        ([], ["a", "ü", "u\u0308"], "model_id", 'two columns "ü"'),
        (["prediction"], ["a", "ü", "prediction"], "columns", "column prediction already"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(chosen, header, field, said):
    with pytest.raises(errors.BadData) as raised:
        layout(chosen=chosen).places(header)

    assert raised.value.extra["field"] == field
    assert said in raised.value.detail


def test_each_label_has_a_column_if_probabilities_are_asked_for():
    assert layout(labels=["x", 1, True]).answer_columns == ["prediction"]
    assert layout(labels=["x", 1, True], probabilities=True).answer_columns == [
        "prediction",
        "probability_x",
        "probability_1",
        "probability_true",
    ]


@pytest.mark.parametrize(("count", "columns"), [(2, True), (100, True), (101, False)])
def test_a_model_of_very_many_labels_has_no_columns_for_them(count, columns):
    spec = OnnxManifest.model_validate(
        {
            "inputs": [{"name": "x", "features": ["a"], "nullable": True}],
            "output": {"name": "y", "holds": "probabilities"},
            "labels": [f"label {number}" for number in range(count)],
        }
    )

    found = uploaded_layout(spec)
    assert found.probabilities is columns
    assert found.features == [ScoredColumn(name="a", kind="number", nullable=True)]
