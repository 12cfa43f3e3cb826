import pytest

from app import errors
from app.errors import WarrenError


def tree(cls: type[WarrenError] = WarrenError) -> list[type[WarrenError]]:
    return [cls, *(each for sub in cls.__subclasses__() for each in tree(sub))]


@pytest.mark.parametrize("cls", tree())
def test_every_error_survives_the_wire(cls):
    error = cls("what happened", field="features", columns=["a", "b"])

    again = errors.from_wire(error.to_wire())

    assert type(again) is cls
    assert again.detail == "what happened"
    assert again.extra == {"field": "features", "columns": ["a", "b"]}


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


@pytest.mark.parametrize("wire", [{"type": "of tomorrow", "detail": "x"}, {"detail": "x"}])
def test_an_unknown_type_becomes_a_plain_error(wire):
    error = errors.from_wire(wire)

    assert type(error) is WarrenError
    assert error.detail == "x"


def test_a_wire_form_may_hold_any_key():
    error = errors.from_wire({"type": "invalid", "detail": "x", "self": 1, "cls": 2})

    assert error.extra == {"self": 1, "cls": 2}


def test_what_can_be_tried_again_is_unavailable():
    again = {cls for cls in tree() if issubclass(cls, errors.Unavailable)}

    assert again == {
        errors.Unavailable,
        errors.ChildKilled,
        errors.ConsumerLost,
        errors.Overloaded,
        errors.BrokerUnavailable,
        errors.Unroutable,
        errors.EndpointUnavailable,
        errors.StorageUnavailable,
        errors.DatabaseUnavailable,
    }
