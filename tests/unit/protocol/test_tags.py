import pytest

from app import errors
from app.protocol.tags import tags_column, tags_of
from app.protocol.training_request import TrainRequest
from app.protocol.validation import validate

ASKED = {"dataset_id": "d", "features": ["a"], "target": "t"}


@pytest.mark.parametrize(
    ("tags", "column", "kept"),
    [
        (None, None, []),
        ([], None, []),
        (["a"], "|a|", ["a"]),
        (["b", "a", "b"], "|b|a|", ["b", "a"]),
    ],
)
def test_tags_are_kept_in_one_column(tags, column, kept):
    assert tags_column(tags) == column
    assert tags_of(column) == kept


@pytest.mark.parametrize("tag", ["baseline", "v1.2", "team:risk", "a/b=c", "7"])
def test_a_training_has_tags(tag):
    assert validate(TrainRequest, {**ASKED, "tags": [tag]}).tags == [tag]


@pytest.mark.parametrize("tag", ["", "a|b", "a b", "-a", "ü", "a" * 65, "a\n", 1, None])
def test_what_is_no_tag_is_refused(tag):
    with pytest.raises(errors.Invalid) as caught:
        validate(TrainRequest, {**ASKED, "tags": [tag]})

    assert caught.value.extra["field"] == "tags.0"
    assert "^" not in caught.value.detail


def test_a_training_has_twenty_tags_at_most():
    tags = [f"t{number}" for number in range(21)]
    assert validate(TrainRequest, {**ASKED, "tags": tags[:20]}).tags == tags[:20]
    with pytest.raises(errors.Invalid, match="tags"):
        validate(TrainRequest, {**ASKED, "tags": tags})
