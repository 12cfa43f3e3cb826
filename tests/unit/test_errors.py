import pytest

from app import errors
from tests.support.error_tree import tree


def test_a_detail_is_one_line_of_characters_that_can_be_seen():
    error = errors.Invalid("a\n2026 INFO forged", "not known\x1b[31m", sent="\u202e")

    assert error.detail == "a\\n2026 INFO forged: not known\\u001b[31m"
    assert error.message == "not known\\u001b[31m"
    assert error.extra == {"field": "a\n2026 INFO forged", "sent": "\u202e"}
    assert error.within("b").detail == "b.a\\n2026 INFO forged: not known\\u001b[31m"


def test_a_field_error_begins_with_its_field():
    error = errors.Invalid("features.a", "expected a number", allowed=["number"])

    assert error.detail == "features.a: expected a number"
    assert error.message == "expected a number"
    assert error.to_wire() == {
        "type": "invalid",
        "detail": "features.a: expected a number",
        "field": "features.a",
        "allowed": ["number"],
    }


@pytest.mark.parametrize(("field", "below"), [("labels", "manifest.labels"), ("body", "manifest")])
def test_a_field_error_moves_below_another_field(field, below):
    error = errors.BadData(field, "too few", limit=2).within("manifest")

    assert type(error) is errors.BadData
    assert error.detail == f"{below}: too few"
    assert error.extra == {"field": below, "limit": 2}


def test_a_field_error_is_renamed():
    error = errors.NotReady("model_id", "in training", state="x").renamed("sync_model_id")

    assert error.to_wire() == {
        "type": "not_ready",
        "detail": "sync_model_id: in training",
        "field": "sync_model_id",
        "state": "x",
    }


def test_every_error_has_a_name_of_its_own():
    names = [cls.type for cls in tree()]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("cls", tree())
def test_an_error_without_words_says_what_its_class_says(cls):
    assert cls().detail == cls.__doc__
    assert str(cls()) == cls.__doc__


def test_the_wire_form_is_type_detail_and_extra():
    error = errors.NotReady(None, "still in training", state="TASK_RUNNING")

    assert error.to_wire() == {
        "type": "not_ready",
        "detail": "still in training",
        "state": "TASK_RUNNING",
    }


def test_what_can_be_tried_again_is_unavailable():
    again = {cls for cls in tree() if issubclass(cls, errors.Unavailable)}

    assert again == {
        errors.Unavailable,
        errors.ChildKilled,
        errors.ChildLost,
        errors.ModelLost,
        errors.ConsumerLost,
        errors.Overloaded,
        errors.BrokerUnavailable,
        errors.Unroutable,
        errors.EndpointUnavailable,
        errors.StorageFull,
        errors.StorageUnavailable,
        errors.DatabaseUnavailable,
    }
