import pytest

from app.inference.value_types import CategoryType, DateType, means_missing, read_value
from app.models.manifest import Feature


@pytest.mark.parametrize("value", ["x", "", "01", 1, 1.5, True])
def test_a_category_is_any_single_value(value):
    assert CategoryType().fits(value)


@pytest.mark.parametrize("value", [["x"], {"x": 1}, None])
def test_lists_and_objects_are_no_category(value):
    assert not CategoryType().fits(value)


@pytest.mark.parametrize("value", ["2025-01-31", "2025-01-31T12:00:00Z", "20250131"])
def test_a_date_is_a_text_of_iso_8601(value):
    assert DateType().fits(value)


@pytest.mark.parametrize("value", ["", "31.01.2025", 20250131, True, ["2025-01-31"]])
def test_other_values_are_no_dates(value):
    assert not DateType().fits(value)


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("category", "01", "01"),
        ("category", 1, "1"),
        ("category", 1.0, "1"),
        ("category", True, "true"),
        ("date", "1970-01-02T12:00:00Z", 1.5),
        ("number", 5, 5),
        ("text", "1.0", "1.0"),
        ("boolean", True, True),
        *[(kind, None, None) for kind in ("category", "date", "number", "text", "boolean")],
        *[(kind, " none ", None) for kind in ("category", "date", "number", "text")],
        ("number", -999, None),
        ("number", -999.0, None),
        ("category", -999, None),
        ("category", "-999.0", None),
        ("text", "-999.0", "-999.0"),
    ],
)
def test_a_value_is_read_as_the_cells_of_the_training_were(kind, value, read):
    feature = Feature(name="a", type=kind, nullable=True, missing=["none", "-999"])

    assert read_value(feature, value) == read


@pytest.mark.parametrize("value", ["x", 0, -998, True, None, ["none"], {"none": 1}])
def test_other_values_are_not_missing(value):
    assert not means_missing(Feature(name="a", type="category", missing=["none", "-999"]), value)
